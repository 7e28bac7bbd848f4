"""Carving: from an artist's boxes to the shapes that perception sees in them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from occscene_server.geometry.grids import LABELS, GridTensors

_LEAST_SEEN = 0.05
"""Share of an object that must be seen; an object of which less is seen stays whole, for perception lost it."""
_THIN = 3
"""Voxels through an object up to which it stays whole: rugs, pictures and curtains have nothing to carve away."""
_NEAR_LIKELIEST = 0.8
"""Of the probability of a layer's likeliest voxel: what has more stays in a layer in which nothing is likely."""


def carve(placed: GridTensors, logits: Tensor) -> GridTensors:
    """Takes from every object what is perceived as empty; the rest keeps its class.

    An object keeps its height: of a layer in which no voxel is likely, such as that of a chair's thin legs, or of its
    back that may be on any side, the likeliest stay. A floor or a rug goes on below what was carved.

    With the bundled model 89 % of what that takes from blockouts' furniture is truly empty (16 validation rooms); of
    furniture that was modelled exactly it takes 5 %.

    Args:
        placed: the blockouts; Z is up. Voxels of a class that belong to no object are one.
        logits: (B, classes, X, Y, Z) as perceived; class 0 is empty.

    Returns:
        The blockouts, carved: labels and instances.
    """
    occupied = 1.0 - logits.float().softmax(dim=1)[:, 0]
    rows = torch.zeros_like(placed.labels) if placed.instances is None else placed.instances
    keys = rows.long() * LABELS + placed.labels
    carved = torch.stack([_carved(*scene) for scene in zip(keys, occupied, strict=True)])
    instances = None if placed.instances is None else (carved // LABELS).to(placed.instances.dtype)
    return replace(placed, labels=(carved % LABELS).to(placed.labels.dtype), instances=instances)


def _carved(key: Tensor, occupied: Tensor) -> Tensor:
    """One scene's (X, Y, Z) keys of object and class, 0 is empty, carved."""
    keys, number, size = key.unique(return_inverse=True, return_counts=True)
    likeliest = [_likeliest_of_layers(occupied, number, axis, len(keys)) for axis in range(3)]
    reached = [layers >= 0 for layers in likeliest]
    thin = [layers.sum(0) <= _THIN for layers in reached]
    seen = torch.zeros_like(size).index_add_(0, number.flatten(), (occupied >= 0.5).flatten().long())
    whole = (seen < _LEAST_SEEN * size) | thin[0] | thin[1] | thin[2]
    lowest = (_NEAR_LIKELIEST * likeliest[2]).clamp_max(0.5)[torch.arange(key.shape[2], device=key.device), number]
    carved = torch.where(whole[number] | (occupied >= lowest), key, 0)
    flat = thin[2].nonzero()[:, 0]
    for index in flat[size[flat].argsort(descending=True)]:  # a rug is above its floor
        places = [layers[:, index].nonzero() for layers in reached]
        box = tuple(slice(int(place.min()), int(place.max()) + 1) for place in places)
        carved[box] = torch.where((carved[box] == 0) & (key[box] != 0), keys[index], carved[box])
    return carved


def _likeliest_of_layers(occupied: Tensor, number: Tensor, axis: int, objects: int) -> Tensor:
    """The highest probability of every object in every layer along an axis, (side, objects); -1 where it is not."""
    layers, values = (maps.movedim(axis, 0).flatten(1) for maps in (number, occupied))
    return occupied.new_full((len(layers), objects), -1.0).scatter_reduce(1, layers, values, "amax")

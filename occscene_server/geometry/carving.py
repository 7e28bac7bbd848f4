"""What becomes of an artist's objects: boxes are carved to what perception sees in them, what she modelled is kept."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as functional
from torch import Tensor

from occscene_server.geometry.grids import LABELS, GridTensors
from occscene_server.geometry.placed_objects import PlacedObjects

_LEAST_SEEN = 0.05
"""Share of an object that must be seen; an object of which less is seen stays whole, for perception lost it."""
_NEAR_LIKELIEST = 0.8
"""Of the probability of a layer's likeliest voxel: what has more stays in a layer in which nothing is likely."""
_GONE = 0.85
"""Mean probability of being empty from which on a modelled object is taken for gone: of 239 that are in real views of
21 validation rooms one has more, of 58 that were placed where there is nothing 27 have."""
_LEFT = 0.5
"""Share of a flat object that must be left for what perception makes of it to count."""
_SLIT = 2
"""Half the width in voxels of the widest slits that are closed in flat objects."""


def carve(placed: GridTensors, logits: Tensor) -> GridTensors:
    """Takes from every box what is perceived as empty; the rest keeps its class.

    An object that was modelled stays whole, and so do lines, such as the legs of a box. A box keeps its height: of a
    layer in which no voxel is likely, such as that of the legs of the chair that it stands for, or of the chair's back
    that may be on any side, the likeliest stay. A floor or a rug goes on below what was carved.

    Args:
        placed: the blockouts; Z is up. Voxels of a class that belong to no object are one.
        logits: (B, classes, X, Y, Z) as perceived; class 0 is empty.

    Returns:
        The blockouts, carved: labels and instances.
    """
    empty = logits.float().softmax(dim=1)[:, 0]
    carved = torch.stack([_carved(objects, 1.0 - seen) for objects, seen in zip(_objects(placed), empty, strict=True)])
    instances = None if placed.instances is None else (carved // LABELS).to(placed.instances.dtype)
    return replace(placed, labels=(carved % LABELS).to(placed.labels.dtype), instances=instances)


def keep_modelled(placed: GridTensors, predicted: Tensor, empty: Tensor | None = None) -> Tensor:
    """Puts back into a prediction what perception lost of things that are finer than boxes.

    An object that was modelled stays as it was placed, and so do lines, such as the legs of a box, unless real views,
    over all of the object, show it gone: of a leg alone perception knows too little. A flat object may be moved by a
    voxel, thinned, and trimmed at its rim; it gets no slits, and if less than half of it is left, it stays as it was
    placed. Boxes become what perception sees in them.

    Args:
        placed: the blockouts. What belongs to no object is not kept.
        predicted: (B, X, Y, Z) uint8 classes.
        empty: (B, X, Y, Z) probabilities of being empty that real views gave; None for views that were generated from
            the blockouts, which cannot show that anything in them is gone.

    Returns:
        Classes (B, X, Y, Z) uint8.
    """
    if placed.instances is None:
        return predicted
    result = predicted.clone()
    for scene, objects in enumerate(_objects(placed)):
        there = objects.named if empty is None else objects.named & (objects.mean(empty[scene]) < _GONE)
        stays = there[objects.number] & (objects.modelled[objects.number] | objects.lines)
        result[scene] = torch.where(stays, placed.labels[scene], result[scene])
        for index in objects.flat.nonzero()[:, 0]:
            _keep_flat(objects, int(index), result[scene])
    return result


def _objects(placed: GridTensors) -> list[PlacedObjects]:
    instances = [None] * len(placed.labels) if placed.instances is None else list(placed.instances)
    return [PlacedObjects.find(*scene) for scene in zip(placed.labels, instances, strict=True)]


def _carved(objects: PlacedObjects, occupied: Tensor) -> Tensor:
    """One scene's (X, Y, Z) keys of object and class, carved; 0 is empty."""
    keys, number, size = objects.keys, objects.number, objects.size
    seen = torch.zeros_like(size).index_add_(0, number.flatten(), (occupied >= 0.5).flatten().long())
    whole = (seen < _LEAST_SEEN * size) | objects.thin.any(0) | objects.modelled
    likeliest = objects.highest_of_layers(occupied)[2]
    lowest = (_NEAR_LIKELIEST * likeliest).clamp_max(0.5)[torch.arange(number.shape[2], device=keys.device), number]
    key = keys[number]
    carved = torch.where(whole[number] | objects.lines | (occupied >= lowest), key, 0)
    lying = objects.thin[2].nonzero()[:, 0]
    for index in lying[size[lying].argsort(descending=True)]:  # a rug is above its floor
        box = objects.box(int(index))
        carved[box] = torch.where((carved[box] == 0) & (key[box] != 0), keys[index], carved[box])
    return carved


def _keep_flat(objects: PlacedObjects, index: int, predicted: Tensor) -> None:
    """Puts one flat object back into the prediction (X, Y, Z) where that lost it."""
    box, across = objects.box(index), int(objects.thin[:, index].nonzero())
    own = objects.number[box] == index
    layers = slice(max(box[across].start - 1, 0), box[across].stop + 1)
    near = predicted[(*box[:across], layers, *box[across + 1 :])] == objects.classes[index]
    window = [3 if axis == across else 1 for axis in range(3)]  # a voxel beside it will do
    near = functional.max_pool3d(near.float()[None], window, 1, [side // 2 for side in window])[0].bool()
    left = own & near.narrow(across, box[across].start - layers.start, own.shape[across])
    lost = own & ~left
    if left.sum() >= _LEFT * own.sum():
        lost &= _closed(left, across)
    predicted[box] = torch.where(lost, objects.classes[index].to(predicted.dtype), predicted[box])


def _closed(sheet: Tensor, across: int) -> Tensor:
    """A flat mask (x, y, z) with slits and holes closed, not across."""
    reach = [0 if axis == across else _SLIT for axis in range(3)]
    window = [2 * side + 1 for side in reach]
    margins = [margin for side in reversed(reach) for margin in (2 * side, 2 * side)]
    grown = functional.max_pool3d(functional.pad(sheet.float()[None], margins), window, 1)
    return functional.max_pool3d(-grown, window, 1)[0] < 0

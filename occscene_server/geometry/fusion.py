"""What becomes of an artist's objects: what was placed and what perception sees, added as log-odds, object by object.

A voxel of an object stays if its log-odds are positive: the sum of a prior by how the object was made, what perception
sees in the voxel, and a mean field with Potts couplings to the object's neighbouring voxels (Krähenbühl and Koltun,
NeurIPS 2011, in its nearest-neighbour form; see `flat_objects.relaxed`). Crumbs that are left over go.

What always holds:

* No object is lost. Each keeps a voxel of its own, a flat one within a voxel of its place, unless real views show that
  it is gone; what was modelled keeps all of them.
* Classes are fixed. A voxel of an object that is not flat keeps its class or becomes empty. Carving adds nothing, but
  rugs and floors go on below what it takes away.
* Heights are kept. Carving leaves every object a voxel in each layer that it reached.
* Seeing a voxel occupied more surely takes no voxel from any object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.taxonomy import OUTDOOR, TAXONOMIES
from scipy import ndimage
from torch import Tensor

from occscene_server.geometry.flat_objects import SEEN, relaxed, settle
from occscene_server.geometry.grids import LABELS, GridTensors
from occscene_server.geometry.placed_objects import PlacedObjects

PARTS, SURE_PARTS = 3.0, 6.0
"""Log-odds of the class that an object's parts give each voxel of its box: in rooms, and of trees, whose lumps nobody
can guess; of all else in streets, whose thin shapes perception hardly sees (chosen on 4 validation streets)."""
MODELLED, SOLID = 30.0, 1.5
"""Log-odds of staying before anything is seen: perception cannot doubt lines and what the artist modelled."""
COUPLING = 0.75
"""Log-odds that a neighbour of the same object adds if it surely stays, and takes if it surely goes."""
CRUMB = 16
"""Voxels from which on a piece is more than a crumb. All of these were chosen on 20 validation rooms."""
_LEAST_SEEN = 0.05
"""Share of an object that must stay; an object of which less would is kept whole, for perception lost it."""
_GONE = 0.85
"""Mean probability of being empty from which on real views show that an object is gone: of 239 modelled objects that
are in real views of 21 validation rooms one has more, of 58 that were placed where there is nothing 27 have."""
_NEAR_LIKELIEST = 0.5
"""Log-odds below a layer's likeliest voxel: what has more stays in a layer in which nothing is likely."""
_AROUND = np.ones((3, 3, 3), bool)


def odds_of_parts(taxonomy: str) -> Tensor:
    """(classes,) how surely parts are known of objects of each class, log-odds."""
    classes = TAXONOMIES[taxonomy].classes
    sure = [taxonomy == OUTDOOR.name and entry.name != "vegetation" for entry in classes]
    return torch.tensor([SURE_PARTS if is_sure else PARTS for is_sure in sure])


def told_of_parts(logits: Tensor, boxes: GridTensors, finer: Tensor, odds: Tensor) -> Tensor:
    """Logits (B, classes, X, Y, Z) of a perception that was given boxes, corrected by what is known of their parts.

    Args:
        logits: as perceived.
        boxes: the blockouts that perception was given.
        finer: (B, X, Y, Z) uint8 classes with parts in place of boxes.
        odds: (classes,) of `odds_of_parts`.
    """
    known = boxes.labels != finer
    if boxes.instances is not None:
        rows = boxes.instances.long().flatten(1)
        refined = torch.zeros(len(rows), boxes.hints.shape[1], dtype=torch.uint8, device=rows.device)
        refined.scatter_reduce_(1, rows, known.flatten(1).byte(), "amax")
        refined[:, 0] = 0
        known = refined.gather(1, rows).view_as(known).bool()
    classes = torch.arange(logits.shape[1], device=logits.device)[:, None, None, None]
    sure = odds.to(logits.device)[boxes.labels.long().clamp_max(len(odds) - 1)][:, None]  # unknown voxels have no parts
    return logits.float() + sure * ((finer[:, None] == classes) & known[:, None])


def fuse(
    placed: GridTensors, predicted: Tensor, logits: Tensor, built: Sequence[int] = (), real: bool = False
) -> Tensor:
    """The occupancy of scenes with placed objects, given what perception sees.

    In an object's voxels there is the object or nothing; flat objects may be moved by a voxel, as a whole. All else is
    what is perceived, without crumbs.

    Args:
        placed: the blockouts, with parts in place of boxes or without. What belongs to no object is not kept.
        predicted: (B, X, Y, Z) uint8 classes as perceived.
        logits: (B, classes, X, Y, Z) of them.
        built: classes of what rooms are built of, which need not keep its outline if it is flat.
        real: whether the views can show that an object is gone; those that were generated from the blockouts cannot.

    Returns:
        Classes (B, X, Y, Z) uint8.
    """
    if placed.instances is None:
        return predicted
    result = predicted.clone()
    for scene, own in enumerate(logits.float()):
        objects = PlacedObjects.find(placed.labels[scene], placed.instances[scene])
        flat = objects.flat & ~objects.modelled
        for index in _largest_first(objects, flat):
            settle(objects, index, own, result[scene], int(objects.classes[index]) not in built)
        held = objects.named & ~flat
        gone = held & (objects.mean(own.softmax(0)[0]) >= _GONE) & real
        stays = _staying(objects, own, held & ~gone, 0.0 if real else SOLID)
        taken = (held & ~gone)[objects.number] & ~stays
        kept = torch.where(stays, placed.labels[scene].to(result.dtype), result[scene].masked_fill(taken, 0))
        result[scene] = _swept(kept, stays | flat[objects.number])
    return result


def carve(placed: GridTensors, logits: Tensor) -> GridTensors:
    """Takes from objects what is perceived as empty; the rest keeps its class.

    A box keeps its height: of a layer in which no voxel is likely, such as that of the legs of the chair that it stands
    for, or of the chair's back that may be on any side, the likeliest stay. A floor or a rug goes on below what was
    carved.

    Args:
        placed: the blockouts; Z is up. Voxels of a class that belong to no object are one.
        logits: (B, classes, X, Y, Z) as perceived; class 0 is empty.

    Returns:
        The blockouts, carved: labels and instances.
    """
    instances = [None] * len(placed.labels) if placed.instances is None else list(placed.instances)
    scenes = [PlacedObjects.find(*scene) for scene in zip(placed.labels, instances, strict=True)]
    carved = torch.stack([_carved(objects, own.float()) for objects, own in zip(scenes, logits, strict=True)])
    rows = None if placed.instances is None else (carved // LABELS).to(placed.instances.dtype)
    return replace(placed, labels=(carved % LABELS).to(placed.labels.dtype), instances=rows)


def beliefs(objects: PlacedObjects, logits: Tensor, solid: float = SOLID) -> Tensor:
    """Log-odds (X, Y, Z) that voxels stay their objects', from logits (classes, X, Y, Z) of which 0 is of empty.

    They never fall where a voxel, any, is seen to be occupied more surely. `solid` is what speaks for objects that were
    not modelled: nothing, where real views show what they are.
    """
    prior = torch.where(objects.modelled, MODELLED, solid)[objects.number]
    occupied = logits[1:].logsumexp(0) - logits[0]
    known = torch.where(objects.lines, MODELLED, prior) + occupied.clamp(-SEEN, SEEN)
    return relaxed(known, objects.number, COUPLING)


def _staying(objects: PlacedObjects, logits: Tensor, held: Tensor, solid: float) -> Tensor:
    """Which voxels (X, Y, Z) of the objects that are held (N,) stay; each keeps some, and none falls into crumbs."""
    number = objects.number
    stays = (beliefs(objects, logits, solid) > 0) & held[number]
    lost = held & (objects.mean(stays.float()) < _LEAST_SEEN)
    stays |= lost[number]
    firm = (objects.lines | objects.modelled[number]).cpu().numpy()
    for index in (held & ~objects.modelled & ~lost).nonzero()[:, 0].tolist():
        place = objects.box(index)
        own = (stays[place] & (number[place] == index)).cpu().numpy()
        stays[place] &= ~torch.from_numpy(_loose(own, firm[place])).to(stays.device)
    return stays


def _loose(own: NDArray[np.bool_], firm: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of an object (x, y, z) that are crumbs: small, not its largest, and nothing in them firm."""
    pieces, count = ndimage.label(own, _AROUND)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    crumb = (sizes < CRUMB) & (sizes < sizes[1:].max(initial=0))
    crumb[np.unique(pieces[firm & own])] = False
    crumb[0] = False
    loose: NDArray[np.bool_] = crumb[pieces]
    return loose


def _swept(labels: Tensor, placed: Tensor) -> Tensor:
    """Classes (X, Y, Z) in which crumbs that touch nothing of what was placed have become what lies around them."""
    voxels, kept = labels.cpu().numpy().copy(), placed.cpu().numpy()
    for label in np.unique(voxels[voxels > 0]).tolist():
        pieces, count = ndimage.label(voxels == label, _AROUND)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        crumb = (sizes < CRUMB) & (np.bincount(pieces.ravel(), kept.ravel(), minlength=count + 1) == 0)
        boxes = ndimage.find_objects(pieces)
        for piece in np.nonzero(crumb[1:])[0].tolist():
            place = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[piece])
            own = pieces[place] == piece + 1
            around = voxels[place][ndimage.binary_dilation(own) & ~own]
            voxels[place][own] = np.bincount(around).argmax() if len(around) else 0
    return torch.from_numpy(voxels).to(labels.device)


def _largest_first(objects: PlacedObjects, which: Tensor) -> list[int]:
    rows = which.nonzero()[:, 0]
    order: list[int] = rows[objects.size[rows].argsort(descending=True, stable=True)].tolist()
    return order


def _carved(objects: PlacedObjects, logits: Tensor) -> Tensor:
    """One scene's (X, Y, Z) keys of object and class, carved; 0 is empty."""
    keys, number, size = objects.keys, objects.number, objects.size
    belief = beliefs(objects, logits)
    seen = torch.zeros_like(size).index_add_(0, number.flatten(), (belief > 0).flatten().long())
    whole = (seen < _LEAST_SEEN * size) | objects.thin.any(0) | objects.modelled
    likeliest = objects.highest_of_layers(belief.sigmoid())[2].logit(1e-6)
    lowest = (likeliest - _NEAR_LIKELIEST).clamp_max(0.0)[torch.arange(number.shape[2], device=keys.device), number]
    key = keys[number]
    carved = torch.where(whole[number] | (belief >= lowest), key, 0)
    for index in _largest_first(objects, objects.thin[2]):  # a rug is above its floor
        box = objects.box(index)
        carved[box] = torch.where((carved[box] == 0) & (key[box] != 0), keys[index], carved[box])
    return carved

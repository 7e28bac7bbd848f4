"""The blockout that an artist would make of a SemanticKITTI frame, from its true voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid
from occscene.taxonomy import OUTDOOR
from scipy import ndimage

GROUND = tuple(OUTDOOR.index_of(name) for name in ("road", "parking", "sidewalk", "other-ground", "terrain"))
_FILLED = 0.6
"""Share of a box that what it stands for must fill, else an artist would use two."""
_SHORTEST = 10
"""Voxels below which a box is not divided."""


def blockout_of(truth: SemanticGrid) -> SemanticGrid:
    """What an artist who looks at a true grid would build: every connected object as its box, the ground as slabs.

    A box that its object would fill by less than three fifths is divided along its longest side, as several boxes are
    used for a bent row of houses. Ground is taken as it is, holes of up to two voxels closed. Unknown voxels are empty.
    """
    labels = np.zeros_like(truth.labels)
    known = np.where(truth.labels == UNKNOWN, EMPTY, truth.labels)
    for entry in sorted(OUTDOOR.classes[1:], key=lambda entry: entry.priority):
        mask = known == entry.index
        if not mask.any():
            continue
        if entry.index in GROUND:
            layers = np.argwhere(mask.any(axis=(0, 1))).ravel()
            for layer in layers.tolist():
                closed = ndimage.binary_closing(mask[:, :, layer], np.ones((3, 3), bool), border_value=0)
                labels[:, :, layer][closed | mask[:, :, layer]] = entry.index
            continue
        pieces, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        for number, place in enumerate(ndimage.find_objects(pieces), 1):
            for box in _boxes(pieces[place] == number):
                low = [side.start for side in place]
                where = tuple(slice(base + side.start, base + side.stop) for base, side in zip(low, box, strict=True))
                labels[where] = entry.index
    return replace(truth, labels=labels, instances=None, objects=())


def _boxes(mask: NDArray[np.bool_]) -> Iterator[tuple[slice, slice, slice]]:
    """Boxes around an object that is filled, or small, enough."""
    filled = np.argwhere(mask)
    if not len(filled):
        return
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    size = high - low
    box = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))
    plan = mask[box].any(axis=2)
    axis = int(np.argmax(size[:2]))
    if plan.mean() >= _FILLED or size[axis] < _SHORTEST:
        yield box
        return
    middle = int(low[axis] + high[axis]) // 2
    for half in (slice(None, middle), slice(middle, None)):
        part = np.zeros_like(mask)
        index = (half, slice(None)) if axis == 0 else (slice(None), half)
        part[index] = mask[index]
        yield from _boxes(part)

"""What an artist placed, object by object: which objects are coarse boxes, which are flat, which were modelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from occscene.grid import UNKNOWN
from torch import Tensor

from occscene_server.geometry.grids import LABELS

_THIN = 3
"""Voxels through an object up to which it is thin: rugs, pictures and curtains have nothing to carve away."""
_LINES, _STROKES = 0.003, 0.1
"""Share of an object, and of a flat one, that is one voxel thick in two directions from which on it was modelled."""
_FINE = 0.5
"""Share of an object that is less than three voxels thick from which on it was modelled, if it is not flat."""


@dataclass(frozen=True, eq=False)
class PlacedObjects:
    """The N objects of one scene; empty space is one of them.

    Args:
        keys: (N,) int64, `LABELS` * row of the object + class; without a row, all voxels of a class are one object.
        number: (X, Y, Z) int64, which of the keys each voxel has.
        size: (N,) voxels.
    """

    keys: Tensor
    number: Tensor
    size: Tensor

    @classmethod
    def find(cls, labels: Tensor, instances: Tensor | None) -> PlacedObjects:
        """Objects of labels (X, Y, Z) and instances (X, Y, Z), as in `GridTensors`."""
        rows = torch.zeros_like(labels) if instances is None else instances
        return cls(*(rows.long() * LABELS + labels).unique(return_inverse=True, return_counts=True))

    @property
    def classes(self) -> Tensor:
        """(N,) int64."""
        return self.keys % LABELS

    @cached_property
    def reached(self) -> list[Tensor]:
        """For each axis, which layers across it the objects reach, (side, N) bool."""
        return [layers >= 0 for layers in self.highest_of_layers(torch.zeros_like(self.number, dtype=torch.float32))]

    @cached_property
    def thin(self) -> Tensor:
        """Along which axes objects are thin from end to end, (3, N) bool."""
        return torch.stack([layers.sum(0) <= _THIN for layers in self.reached])

    @property
    def named(self) -> Tensor:
        """What is an object of the artist's, and no space or rest of a class, (N,) bool."""
        return (self.keys >= LABELS) & (self.classes != 0) & (self.classes != UNKNOWN)

    @property
    def flat(self) -> Tensor:
        """Objects that are thin along only one axis: panes, pictures, curtains, rugs; (N,) bool."""
        return self.named & (self.thin.sum(0) == 1)

    @cached_property
    def lines(self) -> Tensor:
        """What is one voxel thick in two directions: legs, poles, bars, the strokes of letters; (X, Y, Z) bool."""
        plates = [self._within((2, 2, 1)), self._within((2, 1, 2)), self._within((1, 2, 2))]
        return self.named[self.number] & ~(plates[0] | plates[1] | plates[2])

    @cached_property
    def modelled(self) -> Tensor:
        """Objects that were modelled instead of blocked out, (N,) bool.

        A box, and what a few boxes make, has no lines and little that is thinner than three voxels.
        """
        lines, fine = self._count(self.lines), self._count(~self._within((3, 3, 3)))
        slender = (lines > 1) & (lines >= torch.where(self.flat, _STROKES, _LINES) * self.size)
        return self.named & (slender | (fine >= _FINE * self.size) & ~self.flat)

    def highest_of_layers(self, values: Tensor) -> list[Tensor]:
        """For each axis, the highest of values (X, Y, Z) >= 0 of every object in every layer, (side, N).

        It is -1 where the object is not.
        """
        highest = []
        for axis, side in enumerate(self.number.shape):
            layers, parts = (maps.movedim(axis, 0).flatten(1) for maps in (self.number, values))
            highest.append(values.new_full((side, len(self.keys)), -1.0).scatter_reduce(1, layers, parts, "amax"))
        return highest

    def mean(self, values: Tensor) -> Tensor:
        """The mean over every object of values (X, Y, Z), (N,) float32."""
        total = torch.zeros(len(self.keys), device=values.device)
        return total.index_add_(0, self.number.flatten(), values.float().flatten()) / self.size

    def box(self, index: int) -> tuple[slice, ...]:
        """The voxels that one object reaches along each axis, from its first to its last."""
        places = [layers[:, index].nonzero() for layers in self.reached]
        return tuple(slice(int(place.min()), int(place.max()) + 1) for place in places)

    def _count(self, which: Tensor) -> Tensor:
        return torch.zeros_like(self.size).index_add_(0, self.number.flatten(), which.long().flatten())

    def _within(self, window: tuple[int, int, int]) -> Tensor:
        """Whether a voxel lies in some window that its object fills: what an opening leaves of all objects at once."""
        number, filled = self.number, torch.ones_like(self.number, dtype=torch.bool)
        if any(side > length for side, length in zip(window, number.shape, strict=True)):
            return ~filled
        for axis, side in enumerate(window):
            count = number.shape[axis] - side + 1
            first = number.narrow(axis, 0, count)
            same = [filled.narrow(axis, k, count) & (number.narrow(axis, k, count) == first) for k in range(side)]
            number, filled = first, torch.stack(same).all(0)
        for axis, side in enumerate(window):
            margins = [side - 1 if axis == other else 0 for other in (2, 1, 0) for _ in range(2)]
            filled = F.pad(filled, margins)
            count = filled.shape[axis] - side + 1
            filled = torch.stack([filled.narrow(axis, k, count) for k in range(side)]).any(0)
        return filled

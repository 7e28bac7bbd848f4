"""The primitives that a piece of furniture is made of, as arrays along the axes of its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.layout import PART_KINDS, LayoutPart
from occscene.part_shapes import rotations

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DEEPEST = 0.3
"""Metres that a wall with windows is deep at most."""
_EDGE = (0.005, 0.005, 0.003)
"""Share of the volume at each end that is no body, across and upwards: of a house a chimney is none, a spire is."""
_LARGER = 1.25
"""By how much parts grow at most to fit their body into a box."""
_LOWER, _GAP, _HIGHEST_GAP = 0.3, 0.1, 3.0
"""Metres by which what carries a part begins below it, and above it from which and up to which the part then floats."""
_IN_FRONT = 0.6
"""Metres that a box may reach through a wall which still stands before it."""
BOX, ROUNDED_BOX, CUSHION, ELLIPSOID, CYLINDER, ROD, BLADE, CURTAIN, *WALLS = range(len(PART_KINDS))


@dataclass(frozen=True, eq=False)
class Solids:
    """P parts of one object, about the middle of its box, its front along +y; metres.

    Args:
        kind: (P,) index into `PART_KINDS`.
        center: (P, 3).
        size: (P, 3) extent along the part's own axes.
        axes: (P, 3, 3) rotation from the part's axes to the object's.
        taper: (P,) width of the upper end over that of the lower.
        material: kinds of material: "wood".
        role: (P,) which of the object's materials, by first appearance.
    """

    kind: Ints
    center: Floats
    size: Floats
    axes: Floats
    taper: Floats
    material: tuple[str, ...]
    role: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: Sequence[int] | Ints) -> Solids:
        """Some of the parts, in that order."""
        index = np.asarray(rows, np.int64)
        material = tuple(self.material[row] for row in index.tolist())
        return Solids(
            self.kind[index], self.center[index], self.size[index], self.axes[index], self.taper[index], material,
            self.role[index],
        )  # fmt: skip

    @property
    def reach(self) -> Floats:
        """(P, 3) half of what each part takes along the object's axes, that of the box around it."""
        ends = np.abs(self.axes) * (self.size / 2)[:, None, :]
        squares = ends**2
        # a round cross-section reaches equally far in all directions
        tube = ends[:, :, 2] + np.sqrt(squares[:, :, :2].sum(2))
        is_tube = (self.kind == CYLINDER) | (self.kind == ROD)
        reach: Floats = np.where(is_tube[:, None], tube, ends.sum(2))
        return np.where((self.kind == ELLIPSOID)[:, None], np.sqrt(squares.sum(2)), reach)

    def bounds(self) -> tuple[Floats, Floats]:
        """Lowest and highest corner (3,) of all parts."""
        reach = self.reach
        return (self.center - reach).min(0), (self.center + reach).max(0)

    def stretched(self, factors: Floats) -> Solids:
        """All parts stretched along the object's axes by (3,) or (P, 3); what stands askew keeps its angles."""
        own = np.einsum("pij,pi->pj", self.axes**2, np.broadcast_to(factors, self.center.shape))
        return replace(self, center=self.center * factors, size=self.size * own)

    def rotated(self, rotation: Floats) -> Solids:
        """All parts rotated by (3, 3) about the middle."""
        return replace(self, center=self.center @ rotation.T, axes=rotation @ self.axes)

    def inside(self, size: Floats) -> Solids:
        """The parts moved, and where they are too long shortened, until none leaves a box (3,)."""
        half = size / 2
        reach = self.reach
        factor = np.minimum(1.0, half / np.maximum(reach, 1e-9))
        # what stands askew is shortened evenly, so that it keeps its angles
        straight = np.abs(self.axes).max(2).min(1) > 1 - 1e-9
        own = np.einsum("pij,pi->pj", self.axes**2, factor)
        own = np.where(straight[:, None], own, factor.min(1)[:, None])
        smaller = replace(self, size=self.size * own)
        limit = np.maximum(half - smaller.reach, 0.0)
        return replace(smaller, center=np.clip(self.center, -limit, limit))

    def body(self) -> tuple[Floats, Floats]:
        """Lowest and highest corner (3,) of the parts without what sticks out: mirrors, eaves, handlebars."""
        reach = np.maximum(self.reach, 1e-6)
        low, high = self.center - reach, self.center + reach
        weight = np.prod(self.size, axis=1) / np.prod(self.size, axis=1).sum()
        ends = np.sort(np.concatenate([low, high]), axis=0)  # (2 P, 3)
        # the volume of each part is spread evenly along an axis
        below = np.clip((ends[:, None] - low) / (high - low), 0.0, 1.0)
        share = np.einsum("epa,p->ea", below, weight)
        found = [np.interp((edge, 1 - edge), share[:, axis], ends[:, axis]) for axis, edge in enumerate(_EDGE)]
        lowest, highest = np.array(found).T
        return lowest, highest

    def fitted(self, size: Floats) -> Solids:
        """The parts so large that their `body` fills a box (3,); what sticks out of it leaves the box."""
        if not len(self):
            return self
        low, high = self.body()
        larger = np.clip(size / np.maximum(high - low, 1e-6), 1.0, _LARGER)
        return replace(self, center=self.center - (low + high) / 2).stretched(larger)

    def grounded(self) -> Solids:
        """The parts, upright boxes that float above others longer, down to the highest of those."""
        low, high = self.center - self.reach, self.center + self.reach
        bottom = low[:, 2].copy()
        upright = (self.kind == BOX) & (np.abs(self.axes - np.eye(3)).max((1, 2)) < 1e-6)
        for row in np.flatnonzero(upright):
            shared = np.minimum(high[:, :2], high[row, :2]) - np.maximum(low[:, :2], low[row, :2])
            below = (shared > (high[row, :2] - low[row, :2]) / 2).all(1) & (low[:, 2] < low[row, 2] - _LOWER)
            gap = low[row, 2] - high[below, 2].max(initial=-np.inf)
            if _GAP < gap < _HIGHEST_GAP:
                bottom[row] -= gap
        center, size = self.center.copy(), self.size.copy()
        size[:, 2] += np.where(upright, low[:, 2] - bottom, 0.0)
        center[:, 2] -= (low[:, 2] - bottom) / 2
        return replace(self, center=center, size=size)

    def with_thin_walls(self) -> Solids:
        """The parts, walls no deeper than `_DEEPEST`, else their windows would lie far within; their outside stays."""
        depth = np.where(np.isin(self.kind, WALLS), np.minimum(self.size[:, 1], _DEEPEST), self.size[:, 1])
        outward = (self.size[:, 1] - depth) / 2
        size = self.size.copy()
        size[:, 1] = depth
        return replace(self, center=self.center + self.axes[:, :, 1] * outward[:, None], size=size)

    def behind_walls(self) -> Solids:
        """The parts, the largest upright box cut back where it would fill windows of the walls before it."""
        walls = np.flatnonzero(np.isin(self.kind, WALLS))
        upright = (self.kind == BOX) & (np.abs(self.axes - np.eye(3)).max((1, 2)) < 1e-6)
        if not len(walls) or not upright.any():
            return self
        body = int(np.argmax(np.prod(self.size, axis=1) * upright))
        low, high = self.center[body] - self.size[body] / 2, self.center[body] + self.size[body] / 2
        for row in walls:
            axis = int(np.argmax(np.abs(self.axes[row, :, 1])))
            back = self.center[row, axis] - self.axes[row, axis, 1] * self.size[row, 1] / 2
            if self.axes[row, axis, 1] > 0 and high[axis] - back < _IN_FRONT:
                high[axis] = min(high[axis], back)
            elif self.axes[row, axis, 1] < 0 and back - low[axis] < _IN_FRONT:
                low[axis] = max(low[axis], back)
        if (high <= low).any():
            return self
        center, size = self.center.copy(), self.size.copy()
        center[body], size[body] = (low + high) / 2, high - low
        return replace(self, center=center, size=size)

    @staticmethod
    def joined(several: Sequence[Solids]) -> Solids:
        """Parts of several lists, one after the other."""

        def all_of(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(one, name) for one in several])

        material = tuple(word for one in several for word in one.material)
        return Solids(
            all_of("kind"), all_of("center"), all_of("size"), all_of("axes"), all_of("taper"), material, all_of("role")
        )

    def layout_parts(self) -> tuple[LayoutPart, ...]:
        """The parts as a layout has them."""
        return tuple(
            LayoutPart(PART_KINDS[kind], tuple(center), tuple(size), tuple(turn), taper, material, role)
            for kind, center, size, turn, taper, material, role in zip(
                self.kind.tolist(), self.center.tolist(), self.size.tolist(), quaternions(self.axes).tolist(),
                self.taper.tolist(), self.material, self.role.tolist(), strict=True,
            )
        )  # fmt: skip

    @staticmethod
    def of_layout(parts: Sequence[LayoutPart]) -> Solids:
        """The inverse of `layout_parts`."""
        return Solids(
            np.array([PART_KINDS.index(part.kind) for part in parts], np.int64),
            np.array([part.center for part in parts]).reshape(-1, 3),
            np.array([part.size for part in parts]).reshape(-1, 3),
            rotations(np.array([part.rotation for part in parts]).reshape(-1, 4)),
            np.array([part.taper for part in parts]),
            tuple(part.material for part in parts),
            np.array([part.role for part in parts], np.int64),
        )


def quaternions(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit quaternions w, x, y, z (N, 4), w not below 0, of rotations (N, 3, 3)."""
    r = rotations
    # four times the products of the components (Bar-Itzhack 2000): the largest row is the quaternion, up to its length
    products = np.empty((len(r), 4, 4))
    trace = r[:, 0, 0] + r[:, 1, 1] + r[:, 2, 2]
    products[:, 0, 0] = 1 + trace
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        products[:, i + 1, i + 1] = 1 + 2 * r[:, i, i] - trace
        products[:, 0, i + 1] = products[:, i + 1, 0] = r[:, k, j] - r[:, j, k]
        products[:, j + 1, k + 1] = products[:, k + 1, j + 1] = r[:, j, k] + r[:, k, j]
    best = np.argmax(np.einsum("nii->ni", products), axis=1)
    rows = products[np.arange(len(r)), best]
    rows *= np.where(rows[:, :1] < 0, -1.0, 1.0)
    quaternion: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return quaternion

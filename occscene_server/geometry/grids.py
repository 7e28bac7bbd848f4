"""Semantic grids and the space they fill, as batched tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import UNKNOWN, GridObject, SemanticGrid
from torch import Tensor

LABELS = 256
"""Values of a voxel's label: more than a taxonomy has classes."""


def rows_of_ids(objects: Sequence[GridObject]) -> NDArray[np.int32]:
    """(65536,) the row of each object id in a grid's table of objects, 0 for ids that it does not have."""
    rows = np.zeros(1 << 16, np.int32)
    for row, item in enumerate(objects, start=1):
        rows[item.id] = row
    return rows


@dataclass(frozen=True)
class VolumeTensors:
    """Where a batch of grids lies; all of them have the same number of voxels.

    Args:
        shape: voxels along x, y and z.
        voxel_size: (B,) float64, metres.
        world_from_grid: (B, 4, 4) float64, rigid, metres, at the corner of voxel (0, 0, 0). Double precision, because
            a scene may lie far from the world's origin.
    """

    shape: tuple[int, int, int]
    voxel_size: Tensor
    world_from_grid: Tensor

    @property
    def size(self) -> Tensor:
        """The sides in metres, (B, 3) float32."""
        sides = torch.tensor(self.shape, dtype=self.voxel_size.dtype, device=self.voxel_size.device)
        return (self.voxel_size[:, None] * sides).float()

    def coarser(self, factor: int) -> VolumeTensors:
        """The same space (rounded up) in voxels `factor` times as large."""
        x, y, z = (-(-side // factor) for side in self.shape)
        return VolumeTensors((x, y, z), self.voxel_size * factor, self.world_from_grid)


@dataclass(frozen=True)
class GridTensors:
    """A batch of semantic grids of one shape.

    Args:
        labels: (B, X, Y, Z) uint8; 0 is empty, 255 is unknown.
        instances: (B, X, Y, Z) int32 rows of `hints`, 0 is none; or None.
        hints: (B, N + 1, 4) float32: linear RGB and 1 where the object has a colour hint, else zeros; row 0 is zeros.
        voxel_size, world_from_grid: as in `VolumeTensors`.
    """

    labels: Tensor
    instances: Tensor | None
    hints: Tensor
    voxel_size: Tensor
    world_from_grid: Tensor

    @classmethod
    def from_grids(cls, grids: Sequence[SemanticGrid], device: torch.device | str = "cpu") -> GridTensors:
        """Stacks grids of one shape; object ids are renumbered to rows of `hints`.

        Raises:
            ValueError: the grids' shapes differ.
        """
        shapes = {grid.shape for grid in grids}
        if len(shapes) != 1:
            raise ValueError(f"grids of one batch must have one shape, but these have {sorted(shapes)}")
        hints = torch.zeros(len(grids), 1 + max(len(grid.objects) for grid in grids), 4)
        rows = np.zeros((len(grids), *grids[0].shape), np.int32)
        for index, grid in enumerate(grids):
            for row, item in enumerate(grid.objects, start=1):
                if item.hint is not None:
                    hints[index, row] = torch.tensor((*item.hint, 1.0))
            if grid.instances is not None:
                rows[index] = rows_of_ids(grid.objects)[grid.instances]
        has_instances = any(grid.instances is not None for grid in grids)
        return cls(
            labels=torch.from_numpy(np.stack([grid.labels for grid in grids])).to(device),
            instances=torch.from_numpy(rows).to(device) if has_instances else None,
            hints=hints.to(device),
            voxel_size=torch.tensor([grid.voxel_size for grid in grids], dtype=torch.float64, device=device),
            world_from_grid=torch.from_numpy(np.stack([grid.world_from_grid for grid in grids])).double().to(device),
        )

    @property
    def volume(self) -> VolumeTensors:
        """Where the grids lie."""
        _, x, y, z = self.labels.shape
        return VolumeTensors((x, y, z), self.voxel_size, self.world_from_grid)

    def with_labels(self, labels: Tensor) -> GridTensors:
        """The same grids with other classes, (B, X, Y, Z) uint8."""
        return replace(self, labels=labels)

    def of_scenes(self, scenes: Tensor) -> GridTensors:
        """The grids of some scenes, by their places (S,) in the batch."""
        return self._mapped(lambda part: part[scenes])

    def to(self, device: torch.device | str) -> GridTensors:
        """The grids on a device."""
        return self._mapped(lambda part: part.to(device))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> GridTensors:
        return GridTensors(
            change(self.labels), None if self.instances is None else change(self.instances),
            change(self.hints), change(self.voxel_size), change(self.world_from_grid),
        )  # fmt: skip

    def occupied(self) -> Tensor:
        """Whether a voxel stops a ray, (B, X, Y, Z) bool: unknown counts as empty."""
        return (self.labels != 0) & (self.labels != UNKNOWN)

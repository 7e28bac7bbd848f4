"""Blocks of large volumes: perception is local, so a step on a part of a street teaches what one on all of it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from occscene.grid import UNKNOWN
from torch import Tensor

from occscene_server.geometry.grids import GridTensors


def random_corners(grids: GridTensors, side: int, rng: np.random.Generator) -> Tensor:
    """Where a block of each scene begins, (B, 2) int64 voxels along x and y, even.

    Each block has a voxel of a random class in its middle, so that rare classes are seen as often as the others.
    """
    return torch.stack([_corner(labels, side, rng) for labels in grids.labels.cpu()])


def _corner(labels: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    classes = [label for label in labels.unique().tolist() if label not in (0, UNKNOWN)]
    if not classes:
        return torch.zeros(2, dtype=torch.int64)
    places = (labels == classes[int(rng.integers(len(classes)))]).any(2).nonzero()
    middle = places[int(rng.integers(len(places)))]
    last = torch.tensor(labels.shape[:2]) - side
    return (middle - side // 2).clamp_min(0).minimum(last.clamp_min(0)) // 2 * 2


def blocks(grids: GridTensors, corners: Tensor, side: int) -> GridTensors:
    """The blocks of scenes that begin at `corners` (B, 2), `side` voxels along x and y, of the grids' whole height."""
    x, y = (min(side, extent) for extent in grids.labels.shape[1:3])

    def cut(voxels: Tensor) -> Tensor:
        places = zip(voxels, corners.tolist(), strict=True)
        return torch.stack([own[i : i + x, j : j + y] for own, (i, j) in places])

    shift = torch.eye(4, dtype=torch.float64, device=grids.labels.device).repeat(len(corners), 1, 1)
    shift[:, :2, 3] = corners.to(shift) * grids.voxel_size[:, None]
    return replace(
        grids,
        labels=cut(grids.labels),
        instances=None if grids.instances is None else cut(grids.instances),
        world_from_grid=grids.world_from_grid @ shift,
    )

"""Voxel traversal against a walk of one voxel and one ray at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from occscene_server.geometry.raymarch import NO_FACE, FirstHit, first_hit, first_hit_ref


def _assert_same(fast: FirstHit, slow: FirstHit) -> None:
    assert torch.equal(fast.index, slow.index)
    assert torch.equal(fast.face, slow.face)
    torch.testing.assert_close(fast.depth, slow.depth, rtol=1e-9, atol=1e-9)


def _random_rays(
    batch: int, rays: int, sides: tuple[int, int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    spread = torch.tensor(sides, dtype=torch.float64)
    origins = (torch.rand(batch, rays, 3, dtype=torch.float64, generator=generator) * 2 - 0.5) * spread
    return origins, torch.randn(batch, rays, 3, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("density", [0.0, 0.002, 0.05, 0.5])
@pytest.mark.parametrize("sides", [(1, 1, 1), (7, 5, 3), (40, 33, 17)])
def test_equals_reference(sides: tuple[int, int, int], density: float) -> None:
    generator = torch.Generator().manual_seed(7)
    occupied = torch.rand(2, *sides, generator=generator) < density
    rays = _random_rays(2, 300, sides, generator)
    _assert_same(first_hit(occupied, *rays), first_hit_ref(occupied, *rays))


def test_equals_reference_along_axes_and_diagonals() -> None:
    generator = torch.Generator().manual_seed(1)
    occupied = torch.rand(1, 12, 12, 12, generator=generator) < 0.05
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    directions = torch.cartesian_prod(steps, steps, steps)
    directions = directions[directions.abs().sum(1) > 0]  # 26
    centers = torch.randint(-3, 15, (20, 1, 3), generator=generator) + torch.tensor([0.5, 0.25, 0.125])
    origins = centers.double().expand(-1, 26, -1).reshape(1, -1, 3)
    directions = directions.expand(20, -1, -1).reshape(1, -1, 3)
    _assert_same(first_hit(occupied, origins, directions), first_hit_ref(occupied, origins, directions))


def test_single_precision_differs_only_where_rays_graze() -> None:
    generator = torch.Generator().manual_seed(2)
    occupied = torch.rand(1, 30, 30, 20, generator=generator) < 0.03
    origins, directions = (m.float() for m in _random_rays(1, 3000, (30, 30, 20), generator))
    fast, slow = first_hit(occupied, origins, directions), first_hit_ref(occupied, origins, directions)
    same = fast.index == slow.index
    assert same.float().mean() > 0.999
    seen = same & (slow.index >= 0)
    torch.testing.assert_close(fast.depth[seen], slow.depth[seen], rtol=1e-4, atol=1e-4)


def test_face_depth_and_index_of_a_known_hit() -> None:
    occupied = torch.zeros(1, 6, 6, 6, dtype=torch.bool)
    occupied[0, 4, 2, 3] = True
    origins = torch.tensor([[[0.5, 2.5, 3.5], [4.5, 2.5, 9.0], [0.5, 2.5, 3.5]]])
    directions = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]])
    hit = first_hit(occupied, origins, directions)
    assert hit.index.tolist() == [[4 * 36 + 2 * 6 + 3] * 2 + [-1]]
    assert hit.face.tolist() == [[0, 5, NO_FACE]]
    assert hit.depth.tolist() == [[1.75, 5.0, math.inf]]


def test_the_voxel_of_the_camera_is_skipped() -> None:
    occupied = torch.zeros(1, 5, 1, 1, dtype=torch.bool)
    occupied[0, [1, 3]] = True
    hit = first_hit(occupied, torch.tensor([[[1.5, 0.5, 0.5]]]), torch.tensor([[[1.0, 0.01, 0.0]]]))
    assert hit.index.item() == 3
    assert hit.depth.item() == 1.5


def test_a_large_grid_is_indexed_without_rounding() -> None:
    occupied = torch.zeros(1, 512, 512, 64, dtype=torch.bool)
    occupied[0, 511, 511, 63] = True
    hit = first_hit(occupied, torch.tensor([[[511.5, 511.5, -2.0]]]), torch.tensor([[[0.0, 0.0, 1.0]]]))
    assert hit.index.item() == 512 * 512 * 64 - 1  # with the border, more than 2^24 voxels
    assert hit.depth.dtype == torch.float32

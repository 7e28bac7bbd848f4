"""G-buffers of grids say what the G-buffer maps of the same grids say."""

from __future__ import annotations

import pytest
import torch

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from tests.occscene_server.geometry.random_scenes import SIZES, random_scene


@pytest.mark.parametrize("size", [(16, 24), (9, 31)])
def test_maps_are_those_of_the_gbuffer(
    grid_tensors: GridTensors, camera_tensors: CameraTensors, size: tuple[int, int]
) -> None:
    _agree(grid_tensors, camera_tensors, size)


@pytest.mark.parametrize(("shape", "voxel_size"), SIZES)
def test_grids_of_any_size(shape: tuple[int, int, int], voxel_size: float) -> None:
    _agree(*random_scene(shape, voxel_size), (12, 20))


def _agree(grid: GridTensors, cameras: CameraTensors, size: tuple[int, int]) -> None:
    maps, gbuffer = voxel_gbuffer(grid, cameras, size), render_gbuffer_maps(grid, cameras, size, 12)
    for name in ("labels", "objects", "depth"):
        assert torch.equal(getattr(maps, name), getattr(gbuffer, name))
    seen = maps.labels > 0
    assert torch.equal(seen, torch.isfinite(maps.depth))
    outward = torch.eye(3).repeat_interleave(2, 0) * torch.tensor([-1.0, 1.0] * 3)[:, None]
    assert torch.equal(maps.normal.movedim(2, 4)[seen], outward[gbuffer.face[seen]])
    # places differ from those about the middle of the volume by one shift for each of the grid's axes
    for batch in range(len(seen)):
        axes = [[1, 2], [0, 2], [0, 1]]
        for axis, (first, second) in enumerate(axes):
            on_face = seen[batch] & (gbuffer.face[batch] // 2 == axis)
            if not on_face.any():
                continue
            place = maps.surface[batch].movedim(1, 3)[on_face]
            points = gbuffer.points[batch].movedim(1, 3)[on_face]
            shift = place - points[:, [first, second, axis]]
            assert (shift - shift[0]).abs().max() < 1e-3 * (1 + points.abs().max())
    assert not maps.footprint[~seen].any()
    assert (maps.footprint[seen] > 0).all()
    assert torch.isfinite(maps.footprint).all()
    assert torch.isfinite(maps.surface).all()

"""G-buffers of scenes, from the best that is known of each: its triangles, else its voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer


def scene_gbuffer(
    grid: GridTensors, shapes: Sequence[RayScene | None], cameras: CameraTensors, size: tuple[int, int]
) -> GBuffer:
    """Draws B scenes as V cameras each see them.

    Args:
        grid: the voxels.
        shapes: the triangles of each scene, or None where none are known; empty where no scene has any.
        cameras: of the same batch.
        size: rows and columns of the maps.
    """
    known = [scene for scene in shapes if scene is not None]
    if not known:
        return voxel_gbuffer(grid, cameras, size)
    if len(known) == len(grid.labels):
        return mesh_gbuffer(known, cameras, size)
    rows = torch.tensor([row for row, scene in enumerate(shapes) if scene is not None], device=grid.labels.device)
    voxels, exact = voxel_gbuffer(grid, cameras, size), mesh_gbuffer(known, cameras.of_scenes(rows), size)
    return GBuffer(*(maps.index_copy(0, rows, getattr(exact, name)) for name, maps in vars(voxels).items()))

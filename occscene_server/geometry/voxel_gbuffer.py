"""G-buffers of occupancy grids: for scenes of which nothing is known but their voxels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, grid_from_camera, pixel_rays
from occscene_server.geometry.footprints import pixel_footprint
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_parts import PART_FACTS
from occscene_server.geometry.raymarch import NO_FACE, first_hit
from occscene_server.geometry.sunlight import SUNLIGHT
from occscene_server.geometry.surface_frames import grid_corner

_AXES = torch.tensor([[1, 2, 0], [1, 2, 0], [0, 2, 1], [0, 2, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2]])
"""Of each face seen: which of the grid's axes go along it, up it and across it."""


def voxel_gbuffer(grid: GridTensors, cameras: CameraTensors, size: tuple[int, int]) -> GBuffer:
    """Draws B grids as V cameras each see them.

    Texture frames are those of walls and floors of meshes: the faces of voxels, along the grid's axes. Unknown
    voxels are transparent, and so is the voxel that holds the camera.

    Args:
        grid: in any taxonomy.
        cameras: of the same batch.
        size: rows and columns of the maps.
    """
    batch, views = cameras.intrinsics.shape[:2]
    shape = (batch, views, *size)
    origins, directions = pixel_rays(cameras, grid.volume, size)
    rays = directions.reshape(batch, -1, 3)
    starts = origins[:, :, None].expand(-1, -1, size[0] * size[1], -1).reshape(batch, -1, 3)
    hit = first_hit(grid.occupied(), starts, rays)
    seen = hit.index >= 0
    labels, objects = (
        torch.zeros_like(hit.index)
        if volume is None
        else volume.flatten(1).gather(1, hit.index.clamp_min(0)).long().masked_fill_(~seen, 0)
        for volume in (grid.labels, grid.instances)
    )

    normals = torch.zeros(NO_FACE + 1, 3, device=rays.device)
    normals[range(NO_FACE), [0, 0, 1, 1, 2, 2]] = torch.tensor([-1.0, 1.0] * 3, device=rays.device)
    normal = normals[hit.face]  # (B, R, 3)
    depth = hit.depth.masked_fill(~seen, 0)[..., None]
    meters = grid.voxel_size.float()[:, None, None]
    corner = np.array([grid_corner(pose) for pose in grid.world_from_grid.cpu().numpy()], np.float32)
    points = (starts + depth * rays) * meters + torch.from_numpy(corner).to(rays.device)[:, None]
    surface = points.gather(2, _AXES.to(rays.device)[hit.face]) * seen[..., None]

    rotation = grid_from_camera(cameras, grid.volume)[..., :3, :3].float()  # (B, V, 3, 3)
    in_camera = normal.view(batch, views, -1, 3) @ rotation
    return GBuffer(
        labels.view(shape),
        objects.view(shape),
        hit.depth.view(shape),
        _planar(normal, shape),
        _planar(surface, shape),
        pixel_footprint(_planar(in_camera, shape), depth.view(shape), cameras.scaled_intrinsics(size)),
        torch.zeros_like(labels).view(shape),
        depth.new_zeros(batch, views, PART_FACTS, *size),
        depth.new_zeros(batch, views, SUNLIGHT, *size),
        torch.zeros_like(labels).view(shape),
    )


def _planar(vectors: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """Vectors of pixels (..., 3) as maps (B, V, 3, h, w)."""
    return vectors.reshape(*shape, 3).movedim(4, 2).contiguous()

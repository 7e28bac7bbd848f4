"""Where on their surfaces the pixels of a G-buffer lie, and how much of a surface each of them covers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, grid_from_camera, pixel_rays
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import VolumeTensors

_LEAST_FACING = 0.02
"""Cosine between a surface and the line of sight below which its footprint grows no more."""


@dataclass(frozen=True)
class SurfacePlaces:
    """Maps of a batch of scenes seen by their cameras; zeros where nothing is seen.

    Args:
        points: (B, V, 3, h, w) metres along the grid's axes from the volume's center.
        rays: (B, V, 3, h, w) unit directions of sight along the grid's axes; everywhere.
        face: (B, V, h, w) int64 direction of the box projection: 0 along x, 1 along y, 2 along z.
        place: (B, V, 2, h, w) box projection, metres: along an upright surface and up it, x and y on what lies flat;
            heights count from the world's ground. It depends only on the surface, never on the camera.
        span: (B, V, 2, h, w) metres that each number of `place` changes by over one pixel.
    """

    points: Tensor
    rays: Tensor
    face: Tensor
    place: Tensor
    span: Tensor


def surface_places(buffer: GBuffer, cameras: CameraTensors, volume: VolumeTensors) -> SurfacePlaces:
    """Places of the pixels of `buffer`, which `cameras` see of what stands in `volume`."""
    size = (buffer.depth.shape[-2], buffer.depth.shape[-1])
    meters = volume.voxel_size.float()[:, None, None]
    origins, directions = pixel_rays(cameras, volume, size)
    rays = directions.movedim(-1, 2) * meters[..., None, None]  # (B, V, 3, h, w), metres per metre of depth
    seen = torch.isfinite(buffer.depth)[:, :, None]
    depth = torch.where(seen, buffer.depth[:, :, None], 0.0)
    start = origins * meters - volume.size[:, None] / 2
    points = torch.where(seen, start[..., None, None] + depth * rays, 0.0)

    across, along, up = buffer.normal.abs().unbind(2)
    flat = up > torch.maximum(across, along)
    faces_x = (across > along) & ~flat
    face = torch.where(flat, 2, torch.where(faces_x, 0, 1))

    def projected(vector: Tensor) -> Tensor:  # as the studio's `ShaderGraph.surface`
        x, y, z = vector.unbind(2)
        return torch.stack([torch.where(faces_x, y, x), torch.where(flat, y, z)], 2)

    # the point moves in the surface's plane: p = o + t d with n . p fixed, so dp = t (dd - d (n . dd) / (n . d))
    facing = (buffer.normal * rays).sum(2, keepdim=True)
    facing = torch.where(facing < 0, -1.0, 1.0) * facing.abs().clamp_min(_LEAST_FACING)
    squares = torch.zeros_like(points)
    axes = grid_from_camera(cameras, volume)[..., :3, :3].float()
    focal = cameras.scaled_intrinsics(size).float()
    for axis in range(2):
        step = (axes[..., axis] / focal[..., axis, axis, None])[..., None, None]  # (B, V, 3, 1, 1)
        moved = depth * (step - rays * ((buffer.normal * step).sum(2, keepdim=True) / facing))
        squares += moved.square()
    unit = rays / rays.norm(dim=2, keepdim=True)
    pose = volume.world_from_grid
    bottom = (pose[:, :3, 2] * pose[:, :3, 3]).sum(1).float()
    raised = points.clone()
    raised[:, :, 2] += (bottom + volume.size[:, 2] / 2)[:, None, None, None] * seen[:, :, 0]
    return SurfacePlaces(points, unit, face, projected(raised), projected(squares).sqrt())

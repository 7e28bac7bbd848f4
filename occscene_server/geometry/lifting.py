"""FLoSP: image features lifted to voxels along the lines of sight (MonoScene, arXiv 2112.00726, section 3.1).

Each voxel's centre is projected into every view; the features under it are averaged over the views that see it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, grid_from_camera
from occscene_server.geometry.grids import VolumeTensors

_NEAREST = 1e-3  # metres in front of the camera below which a voxel is not seen
_TRUNCATION = 0.2  # of the logarithm of depth: beyond it a voxel is simply before or behind
_SURFACE = 0.08  # likewise: beyond it a voxel is not on the surface


def project_voxels(
    cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Projects the centres of all voxels into every view of `size` = (h, w).

    Returns:
        Columns and rows in pixels, origin at the image's corner, and depths in metres along z; each
        (B, V, X * Y * Z) float32. Behind the camera columns and rows mean nothing.
    """
    pose = torch.linalg.inv(grid_from_camera(cameras, volume))  # camera from grid, metres
    projection = cameras.scaled_intrinsics(size) @ pose[..., :3, :]  # (B, V, 3, 4)
    scale = volume.voxel_size[:, None, None]
    # A projection is affine in each index: three short ramps add up to all voxels.
    ramps = []
    for axis, side in enumerate(volume.shape):
        centers = torch.arange(side, dtype=scale.dtype, device=scale.device) + 0.5
        ramps.append((projection[..., axis, None] * scale[..., None] * centers).float())  # (B, V, 3, side)
    x, y, z = ramps
    z = z + projection[..., 3, None].float()
    homogeneous = (x[..., :, None, None] + y[..., None, :, None] + z[..., None, None, :]).flatten(3)
    u, v, depth = homogeneous.unbind(2)
    safe = torch.where(depth.abs() < _NEAREST, _NEAREST, depth)
    return u / safe, v / safe, depth


def _in_picture(cameras: CameraTensors, column: Tensor, row: Tensor, depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether what `project_voxels` gave lies before the camera and in the part of the image that shows something."""
    height, width = cameras.scaled_picture(size)
    return (depth > _NEAREST) & (column >= 0) & (column < width) & (row >= 0) & (row < height)


def lift(features: Tensor, cameras: CameraTensors, volume: VolumeTensors) -> tuple[Tensor, Tensor]:
    """Lifts feature maps to voxels; differentiable with respect to the features.

    Args:
        features: (B, V, C, h, w), spread over the whole image at any resolution.
        cameras: B scenes of V views.
        volume: the voxels to fill.

    Returns:
        The mean (B, C, X, Y, Z) of bilinear samples over the views whose picture holds the voxel's centre, zero where
        there is none, and how many such views there are, (B, X, Y, Z) int64. Occlusion is not considered.
    """
    batch, views, channels, height, width = features.shape
    column, row, depth = project_voxels(cameras, volume, (height, width))  # (B, V, N)
    sees = _in_picture(cameras, column, row, depth, (height, width))
    count = sees.sum(1)  # (B, N)
    # Only pairs of a voxel and a view that sees it are sampled, in the order of the voxels.
    batch_index, voxel, view = sees.transpose(1, 2).nonzero(as_tuple=True)  # (M,)
    share = 1 / count[batch_index, voxel].to(features.dtype)
    column = (column[batch_index, view, voxel] - 0.5).clamp_(0, width - 1)
    row = (row[batch_index, view, voxel] - 0.5).clamp_(0, height - 1)
    left, top = column.floor().clamp_max_(max(width - 2, 0)), row.floor().clamp_max_(max(height - 2, 0))
    right_part, low_part = column - left, row - top
    corner = ((batch_index * views + view) * height + top.long()) * width + left.long()
    step_right, step_down = min(width - 1, 1), width * min(height - 1, 1)
    index = torch.stack([corner, corner + step_right, corner + step_down, corner + step_down + step_right], -1)
    rows = torch.stack([1 - low_part, low_part], -1) * share[:, None]
    weight = rows[:, :, None] * torch.stack([1 - right_part, right_part], -1)[:, None]  # (M, 2, 2)
    # One weighted bag of pixels a voxel: the samples of the single views are never stored.
    pixels = features.permute(0, 1, 3, 4, 2).reshape(-1, channels)
    samples = 4 * count.flatten()
    lifted = F.embedding_bag(
        index.flatten(),
        pixels,
        offsets=samples.cumsum(0) - samples,
        per_sample_weights=weight.flatten().to(pixels.dtype),
        mode="sum",
    )  # (B * N, C)
    lifted = lifted.view(batch, -1, channels).transpose(1, 2).reshape(batch, channels, *volume.shape)
    return lifted, count.view(batch, *volume.shape)


def lift_surfaces(log_depth: Tensor, cameras: CameraTensors, volume: VolumeTensors) -> Tensor:
    """Features of every voxel from depth maps; differentiable with respect to the depths.

    As in the truncated signed distances of Curless and Levoy (SIGGRAPH 1996), but relative to the depth, since that is
    how a network's estimate errs.

    Args:
        log_depth: (B, V, h, w), natural logarithm of metres along the camera's z axis.
        cameras: B scenes of V views.
        volume: the voxels to describe.

    Returns:
        (B, 4, X, Y, Z): how far before the seen surface a voxel lies, as the mean and the largest over the views that
        see it, from -1 (well behind) to 1 (well before: one view is enough to know it empty); how near the surface, as
        the mean and the largest, from 0 to 1. A voxel that no view sees has (-1, -1, 0, 0).
    """
    size = (log_depth.shape[-2], log_depth.shape[-1])
    column, row, depth = project_voxels(cameras, volume, size)  # (B, V, N)
    sees = _in_picture(cameras, column, row, depth, size)
    pixel = row.long().clamp(0, size[0] - 1) * size[1] + column.long().clamp(0, size[1] - 1)
    # the nearest pixel: blending across an edge would make a surface where there is none
    before = log_depth.flatten(2).gather(2, pixel) - depth.clamp_min(_NEAREST).log()
    distance = torch.where(sees, (before / _TRUNCATION).clamp(-1, 1), -1.0)
    nearness = torch.where(sees, 1 - (before / _SURFACE).abs(), 0.0).clamp_min(0)
    count = sees.sum(1).clamp_min(1)
    mean_distance = torch.where(sees.any(1), torch.where(sees, distance, 0.0).sum(1) / count, -1.0)
    maps = [mean_distance, distance.amax(1), nearness.sum(1) / count, nearness.amax(1)]
    stacked = torch.stack(maps, -1).unflatten(1, volume.shape)
    return stacked.movedim(-1, 1)  # in memory channels come last, as in `lift`


def lift_ref(features: Tensor, cameras: CameraTensors, volume: VolumeTensors) -> tuple[Tensor, Tensor]:
    """The same as `lift`, view by view with torch's own bilinear sampling."""
    batch, views, channels, height, width = features.shape
    index = torch.stack(torch.meshgrid(*(torch.arange(s) for s in volume.shape), indexing="ij"), -1).view(-1, 3)
    total = features.new_zeros(batch, channels, len(index))
    count = torch.zeros(batch, len(index), dtype=torch.int64)
    intrinsics = cameras.scaled_intrinsics((height, width))
    last_row, last_column = cameras.scaled_picture((height, width))
    for b in range(batch):
        points = torch.ones(4, len(index), dtype=torch.float64)
        points[:3] = (index.T + 0.5) * volume.voxel_size[b]
        world = volume.world_from_grid[b] @ points
        for v in range(views):
            local = (torch.linalg.inv(cameras.world_from_camera[b, v]) @ world)[:3]
            u, t, depth = intrinsics[b, v] @ local
            u, t = u / depth, t / depth
            sees = (depth > _NEAREST) & (u >= 0) & (u < last_column) & (t >= 0) & (t < last_row)
            where = torch.stack([2 * u / width - 1, 2 * t / height - 1], -1)[None, None].to(features.dtype)
            sampled = F.grid_sample(features[b, v][None], where, padding_mode="border", align_corners=False)
            total[b] += sampled[0, :, 0] * sees
            count[b] += sees
    mean = total / count.clamp_min(1)[:, None]
    return mean.view(batch, channels, *volume.shape), count.view(batch, *volume.shape)

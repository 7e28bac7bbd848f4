"""Rendered guidance: what every pixel sees of an occupancy grid, drawn by exact voxel traversal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import NO_FACE, first_hit

_BESIDE_CLASSES = 13  # 6 normals, nearness, hit, edge, 3 hint colours, hint mask


@dataclass(frozen=True)
class Guidance:
    """Maps of a batch of scenes seen by their cameras.

    Args:
        channels: (B, V, `guidance_channels(classes)`, h, w) float32, in this order: one channel for each class, where
            a pixel that sees nothing is of class 0 (empty); six for the normal of the face seen (-x, +x, -y, +y, -z,
            +z of the grid); nearness 1 / (1 + depth in metres), 0 where nothing is seen; 1 where something is seen;
            1 at the edge between two objects; the colour hint as sRGB in [-1, 1] and 1 where there is a hint.
        points: (B, V, 3, h, w) float32, the point seen, in metres along the grid's axes from the volume's centre;
            where nothing is seen, the point where the ray leaves the volume.
        labels: (B, V, h, w) int64 class seen, 0 for nothing.
        depth: (B, V, h, w) float32, metres along the camera's z axis, inf where nothing is seen.
    """

    channels: Tensor
    points: Tensor
    labels: Tensor
    depth: Tensor


def guidance_channels(classes: int) -> int:
    """How many channels the guidance of a taxonomy with so many classes has (empty included)."""
    return classes + _BESIDE_CLASSES


def render_guidance(grid: GridTensors, cameras: CameraTensors, size: tuple[int, int], classes: int) -> Guidance:
    """Draws the guidance of B grids for V views at `size` = (h, w).

    Args:
        grid: labels below `classes`, or 255; unknown voxels are looked through.
        cameras: of the same batch.
        size: rows and columns of the maps.
        classes: classes of the taxonomy, empty included.
    """
    batch, views = cameras.intrinsics.shape[:2]
    height, width = size
    origins, directions = pixel_rays(cameras, grid.volume, size)
    origins = origins[:, :, None].expand(-1, -1, height * width, -1).reshape(batch, -1, 3)
    directions = directions.reshape(batch, -1, 3)
    hit = first_hit(grid.occupied(), origins, directions)
    seen = hit.index >= 0
    labels = _under(grid.labels, hit.index, seen).long().view(batch, views, height, width)
    objects = _under(grid.instances, hit.index, seen) if grid.instances is not None else torch.zeros_like(hit.index)
    objects = objects.long()

    reach = torch.where(seen, hit.depth, _leaving_depth(grid, origins, directions))
    centre = torch.tensor(grid.volume.shape, device=origins.device) / 2
    points = (origins + reach[..., None] * directions - centre) * grid.voxel_size.float()[:, None, None]

    hints = grid.hints[torch.arange(batch, device=objects.device)[:, None], objects]  # (B, R, 4)
    mask = hints[..., 3:]
    colours = (2 * _srgb_from_linear(hints[..., :3]) - 1) * mask
    nearness = torch.where(seen, 1 / (1 + hit.depth), 0)
    maps = [
        functional.one_hot(labels.view(batch, -1), classes),
        functional.one_hot(hit.face, NO_FACE + 1)[..., :NO_FACE],
        nearness[..., None],
        seen[..., None],
        _edges(objects * 256 + labels.view(batch, -1), (height, width))[..., None],
        colours,
        mask,
    ]
    channels = torch.cat([m.float() for m in maps], dim=-1)  # (B, R, channels)
    return Guidance(
        channels=_as_images(channels, views, size),
        points=_as_images(points, views, size),
        labels=labels,
        depth=hit.depth.view(batch, views, height, width),
    )


def _under(volume: Tensor, index: Tensor, seen: Tensor) -> Tensor:
    """Values (B, R) of a volume (B, X, Y, Z) at flat indices, 0 where nothing is seen."""
    return volume.flatten(1).gather(1, index.clamp_min(0)).masked_fill_(~seen, 0)


def _leaving_depth(grid: GridTensors, origins: Tensor, directions: Tensor) -> Tensor:
    """Depth (B, R) where rays leave the volume; rays that never meet it get the length of its diagonal."""
    sides = torch.tensor(grid.volume.shape, dtype=origins.dtype, device=origins.device)
    still = torch.where(directions == 0, torch.finfo(origins.dtype).tiny ** 0.5, directions)
    ends = torch.stack([-origins / still, (sides - origins) / still])
    enter, leave = ends.amin(0).amax(-1), ends.amax(0).amin(-1)
    diagonal = sides.norm() / directions.norm(dim=-1)
    return torch.where((leave > 0) & (leave > enter), leave, diagonal)


def _edges(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """1 where the right or the lower neighbour shows another object: (B, V*h*w) of ids to the same shape."""
    image = ids.view(-1, *size)
    edge = torch.zeros_like(image, dtype=torch.bool)
    edge[:, :, :-1] |= image[:, :, :-1] != image[:, :, 1:]
    edge[:, :-1] |= image[:, :-1] != image[:, 1:]
    return edge.view_as(ids)


def _srgb_from_linear(colour: Tensor) -> Tensor:
    """The sRGB transfer function (IEC 61966-2-1) on values in [0, 1]."""
    return torch.where(colour <= 0.0031308, 12.92 * colour, 1.055 * colour.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def _as_images(pixels: Tensor, views: int, size: tuple[int, int]) -> Tensor:
    """(B, V*h*w, C) to (B, V, C, h, w), contiguous."""
    return pixels.view(len(pixels), views, *size, -1).permute(0, 1, 4, 2, 3).contiguous()

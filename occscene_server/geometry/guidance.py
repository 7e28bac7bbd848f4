"""Rendered guidance: what every pixel sees of an occupancy grid, drawn by exact voxel traversal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import NO_FACE, first_hit

_BESIDE_CLASSES = 13  # 6 normals, nearness, hit, edge, 3 hint colours, hint mask
_NEAREST = 0.05  # metres, for a logarithm of the depth


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
        surface: (B, V, 2, h, w) float32, where on its surface the point lies, by box projection of `points`: metres
            along a face that stands and up it, along x and y on one that lies.
        labels: (B, V, h, w) int64 class seen, 0 for nothing.
        objects: (B, V, h, w) int64 row of the grid's hints seen, 0 for nothing or an object that is not told apart.
        depth: (B, V, h, w) float32, metres along the camera's z axis, inf where nothing is seen.
    """

    channels: Tensor
    points: Tensor
    surface: Tensor
    labels: Tensor
    objects: Tensor
    depth: Tensor

    def scene(self, index: int) -> Guidance:
        """The maps of one scene, still a batch."""
        return Guidance(*(maps[index : index + 1] for maps in vars(self).values()))

    @property
    def face(self) -> Tensor:
        """(B, V, h, w) int64 number of the normal of the face seen; 0 too where nothing is seen."""
        return self.channels[:, :, -_BESIDE_CLASSES : NO_FACE - _BESIDE_CLASSES].argmax(2)

    @property
    def log_depth(self) -> Tensor:
        """Natural logarithm of `depth`, inf where nothing is seen; nearer than 5 cm counts as 5 cm."""
        return self.depth.clamp_min(_NEAREST).log()


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
    shape = (batch, views, *size)
    origins, directions = pixel_rays(cameras, grid.volume, size)
    planar = directions.permute(4, 0, 1, 2, 3).contiguous()  # (3, B, V, h, w), the layout that all below is fast in
    rays = planar.view(3, batch, -1).permute(1, 2, 0)  # (B, R, 3)
    starts = origins[:, :, None].expand(-1, -1, size[0] * size[1], -1).reshape(batch, -1, 3)
    hit = first_hit(grid.occupied(), starts, rays)
    seen = hit.index >= 0
    depth = hit.depth.view(shape)
    labels = _under(grid.labels, hit.index, seen).long()
    objects = torch.zeros_like(labels) if grid.instances is None else _under(grid.instances, hit.index, seen).long()

    reach = hit.depth.clone()
    missed = ~seen
    reach[missed] = _leaving_depth(grid.volume.shape, starts[missed], rays[missed])
    centre = torch.tensor(grid.volume.shape, device=origins.device) / 2
    start = (origins - centre)[..., None, None]  # (B, V, 3, 1, 1)
    points = torch.addcmul(start, reach.view(batch, views, 1, *size), planar.movedim(0, 2))

    channels = origins.new_zeros(batch, views, guidance_channels(classes), *size)
    channels.scatter_(2, labels.view(batch, views, 1, *size), 1)
    # A ray that hits nothing has no face: its mark falls on the channel after the normals and is overwritten.
    channels.scatter_(2, classes + hit.face.view(batch, views, 1, *size), 1)
    rest = channels[:, :, classes + NO_FACE :]
    rest[:, :, 0] = 1 / (1 + depth)  # nearness
    rest[:, :, 1] = seen.view(shape)
    rest[:, :, 2] = _edges(objects * 256 + labels, size).view(shape)
    rest[:, :, 3:] = _hint_colours(grid.hints, objects).view(batch, 4, views, *size).transpose(1, 2)
    points = points * grid.voxel_size.float()[:, None, None, None, None]
    surface = _box_projection(points, hit.face.view(shape))
    return Guidance(channels, points, surface, labels.view(shape), objects.view(shape), depth)


def _box_projection(points: Tensor, face: Tensor) -> Tensor:
    """Points (B, V, 3, h, w) on faces (B, V, h, w), numbered as the normals, to (B, V, 2, h, w)."""
    x, y, z = points.unbind(2)
    return torch.stack([torch.where(face < 2, y, x), torch.where(face < 4, z, y)], dim=2)


def _under(volume: Tensor, index: Tensor, seen: Tensor) -> Tensor:
    """Values (B, R) of a volume (B, X, Y, Z) at flat indices, 0 where nothing is seen."""
    return volume.flatten(1).gather(1, index.clamp_min(0)).masked_fill_(~seen, 0)


def _leaving_depth(shape: tuple[int, int, int], origins: Tensor, directions: Tensor) -> Tensor:
    """Depth (M,) where rays (M, 3) leave the volume; rays that never meet it get the length of its diagonal."""
    sides = torch.tensor(shape, dtype=origins.dtype, device=origins.device)
    still = torch.where(directions == 0, torch.finfo(origins.dtype).tiny ** 0.5, directions)
    ends = torch.stack([-origins / still, (sides - origins) / still])
    enter, leave = ends.amin(0).amax(-1), ends.amax(0).amin(-1)
    diagonal = sides.norm() / directions.norm(dim=-1)
    return torch.where((leave > 0) & (leave > enter), leave, diagonal)


def _hint_colours(hints: Tensor, objects: Tensor) -> Tensor:
    """The hints (B, N + 1, 4) of the objects seen (B, R) as sRGB in [-1, 1] and 1 where there is a hint, (B, 4, R)."""
    mask = hints[..., 3:]
    table = torch.cat([(2 * _srgb_from_linear(hints[..., :3]) - 1) * mask, mask], -1)
    return table.transpose(1, 2).gather(2, objects[:, None].expand(-1, 4, -1))


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

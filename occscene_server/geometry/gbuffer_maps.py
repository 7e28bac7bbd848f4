"""A G-buffer as the channels that networks read, from a scene's triangles or its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.pixel_values import srgb_from_linear
from occscene_server.geometry.raymarch import NO_FACE
from occscene_server.geometry.scene_gbuffer import scene_gbuffer

_OTHER_CHANNELS = 13  # 6 normals, nearness, hit, edge, 3 hint colours, hint mask
_NEAREST = 0.05  # metres, for a logarithm of the depth


@dataclass(frozen=True)
class GBufferMaps:
    """Maps of a batch of scenes seen by their cameras.

    Args:
        channels: (B, V, `gbuffer_channels(classes)`, h, w) float32, in this order: one channel for each class, where
            a pixel that sees nothing is of class 0 (empty); six for the normal of the face seen (-x, +x, -y, +y, -z,
            +z of the grid); nearness 1 / (1 + depth in metres), 0 where nothing is seen; 1 where something is seen;
            1 at the edge between two objects; the colour hint as sRGB in [-1, 1] and 1 where there is a hint.
        points: (B, V, 3, h, w) float32, the point seen, in metres along the grid's axes from the volume's centre;
            where nothing is seen, the point where the ray leaves the volume.
        surface: (B, V, 2, h, w) float32, where on its surface the point lies, by box projection of `points`: metres
            along a face that stands and up it, along x and y on one that lies.
        labels: (B, V, h, w) int64 class seen, 0 for nothing.
        objects: (B, V, h, w) int64 row of the grid's hints seen, 0 for nothing or an object without a row.
        depth: (B, V, h, w) float32, metres along the camera's z axis, inf where nothing is seen.
    """

    channels: Tensor
    points: Tensor
    surface: Tensor
    labels: Tensor
    objects: Tensor
    depth: Tensor

    def scene(self, index: int) -> GBufferMaps:
        """The maps of one scene, still a batch."""
        return GBufferMaps(*(maps[index : index + 1] for maps in vars(self).values()))

    def of_scenes(self, scenes: Tensor) -> GBufferMaps:
        """The maps of some scenes, by their places (S,) in the batch."""
        return GBufferMaps(*(maps[scenes] for maps in vars(self).values()))

    @property
    def face(self) -> Tensor:
        """(B, V, h, w) int64 number of the normal of the face seen; 0 too where nothing is seen."""
        return self.channels[:, :, -_OTHER_CHANNELS : NO_FACE - _OTHER_CHANNELS].argmax(2)

    @property
    def log_depth(self) -> Tensor:
        """Natural logarithm of `depth`, inf where nothing is seen; nearer than 5 cm counts as 5 cm."""
        return self.depth.clamp_min(_NEAREST).log()


def gbuffer_channels(classes: int) -> int:
    """Number of channels of `GBufferMaps` of a taxonomy with `classes` classes (empty included)."""
    return classes + _OTHER_CHANNELS


def render_gbuffer_maps(
    grid: GridTensors,
    cameras: CameraTensors,
    size: tuple[int, int],
    classes: int,
    shapes: Sequence[RayScene | None] = (),
) -> GBufferMaps:
    """Draws the G-buffer maps of B scenes for V views at `size` = (h, w).

    Args:
        grid: labels below `classes`, or 255; unknown voxels are looked through.
        cameras: of the same batch.
        size: rows and columns of the maps.
        classes: classes of the taxonomy, empty included.
        shapes: the scenes' triangles, as in `scene_gbuffer`.
    """
    return gbuffer_maps(scene_gbuffer(grid, shapes, cameras, size), grid, cameras, classes)


def gbuffer_maps(buffer: GBuffer, grid: GridTensors, cameras: CameraTensors, classes: int) -> GBufferMaps:
    """The maps of a G-buffer, at its size.

    Args:
        buffer: labels below `classes`; a surface's normal counts as the nearest of the six.
        grid: whose volume and hints the buffer's scenes have.
        cameras: of the buffer.
        classes: classes of the taxonomy, empty included.
    """
    batch, views, height, width = buffer.depth.shape
    volume, seen = grid.volume, torch.isfinite(buffer.depth)
    origins, directions = pixel_rays(cameras, volume, (height, width))
    planar = directions.movedim(-1, 2)  # (B, V, 3, h, w)
    missed = ~seen
    reach = buffer.depth.clone()
    starts = origins[:, :, None, None].expand_as(directions)[missed]
    reach[missed] = _leaving_depth(volume.shape, starts, directions[missed])
    center = torch.tensor(volume.shape, device=origins.device) / 2
    start = (origins - center)[..., None, None]  # (B, V, 3, 1, 1)
    points = torch.addcmul(start, reach[:, :, None], planar) * grid.voxel_size.float()[:, None, None, None, None]

    channels = origins.new_zeros(batch, views, gbuffer_channels(classes), height, width)
    channels.scatter_(2, buffer.labels[:, :, None], 1)
    face = nearest_face(buffer.normal, seen)
    # A ray that hits nothing has no face: its mark falls on the channel after the normals and is overwritten.
    channels.scatter_(2, classes + face[:, :, None], 1)
    rest = channels[:, :, classes + NO_FACE :]
    rest[:, :, 0] = 1 / (1 + buffer.depth)  # nearness
    rest[:, :, 1] = seen
    rest[:, :, 2] = buffer.edges
    colors = _hint_colors(grid.hints, buffer.objects.flatten(1))
    rest[:, :, 3:] = colors.view(batch, 4, views, height, width).transpose(1, 2)
    return GBufferMaps(channels, points, _box_projection(points, face), buffer.labels, buffer.objects, buffer.depth)


def nearest_face(normal: Tensor, seen: Tensor) -> Tensor:
    """The number (B, V, h, w) of the axis and direction that normals (B, V, 3, h, w) are nearest to."""
    axis = normal.abs().argmax(2, keepdim=True)
    return torch.where(seen, (2 * axis + (normal.gather(2, axis) > 0))[:, :, 0], NO_FACE)


def _box_projection(points: Tensor, face: Tensor) -> Tensor:
    """Points (B, V, 3, h, w) on faces (B, V, h, w), numbered as the normals, to (B, V, 2, h, w)."""
    x, y, z = points.unbind(2)
    return torch.stack([torch.where(face < 2, y, x), torch.where(face < 4, z, y)], dim=2)


def _leaving_depth(shape: tuple[int, int, int], origins: Tensor, directions: Tensor) -> Tensor:
    """Depth (M,) where rays (M, 3) leave the volume; rays that never meet it get the length of its diagonal."""
    sides = torch.tensor(shape, dtype=origins.dtype, device=origins.device)
    still = torch.where(directions == 0, torch.finfo(origins.dtype).tiny ** 0.5, directions)
    ends = torch.stack([-origins / still, (sides - origins) / still])
    enter, leave = ends.amin(0).amax(-1), ends.amax(0).amin(-1)
    diagonal = sides.norm() / directions.norm(dim=-1)
    return torch.where((leave > 0) & (leave > enter), leave, diagonal)


def _hint_colors(hints: Tensor, objects: Tensor) -> Tensor:
    """The hints (B, N + 1, 4) of the objects seen (B, R) as sRGB in [-1, 1] and 1 where there is a hint, (B, 4, R)."""
    mask = hints[..., 3:]
    table = torch.cat([(2 * srgb_from_linear(hints[..., :3]) - 1) * mask, mask], -1)
    return table.transpose(1, 2).gather(2, objects[:, None].expand(-1, 4, -1))

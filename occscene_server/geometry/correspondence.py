"""Correspondences between the views of a scene: which pixel of one view shows the place that another sees.

They are found in G-buffers, of triangles or of voxels, by a depth test against the plane that the other view sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from occscene.grid import SemanticGrid
from torch import Tensor

from occscene_server.geometry.ade20k import ADE20K, ade20k_class
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer, seen_pairs

MAX_SOURCES = 4
"""Other views that a view is compared with: those that see most of what it sees."""

_NEAREST = 0.05  # metres
_OFF_PLANE = 0.005
"""Metres, and share of the depth, that a point may lie off the plane that the other view sees."""
_BORDER = 0.015
"""Share of an image's side next to the outlines of objects that has no correspondences: edges never fit exactly."""
_SCOUT_SIDE = 64
_JUMP, _FLAT = 0.1, 0.99
"""Share of the depth between neighbours that makes an outline, unless the cosine of their normals is above this."""
_GLASS = frozenset(ADE20K.index_of(name) for name in ("windowpane", "mirror", "glass"))
"""Classes whose looks depend on the direction."""


@dataclass(frozen=True)
class Correspondences:
    """Where each pixel of V views lies in up to K others.

    Args:
        sources: (V, K) int64 views that each view is compared with.
        places: (V, K, h, w, 2) float32 columns and rows in [-1, 1] of the source, as `grid_sample` takes them.
        weights: (V, K, h, w) float32, how well the source shows the place: its pixels per area; 0 if it does not.
        own: (V, h, w) float32, the same of the view itself; 0 where nothing is seen.
        overlap: (V, V) share of a view's pixels (first index) that another sees.
    """

    sources: Tensor
    places: Tensor
    weights: Tensor
    own: Tensor
    overlap: Tensor

    @property
    def hub(self) -> int:
        """The view that shares most with the others."""
        shared = self.overlap.clone().fill_diagonal_(0)
        return int((shared.sum(0) + shared.sum(1)).argmax())

    @property
    def covisible(self) -> Tensor:
        """(V, h, w) bool: some other view sees the place."""
        return (self.weights > 0).any(1)


def correspondences(buffer: GBuffer, grid: SemanticGrid, cameras: CameraTensors) -> Correspondences:
    """Compares the V views of one scene.

    Args:
        buffer: (1, V, ...) of the scene.
        grid: whose table of objects the buffer's rows are, and whose axes its normals have.
        cameras: of the buffer.
    """
    views, size = _Views.of(buffer, grid, cameras), (buffer.depth.shape[-2], buffer.depth.shape[-1])
    count = len(views.depth)
    scouts = views.coarser(max(1, max(size) // _SCOUT_SIDE))
    overlap = torch.zeros(count, count)
    for target in range(count):
        for source in range(count):
            if source != target:
                _, weight = scouts.seen_from(target, source)
                overlap[target, source] = float((weight > 0).float().mean())
    kept = min(MAX_SOURCES, count - 1)
    sources = overlap.topk(kept, dim=1).indices if kept else torch.zeros(count, 0, dtype=torch.int64)
    pairs = [[views.seen_from(target, source) for source in row] for target, row in enumerate(sources.tolist())]
    places = [torch.stack([place for place, _ in row]) for row in pairs if row]
    weights = [torch.stack([weight for _, weight in row]) for row in pairs if row]
    shape = (count, kept, *size)
    return Correspondences(
        sources.to(views.depth.device),
        torch.stack(places) if places else views.depth.new_zeros(*shape, 2),
        torch.stack(weights) if weights else views.depth.new_zeros(shape),
        views.quality(),
        overlap,
    )


@dataclass(frozen=True)
class _Views:
    """V views as they are compared.

    Args:
        depth: (V, h, w) metres, inf where nothing is seen.
        normal: (V, 3, h, w) along the grid's axes.
        keys: (V, h, w) what is seen, 0 for nothing.
        usable: (V, h, w) bool: away from outlines and no glass.
        pose: (V, 4, 4) float64, from the camera to the grid's axes, metres.
        intrinsics: (V, 3, 3) float64 of an image of this size.
        facing: (V, h, w) cosine between the surface and the line of sight.
    """

    depth: Tensor
    normal: Tensor
    keys: Tensor
    usable: Tensor
    pose: Tensor
    intrinsics: Tensor
    facing: Tensor

    @classmethod
    def of(cls, buffer: GBuffer, grid: SemanticGrid, cameras: CameraTensors) -> _Views:
        depth, normal, labels, rows = buffer.depth[0], buffer.normal[0], buffer.labels[0], buffer.objects[0]
        device, size = depth.device, (depth.shape[-2], depth.shape[-1])
        pose = torch.linalg.inv(torch.from_numpy(grid.world_from_grid).to(device)) @ cameras.world_from_camera[0]
        intrinsics = cameras.scaled_intrinsics(size)[0]
        rays = torch.einsum("vij,vhwj->vihw", pose[:, :3, :3], _directions(intrinsics, size)).float()
        facing = -(normal * F.normalize(rays, dim=1)).sum(1)
        pairs, index = seen_pairs(buffer)
        names = ["", *(item.name for item in grid.objects)]
        glass = torch.tensor(
            [ade20k_class(grid.taxonomy, label, names[row]) in _GLASS for label, row in pairs.tolist()], device=device
        )
        reach = max(1, round(_BORDER * max(size)))
        usable = ~_grown(_outlines(depth, normal, labels * 65536 + rows), reach) & ~glass[index]
        keys = (index + 1) * torch.isfinite(depth)
        return cls(depth, normal, keys, usable, pose, intrinsics, facing.clamp_min(0))

    def coarser(self, step: int) -> _Views:
        """Every n-th pixel of each view."""
        part = slice(step // 2, None, step)
        intrinsics = self.intrinsics.clone()
        intrinsics[:, :2] /= step
        return _Views(
            self.depth[:, part, part], self.normal[:, :, part, part], self.keys[:, part, part],
            self.usable[:, part, part], self.pose, intrinsics, self.facing[:, part, part],
        )  # fmt: skip

    def quality(self) -> Tensor:
        """(V, h, w) pixels per area of the surface, up to a factor; 0 where nothing is seen."""
        return torch.where(torch.isfinite(self.depth), self.facing / self.depth.square(), 0.0)

    def seen_from(self, target: int, source: int) -> tuple[Tensor, Tensor]:
        """Places (h, w, 2) in the source of what the target sees, and weights (h, w)."""
        height, width = self.depth.shape[1:]
        depth = torch.where(torch.isfinite(self.depth[target]), self.depth[target], 1.0).double()
        local = depth[..., None] * _directions(self.intrinsics[target : target + 1], (height, width))[0]
        across = torch.linalg.inv(self.pose[source]) @ self.pose[target]
        x, y, z = (local @ across[:3, :3].T + across[:3, 3]).unbind(-1)
        safe = torch.where(z > _NEAREST, z, 1.0)
        focal, center = self.intrinsics[source, (0, 1), (0, 1)], self.intrinsics[source, :2, 2]
        column, row = focal[0] * x / safe + center[0], focal[1] * y / safe + center[1]
        inside = (z > _NEAREST) & (column > 0.5) & (column < width - 0.5) & (row > 0.5) & (row < height - 0.5)
        at = (row.long().clamp(0, height - 1), column.long().clamp(0, width - 1))
        # where the line of sight through the place meets the plane that the nearest pixel shows
        normal = torch.einsum("ji,jhw->ihw", self.pose[source, :3, :3], self.normal[source].double())[:, *at]
        met = self.depth[source][at].double()
        seen = torch.stack([(at[1] + 0.5 - center[0]) / focal[0], (at[0] + 0.5 - center[1]) / focal[1],
                            torch.ones_like(z)])  # fmt: skip
        point = torch.stack([x, y, z])
        away = (normal * (point - torch.where(torch.isfinite(met), met, 0.0) * seen)).sum(0).abs()
        visible = (
            inside
            & (away < _OFF_PLANE * (1 + z.abs()))
            & (self.keys[source][at] == self.keys[target])
            & (self.keys[target] > 0)
            & self.usable[target]
            & self.usable[source][at]
        )
        toward = -(normal * F.normalize(point, dim=0)).sum(0).clamp(max=0)
        # the target's own surface must look at the source too: a thin wall has two sides
        own = torch.einsum("ji,jhw->ihw", self.pose[source, :3, :3], self.normal[target].double())
        visible &= (own * normal).sum(0) > 0.5
        weight = torch.where(visible, toward / safe.square(), 0.0)
        places = torch.stack([2 * column / width - 1, 2 * row / height - 1], -1)
        return places.float(), weight.float()


def _directions(intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """Rays (V, h, w, 3) float64 through the pixels' centres, 1 deep, in the cameras' axes."""
    x = torch.arange(size[1], dtype=torch.float64, device=intrinsics.device) + 0.5
    y = torch.arange(size[0], dtype=torch.float64, device=intrinsics.device) + 0.5
    columns = (x - intrinsics[:, 0, 2, None]) / intrinsics[:, 0, 0, None]
    rows = (y - intrinsics[:, 1, 2, None]) / intrinsics[:, 1, 1, None]
    shape = (len(intrinsics), *size)
    return torch.stack(
        [columns[:, None].expand(shape), rows[:, :, None].expand(shape), torch.ones(shape, device=x.device).double()],
        -1,
    )


def _outlines(depth: Tensor, normal: Tensor, keys: Tensor) -> Tensor:
    """(V, h, w) bool: a neighbour shows something else, or the same far behind."""
    edge = torch.zeros_like(depth, dtype=torch.bool)
    for axis in (1, 2):
        length = depth.shape[axis] - 1
        (here, there), (own, other) = ((maps.narrow(axis, 0, length), maps.narrow(axis, 1, length))
                                       for maps in (depth, keys))  # fmt: skip
        along, next_to = normal.narrow(axis + 1, 0, length), normal.narrow(axis + 1, 1, length)
        jumps = (here - there).abs() > _JUMP * torch.minimum(here, there)  # false where one of them is inf
        flat = (along * next_to).sum(1) > _FLAT
        differs = (own != other) | (jumps & ~flat)
        edge.narrow(axis, 0, length).logical_or_(differs)
        edge.narrow(axis, 1, length).logical_or_(differs)
    return edge


def _grown(mask: Tensor, reach: int) -> Tensor:
    return F.max_pool2d(mask.float()[:, None], 2 * reach + 1, 1, reach)[:, 0] > 0

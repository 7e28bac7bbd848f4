"""G-buffers of triangles: what the ray through the centre of every pixel meets, by Embree.

A scene's triangles are sorted into a `RayScene` once and then rendered for any number of cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR, TAXONOMIES
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.coplanar import SAME_PLACE, find_contested
from occscene_server.geometry.embree import embree_scene
from occscene_server.geometry.footprints import pixel_footprint
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import rows_of_ids
from occscene_server.geometry.leaves import Leaves, leaves_of
from occscene_server.geometry.materials import LEAVES, known_materials
from occscene_server.geometry.mesh_parts import PART_FACTS, mesh_parts, part_sizes
from occscene_server.geometry.sunlight import SUNLIGHT, sunlight
from occscene_server.geometry.surface_frames import surface_corners

Floats = NDArray[np.float64]

_WINDOW = INDOOR.index_of("window")
_NEAREST_LEAF = 0.5
"""Metres of depth from which on leaves are seen."""


class RayScene:
    """A scene's triangles and the leaves that grow on them, ready for ray casts.

    Args:
        mesh: world metres.
        grid: of the same scene. Its axes are those of the normals, and its table of objects gives the rows; ids that it
            does not have count as id 0.
        sun: (3,) unit vector towards it in the world; None where it is not known.
    """

    def __init__(self, mesh: TriangleMesh, grid: SemanticGrid, sun: Floats | None = None) -> None:
        self.world_from_grid = grid.world_from_grid
        rotation, origin = self.world_from_grid[:3, :3], self.world_from_grid[:3, 3]
        vertices = (mesh.vertices - origin) @ rotation
        corners = vertices[mesh.triangles]  # (T, 3, 3) along the grid's axes
        edges = corners[:, 1:] - corners[:, :1]
        normal = np.cross(edges[:, 0], edges[:, 1])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        surface = surface_corners(mesh, grid)
        along = surface[:, 1:] - surface[:, :1]
        parts = mesh_parts(mesh, corners)
        table = np.concatenate([normal, surface[:, 0], along[:, 0], along[:, 1], parts.facts], axis=1)
        rows = rows_of_ids(grid.objects)[mesh.object_ids]
        keys = np.stack([mesh.labels, rows, parts.number + 1, known_materials(mesh)], axis=1)
        leaves = leaves_of(grid.taxonomy, mesh.labels, mesh.object_ids, corners)
        more_table, more_keys = _of_leaves(leaves, table, keys)
        self._solid = len(mesh.triangles)
        # a last column for rays that meet nothing
        self._table = _columns(np.float32, table, more_table)
        self._keys = _columns(np.int64, keys, more_keys)
        self._rays = embree_scene(  # the fewer vertices, the sooner it is made
            np.concatenate([parts.vertices, leaves.corners.reshape(-1, 3)]),
            np.concatenate([parts.triangles, np.arange(leaves.seat.size * 3).reshape(-1, 3) + len(parts.vertices)]),
        )
        self._sun = None if sun is None else (sun @ rotation).astype(np.float32)
        self._is_room = grid.taxonomy == INDOOR.name
        self._order = _display_order(mesh, grid, edges)
        contested = find_contested(corners, normal, self._order)
        self._covered = np.append(contested.covered, np.zeros(len(leaves.seat), np.bool_))
        self._layers = [
            (rows, embree_scene(corners[rows].reshape(-1, 3), np.arange(3 * len(rows)).reshape(-1, 3)))
            for rows in (
                np.flatnonzero(contested.layer == layer) for layer in range(1, contested.layer.max(initial=0) + 1)
            )
        ]

    def __len__(self) -> int:
        """How many triangles there are, leaves included."""
        return self._keys.shape[1] - 1

    def view(self, pose: Floats, intrinsics: Floats, size: tuple[int, int]) -> dict[str, Tensor]:
        """One camera's maps, named as in `GBuffer`, without the batch and the view.

        Args:
            pose: (4, 4) from the camera to the grid's axes, metres.
            intrinsics: (3, 3) for an image of `size`.
            size: (height, width) in pixels.
        """
        rays = _rays(pose, intrinsics, size)
        starts = np.broadcast_to(pose[:3, 3].astype(np.float32), rays.shape)
        hit = {name: torch.from_numpy(values) for name, values in self._cast_past_leaves(starts, rays).items()}
        index = hit["primID"].long()
        missed = index < 0
        index[missed] = len(self)
        seen = self._table.index_select(1, index)
        normal, corner, first, second = seen[:12].view(4, 3, -1)
        normal = torch.where((normal * torch.from_numpy(rays).T).sum(0) > 0, -normal, normal)
        surface = corner.addcmul(first, hit["u"]).addcmul_(second, hit["v"])
        depth = hit["tfar"].masked_fill_(missed, 0).view(size)
        in_camera = (torch.from_numpy(pose[:3, :3].T).float() @ normal).view(3, *size)
        keys = self._keys.index_select(1, index)
        return {
            "labels": keys[0].view(size),
            "objects": keys[1].view(size),
            "depth": torch.where(missed.view(size), torch.inf, depth),
            "normal": normal.view(3, *size),
            "surface": surface.view(3, *size),
            "footprint": pixel_footprint(in_camera, depth, torch.from_numpy(intrinsics)),
            "parts": keys[2].view(size),
            "materials": keys[3].view(size),
            "shape": seen[12:].view(PART_FACTS, *size),
            "sunlight": self._sunlight(starts, rays, hit["tfar"], normal, missed).view(SUNLIGHT, *size),
        }

    def _sunlight(
        self, starts: NDArray[np.float32], rays: NDArray[np.float32], depth: Tensor, normal: Tensor, missed: Tensor
    ) -> Tensor:
        """(`SUNLIGHT`, R) of what rays (R, 3) see at a depth (R,), with normals (3, R)."""
        maps = torch.zeros(SUNLIGHT, len(rays))
        if self._sun is not None:
            maps[0] = 1.0
            seen = np.flatnonzero(~missed.numpy())
            points = starts[seen] + depth.numpy()[seen, None] * rays[seen]
            light = sunlight(points, normal.T.numpy()[seen], self._sun, self._hides_sun)
            maps[1, seen] = torch.from_numpy(light)
        return maps

    def _hides_sun(self, starts: NDArray[np.float32], rays: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(R,) whether something is in the way of rays to the sun; in a room all but what meets a window first."""
        hidden: NDArray[np.bool_]
        if self._is_room:
            hidden = self._keys[0].numpy()[self._cast(starts, rays)["primID"]] != _WINDOW
        else:
            hidden = self._rays.run(starts, rays, query="OCCLUDED") == 0
        return hidden

    def _cast_past_leaves(self, starts: NDArray[np.float32], rays: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """`_cast`, looking past leaves right in front of the camera, of which one alone would fill the image."""
        hit = self._cast(starts, rays)
        near = np.flatnonzero((hit["primID"] >= self._solid) & (hit["tfar"] < _NEAREST_LEAF))
        if len(near):
            beyond = self._cast(starts[near] + np.float32(_NEAREST_LEAF) * rays[near], rays[near])
            for name, values in beyond.items():
                hit[name][near] = values + np.float32(_NEAREST_LEAF) if name == "tfar" else values
        return hit

    def _cast(self, starts: NDArray[np.float32], rays: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """The triangle "primID" (R,) that is seen, -1 for none, its barycentrics "u" and "v", and the depth "tfar"."""
        if not len(self):
            zeros = np.zeros(len(rays), np.float32)
            return {"primID": np.full(len(rays), -1, np.int32), "tfar": zeros, "u": zeros, "v": zeros}
        hit: dict[str, NDArray[Any]] = self._rays.run(starts, rays, output=True)
        for triangles, scene in self._layers:
            self._cover(hit, triangles, scene, starts, rays)
        return hit

    def _cover(
        self,
        hit: dict[str, NDArray[Any]],
        triangles: NDArray[np.int64],
        scene: EmbreeScene,
        starts: NDArray[np.float32],
        rays: NDArray[np.float32],
    ) -> None:
        """Puts hits of the triangles of one layer in place of those of lower ones that are as near."""
        primitives = hit["primID"]
        pixels = np.flatnonzero((primitives >= 0) & self._covered[primitives])
        if not len(pixels):
            return
        over = scene.run(starts[pixels], rays[pixels], output=True)
        met = over["primID"] >= 0
        index, old = triangles[np.where(met, over["primID"], 0)], primitives[pixels]
        normal = self._table[:3, old].numpy()
        apart = np.abs((over["tfar"] - hit["tfar"][pixels]) * (normal * rays[pixels].T).sum(0))
        shown = met & (apart <= SAME_PLACE) & (self._order[index] > self._order[old])
        primitives[pixels[shown]] = index[shown]
        for name in ("tfar", "u", "v"):
            hit[name][pixels[shown]] = over[name][shown]


def mesh_gbuffer(scenes: Sequence[RayScene], cameras: CameraTensors, size: tuple[int, int]) -> GBuffer:
    """Draws B scenes of triangles as V cameras each see them, on one core; the maps are where the cameras are.

    Args:
        scenes: of the batch.
        cameras: of the same batch.
        size: rows and columns of the maps.
    """
    intrinsics = cameras.scaled_intrinsics(size).cpu().numpy()
    poses = cameras.world_from_camera.cpu().numpy()
    views = [
        scene.view(np.linalg.inv(scene.world_from_grid) @ pose, matrix, size)
        for scene, its_poses, matrices in zip(scenes, poses, intrinsics, strict=True)
        for pose, matrix in zip(its_poses, matrices, strict=True)
    ]
    maps = {name: torch.stack([view[name] for view in views]).to(cameras.intrinsics.device) for name in views[0]}
    shape = (len(scenes), cameras.views)
    return GBuffer(**{name: values.view(*shape, *values.shape[1:]) for name, values in maps.items()})


def _columns(kind: type[np.generic], *tables: NDArray[Any]) -> Tensor:
    """The rows of tables (N, C) as columns of one, (C, all N + 1); the last is zeros."""
    result = np.zeros((tables[0].shape[1], sum(map(len, tables)) + 1), kind)
    np.concatenate(tables, out=result[:, :-1].T, casting="unsafe")
    return torch.from_numpy(result)


def _of_leaves(leaves: Leaves, table: Floats, keys: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """The rows of a scene's tables that are of leaves, from those of its triangles: each is a part of its own."""
    seat, corners = leaves.seat, leaves.corners
    edges = corners[:, 1:] - corners[:, :1]
    normal = np.cross(edges[:, 0], edges[:, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    beginning, first, second = table[seat, 3:12].reshape(-1, 3, 3).swapaxes(0, 1)
    place = beginning + leaves.place[:, :1] * first + leaves.place[:, 1:] * second
    along = np.zeros((2, len(seat), 3))  # flat, its own axes in those of what it grows on
    along[0, :, 0] = np.linalg.norm(edges[:, 0], axis=1)
    along[1, :, 0] = (edges[:, 0] * edges[:, 1]).sum(1) / np.maximum(along[0, :, 0], 1e-12)
    along[1, :, 1] = np.sqrt(np.maximum((edges[:, 1] ** 2).sum(1) - along[1, :, 0] ** 2, 0))
    facts = np.concatenate([part_sizes(leaves.deviations), table[seat, -1:]], axis=1)
    numbers = keys[:, 2].max(initial=0) + 1 + np.arange(len(seat))
    return (
        np.concatenate([normal, place, *along, facts], axis=1),
        np.column_stack([keys[seat, :2], numbers, np.full(len(seat), LEAVES)]),
    )


def _display_order(mesh: TriangleMesh, grid: SemanticGrid, edges: Floats) -> NDArray[np.int64]:
    """(T,) rank of each triangle's object: of those in one place the highest is shown."""
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    objects, index = np.unique(mesh.object_ids.astype(np.int64) * 256 + mesh.labels, return_inverse=True)
    sizes = np.bincount(index, area, len(objects)).round(6)  # twins are equally large, whatever the order of summing
    taxonomy = TAXONOMIES.get(grid.taxonomy)
    priority = np.zeros(256)
    if taxonomy is not None:
        priority[: len(taxonomy)] = [entry.priority for entry in taxonomy.classes]
    ranks = np.empty(len(objects), np.int64)
    ranks[np.lexsort((objects, -sizes, priority[objects % 256]))] = np.arange(len(objects))
    return ranks[index]


def _rays(pose: Floats, intrinsics: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """(h * w, 3) through the centres of pixels along the axes of `pose`, as long as 1 m of depth."""
    x = (np.arange(size[1]) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(size[0]) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    rays = y[:, None, None] * pose[:3, 1] + (x[:, None] * pose[:3, 0] + pose[:3, 2])
    return rays.reshape(-1, 3).astype(np.float32)

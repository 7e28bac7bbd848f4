"""G-buffers of triangles: what the ray through the centre of every pixel meets, by Embree.

A scene's triangles are sorted into a `RayScene` once and then looked at by any number of cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from embreex.mesh_construction import TriangleMesh as EmbreeMesh
from embreex.rtcore import EmbreeDevice
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.footprints import pixel_footprint
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import rows_of_ids
from occscene_server.geometry.surface_frames import surface_corners

Floats = NDArray[np.float64]


class RayScene:
    """A scene's triangles, ready to be looked at.

    Args:
        mesh: world metres.
        grid: of the same scene. Its axes are those of the normals, and its table of objects gives the rows; ids that it
            does not have are told apart no more than id 0.
    """

    def __init__(self, mesh: TriangleMesh, grid: SemanticGrid) -> None:
        self.world_from_grid = grid.world_from_grid
        rotation, origin = self.world_from_grid[:3, :3], self.world_from_grid[:3, 3]
        corners = ((mesh.vertices - origin) @ rotation)[mesh.triangles]  # (T, 3, 3) along the grid's axes
        edges = corners[:, 1:] - corners[:, :1]
        normal = np.cross(edges[:, 0], edges[:, 1])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        surface = surface_corners(mesh, grid)
        along = surface[:, 1:] - surface[:, :1]
        # a last row for rays that meet nothing
        table = np.zeros((len(corners) + 1, 12), np.float32)
        table[:-1] = np.concatenate([normal, surface[:, 0], along[:, 0], along[:, 1]], axis=1)
        keys = np.zeros((len(corners) + 1, 2), np.int64)
        keys[:-1, 0], keys[:-1, 1] = mesh.labels, rows_of_ids(grid.objects)[mesh.object_ids]
        self._table, self._keys = torch.from_numpy(table), torch.from_numpy(keys)
        self._embree = _embree_scene(corners)

    def __len__(self) -> int:
        """How many triangles there are."""
        return len(self._keys) - 1

    def view(self, pose: Floats, intrinsics: Floats, size: tuple[int, int]) -> dict[str, Tensor]:
        """One camera's maps, named as in `GBuffer`, without the batch and the view.

        Args:
            pose: (4, 4) from the camera to the grid's axes, metres.
            intrinsics: (3, 3) for an image of `size`.
            size: (height, width) in pixels.
        """
        rays = _rays(pose, intrinsics, size)
        starts = np.broadcast_to(pose[:3, 3].astype(np.float32), rays.shape)
        hit = {name: torch.from_numpy(values) for name, values in self._cast(starts, rays).items()}
        index = hit["primID"].long()
        missed = index < 0
        index[missed] = len(self)
        normal, corner, first, second = self._table[index].T.view(4, 3, -1)
        normal = torch.where((normal * torch.from_numpy(rays).T).sum(0) > 0, -normal, normal)
        surface = corner.addcmul(first, hit["u"]).addcmul_(second, hit["v"])
        depth = hit["tfar"].masked_fill_(missed, 0).view(size)
        in_camera = (torch.from_numpy(pose[:3, :3].T).float() @ normal).view(3, *size)
        keys = self._keys[index].T
        return {
            "labels": keys[0].view(size),
            "objects": keys[1].view(size),
            "depth": torch.where(missed.view(size), torch.inf, depth),
            "normal": normal.view(3, *size),
            "surface": surface.view(3, *size),
            "footprint": pixel_footprint(in_camera, depth, torch.from_numpy(intrinsics)),
        }

    def _cast(self, starts: NDArray[np.float32], rays: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        if len(self):
            found: dict[str, NDArray[Any]] = self._embree.run(starts, rays, output=True)
            return found
        zeros = np.zeros(len(rays), np.float32)
        return {"primID": np.full(len(rays), -1, np.int32), "tfar": zeros, "u": zeros, "v": zeros}


def mesh_gbuffer(scenes: Sequence[RayScene], cameras: CameraTensors, size: tuple[int, int]) -> GBuffer:
    """Draws B scenes of triangles as V cameras each see them.

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
    maps = {name: torch.stack([view[name] for view in views]) for name in views[0]}
    shape = (len(scenes), cameras.views)
    return GBuffer(**{name: values.view(*shape, *values.shape[1:]) for name, values in maps.items()})


def _rays(pose: Floats, intrinsics: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """(h * w, 3) through the centres of pixels along the axes of `pose`, as long as 1 m of depth."""
    x = (np.arange(size[1]) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(size[0]) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    rays = y[:, None, None] * pose[:3, 1] + (x[:, None] * pose[:3, 0] + pose[:3, 2])
    return rays.reshape(-1, 3).astype(np.float32)


@cache
def _device() -> EmbreeDevice:
    return EmbreeDevice()


def _embree_scene(corners: Floats) -> EmbreeScene:
    scene = EmbreeScene(_device(), robust=True)  # rays do not slip through where triangles meet
    if len(corners):
        indices = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
        EmbreeMesh(scene, corners.reshape(-1, 3).astype(np.float32), indices)
    return scene

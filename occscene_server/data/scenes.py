"""Rendered scenes in memory, and batches of them with the symmetries of a room as augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from occscene.taxonomy import TAXONOMIES
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, scenes_of_split
from occscene_server.geometry.cameras import CameraTensors, grid_from_camera
from occscene_server.geometry.grids import GridTensors, VolumeTensors


@dataclass(frozen=True)
class SceneBatch:
    """B scenes of V views.

    Args:
        views: (B, V, height, width, 3) uint8 sRGB.
        occupancy: the true grids, without instances.
        blockout: the artist's grids, with instances and colour hints.
        cameras: of the views.
    """

    views: Tensor
    occupancy: GridTensors
    blockout: GridTensors
    cameras: CameraTensors

    def to(self, device: str) -> SceneBatch:
        """The batch on a device."""
        return SceneBatch(
            self.views.to(device), self.occupancy.to(device), self.blockout.to(device), self.cameras.to(device)
        )


class SceneSet:
    """All scenes of one split, held in memory (about 0.9 MB a scene of four 256 x 256 views, 3.3 MB at 512 x 512).

    Args:
        root: folder that the studio rendered into.
        split: "train", "validation" or "test".
        limit: only the first N scenes; None for all.

    Raises:
        ValueError: there is no finished scene of that split below `root`.
    """

    def __init__(self, root: Path, split: str, limit: int | None = None) -> None:
        with ThreadPoolExecutor(4) as pool:
            scenes = list(pool.map(read_scene, scenes_of_split(root, split, limit)))
        self.infos: list[SceneInfo] = [scene.info for scene in scenes]
        self.views = torch.stack([torch.from_numpy(scene.views) for scene in scenes])  # (N, V, H, W, 3)
        self._batch = _stack(scenes, self.views)

    def __len__(self) -> int:
        return len(self.infos)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the scenes' grids along x, y and z."""
        return self._batch.occupancy.volume.shape

    @property
    def classes(self) -> int:
        """How many classes the scenes' grids have."""
        return len(TAXONOMIES[self.infos[0].domain])

    def with_views(self, views: Tensor) -> SceneSet:
        """The first scenes, as many as there are views of: (scenes, V, height, width, 3) uint8 in place of theirs."""
        some = copy(self)
        some.infos, some.views = self.infos[: len(views)], views
        some._batch = replace(self.batch(range(len(views))), views=views)
        return some

    def batch(self, indices: Sequence[int], symmetry: tuple[bool, int] = (False, 0)) -> SceneBatch:
        """The scenes at `indices`, mirrored and turned about the vertical by `symmetry` = (mirror, quarter turns)."""
        rows = torch.as_tensor(indices)
        whole = self._batch
        batch = SceneBatch(
            whole.views[rows],
            whole.occupancy.of_scenes(rows),
            whole.blockout.of_scenes(rows),
            whole.cameras.of_scenes(rows),
        )
        mirror, turns = symmetry
        return turned(mirrored(batch) if mirror else batch, turns)


def _stack(scenes: Sequence[RenderedScene], views: Tensor) -> SceneBatch:
    return SceneBatch(
        views,
        GridTensors.from_grids([scene.occupancy.without_instances() for scene in scenes]),
        GridTensors.from_grids([scene.blockout for scene in scenes]),
        CameraTensors.from_cameras([scene.cameras for scene in scenes]),
    )


def mirrored(batch: SceneBatch, axis: int = 0) -> SceneBatch:
    """The batch seen in a mirror that stands across an axis of the grids, x by default; images left to right."""
    intrinsics = batch.cameras.intrinsics.clone()
    intrinsics[..., 0, 2] = batch.cameras.width - intrinsics[..., 0, 2]
    across = torch.ones(4, dtype=torch.float64)
    across[axis] = -1
    image = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    volume = batch.occupancy.volume
    pose = torch.diag(across) @ _centered_pose(batch.cameras, volume) @ image
    return SceneBatch(
        batch.views.flip(3),
        _map_voxels(batch.occupancy, lambda voxels: voxels.flip(1 + axis)),
        _map_voxels(batch.blockout, lambda voxels: voxels.flip(1 + axis)),
        replace(batch.cameras, intrinsics=intrinsics, world_from_camera=_from_centered(volume, pose)),
    )


def turned(batch: SceneBatch, turns: int) -> SceneBatch:
    """The batch turned by `turns` quarter turns about the vertical axis through the grids' centre (square grids)."""
    if turns % 4 == 0:
        return batch
    return SceneBatch(
        batch.views,
        _map_voxels(batch.occupancy, lambda voxels: voxels.rot90(turns, (1, 2))),
        _map_voxels(batch.blockout, lambda voxels: voxels.rot90(turns, (1, 2))),
        turned_cameras(batch.cameras, batch.occupancy.volume, turns),
    )


def turned_cameras(cameras: CameraTensors, volume: VolumeTensors, turns: int) -> CameraTensors:
    """Cameras turned with what stands in `volume` by quarter turns about the vertical axis through its centre."""
    rotation = torch.eye(4, dtype=torch.float64)
    rotation[:3, :3] = quarter_turns(turns)
    pose = rotation @ _centered_pose(cameras, volume)
    return replace(cameras, world_from_camera=_from_centered(volume, pose))


def quarter_turns(turns: int) -> Tensor:
    """The rotation (3, 3) float64 of directions along the grid's axes by quarter turns about the vertical."""
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns % 4]
    return torch.tensor([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=torch.float64)


def _half_size(volume: VolumeTensors) -> Tensor:
    return volume.size.double()[:, None] / 2  # (B, 1, 3)


def _centered_pose(cameras: CameraTensors, volume: VolumeTensors) -> Tensor:
    """Camera poses in the grid's axes, origin at the grid's centre, (B, V, 4, 4)."""
    pose = grid_from_camera(cameras, volume).clone()
    pose[..., :3, 3] -= _half_size(volume)
    return pose


def _from_centered(volume: VolumeTensors, pose: Tensor) -> Tensor:
    pose = pose.clone()
    pose[..., :3, 3] += _half_size(volume)
    return volume.world_from_grid[:, None] @ pose


def _map_voxels(grids: GridTensors, change: object) -> GridTensors:
    assert callable(change)
    instances = None if grids.instances is None else change(grids.instances).contiguous()
    return replace(grids, labels=change(grids.labels).contiguous(), instances=instances)

"""What the pixels of a scene's views see of a grid: classes, objects and depth, by exact voxel traversal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import first_hit


@dataclass(frozen=True)
class SeenMaps:
    """Maps of one scene's views.

    Args:
        labels: (V, h, w) int64 class seen, 0 where nothing is seen.
        objects: (V, h, w) int64 id of the object seen, 0 for none.
        depth: (V, h, w) float32, metres along the camera's z axis, inf where nothing is seen.
    """

    labels: Tensor
    objects: Tensor
    depth: Tensor


def seen_maps(grid: SemanticGrid, cameras: Sequence[PinholeCamera], size: tuple[int, int]) -> SeenMaps:
    """Ray-marches a grid.

    Args:
        grid: of any taxonomy; unknown voxels are looked through.
        cameras: V views of one image size.
        size: (h, w) of the maps.
    """
    tensors = GridTensors.from_grids([grid])
    origins, directions = pixel_rays(CameraTensors.from_cameras([cameras]), tensors.volume, size)
    shape = directions.shape[1:4]  # (V, h, w)
    origins = origins[:, :, None].expand(-1, -1, shape[1] * shape[2], -1).reshape(1, -1, 3)
    hit = first_hit(tensors.occupied(), origins, directions.reshape(1, -1, 3))
    seen, index = hit.index[0] >= 0, hit.index[0].clamp_min(0)

    def under(volume: Tensor) -> Tensor:
        return volume.flatten()[index].long().masked_fill(~seen, 0).view(shape)

    labels = under(tensors.labels)
    instances = grid.instances
    objects = torch.zeros_like(labels) if instances is None else under(torch.from_numpy(instances.astype("int32")))
    return SeenMaps(labels, objects, hit.depth[0].view(shape))

"""A closed room with furniture, seen from its corners."""

from __future__ import annotations

import numpy as np
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.taxonomy import INDOOR
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.geometry.surface_noise import value_noise
from tests.occscene_server.geometry.random_scenes import looking_at

CORNERS = ((0.6, 0.7, 1.7), (3.4, 0.8, 1.6), (3.3, 3.4, 1.8), (0.8, 3.2, 1.5))


def closed_room() -> SemanticGrid:
    """4 x 4 x 2.6 m; a sofa and a table are objects."""
    labels, ids = np.zeros((40, 40, 26), np.uint8), np.zeros((40, 40, 26), np.uint16)
    labels[[0, -1]] = labels[:, [0, -1]] = INDOOR.index_of("wall")
    labels[:, :, 0], labels[:, :, -1] = INDOOR.index_of("floor"), INDOOR.index_of("ceiling")
    for number, name, part in ((1, "sofa", np.s_[14:27, 30:39, 1:8]), (2, "table", np.s_[16:24, 17:22, 1:6])):
        labels[part], ids[part] = INDOOR.index_of(name), number
    objects = (GridObject(1, "sofa"), GridObject(2, "table"))
    return SemanticGrid(labels, 0.1, np.eye(4), "indoor", ids, objects)


def corner_cameras(count: int = 4, side: int = 64) -> list[PinholeCamera]:
    """Cameras in the corners of the room, which look at its middle."""
    return [
        PinholeCamera(str(index), side, side, 0.62 * side, 0.62 * side, side / 2, side / 2,
                      looking_at(corner, (2.0, 2.0, 0.9)))
        for index, corner in enumerate(CORNERS[:count])
    ]  # fmt: skip


def room_buffer(cameras: list[PinholeCamera], size: tuple[int, int]) -> tuple[GBuffer, CameraTensors]:
    """The room's G-buffer for cameras, at a size."""
    tensors = CameraTensors.from_cameras([cameras])
    return scene_gbuffer(GridTensors.from_grids([closed_room()]), (), tensors, size), tensors


def textured(buffer: GBuffer) -> Tensor:
    """Images (V, 3, h, w) in [-1, 1] of smooth patterns that lie on the surfaces: views that agree."""
    places = buffer.surface[0][:, :2]
    keys = (buffer.labels[0] * 64 + buffer.objects[0] * 8 + (buffer.normal[0].sum(1) > 0)).int()
    axis = buffer.normal[0].abs().argmax(1).int()
    waves = [value_noise(places, keys * 97 + axis * 31 + channel, 0.35) for channel in range(3)]
    return torch.stack(waves, 1).clamp(-1, 1)

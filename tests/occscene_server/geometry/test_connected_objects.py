"""Blockouts of labels only: what hangs together is an object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from occscene.grid import UNKNOWN, GridObject, SemanticGrid

from occscene_server.geometry.connected_objects import with_connected_objects
from occscene_server.geometry.fusion import fuse
from occscene_server.geometry.grids import GridTensors
from tests.occscene_server.detailed_room import detailed_room


def grid(labels: np.ndarray) -> SemanticGrid:
    return SemanticGrid(labels, 0.1, np.eye(4), "indoor")


def test_parts_of_a_class_are_objects() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[0:2, 0, 0] = labels[2, 1, 1] = 5  # corners touch
    labels[6, 6, 6] = 5
    labels[6, 6, 7] = 4
    labels[0, 7, 7] = UNKNOWN
    made = with_connected_objects(grid(labels))
    assert made.instances is not None
    assert made.instances[0, 0, 0] == made.instances[2, 1, 1] != 0
    assert len({int(made.instances[place]) for place in ((0, 0, 0), (6, 6, 6), (6, 6, 7))}) == 3
    np.testing.assert_array_equal(made.instances > 0, (labels > 0) & (labels != UNKNOWN))
    assert len(made.objects) == 3


def test_objects_that_are_there_stay() -> None:
    labels = np.full((4, 4, 4), 3, np.uint8)
    instances = np.zeros((4, 4, 4), np.uint16)
    instances[0] = 2
    given = replace(grid(labels), instances=instances, objects=(GridObject(2, "Sofa", (1.0, 0.0, 0.0)),))
    made = with_connected_objects(given)
    assert made.instances is not None
    assert (made.instances[0] == 2).all()
    assert (made.instances[1:] == 1).all()
    assert made.objects[0] == given.objects[0]
    assert with_connected_objects(made) is made


def test_noise_of_too_many_parts_stays_as_it_is() -> None:
    labels = np.zeros((128, 128, 64), np.uint8)
    labels[::2, ::2, ::2] = 1
    labels[1::2, 1::2, 1::2] = 2
    assert with_connected_objects(grid(labels)).instances is None


def test_legs_of_a_file_of_labels_are_kept() -> None:
    room, _ = detailed_room()
    placed = GridTensors.from_grids([with_connected_objects(room.without_instances())])
    nothing = torch.zeros(1, 12, *placed.labels.shape[1:])
    nothing[:, 0] = 9.0
    kept = fuse(placed, placed.labels * 0, nothing)[0].numpy()
    assert room.instances is not None
    for obj in room.objects:
        if obj.name in ("table", "bars", "lamp pole", "pipe", "letters", "rail", "chair 1"):
            mine = room.instances == obj.id
            np.testing.assert_array_equal(kept[mine], room.labels[mine])

"""Carving of an artist's boxes."""

from __future__ import annotations

import numpy as np
import torch
from occscene.grid import GridObject, SemanticGrid

from occscene_server.geometry.carving import carve
from occscene_server.geometry.grids import GridTensors

SOFA, CHAIR, WALL = 7, 5, 3


def room(instances: bool = True) -> GridTensors:
    """A wall two voxels thin, a sofa of 6 x 6 x 6 and two chairs of 4 x 4 x 4."""
    labels, numbers = np.zeros((20, 20, 12), np.uint8), np.zeros((20, 20, 12), np.uint16)
    boxes = ((WALL, (0, 0, 0), (20, 2, 12)), (SOFA, (2, 4, 0), (8, 10, 6)), (CHAIR, (10, 4, 0), (14, 8, 4)))
    for number, (kind, low, high) in enumerate((*boxes, (CHAIR, (10, 12, 0), (14, 16, 4))), start=1):
        box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        labels[box], numbers[box] = kind, number
    objects = tuple(GridObject(number, f"box {number}") for number in range(1, 5))
    grid = SemanticGrid(labels, 0.1, np.eye(4), "indoor", *((numbers, objects) if instances else ()))
    return GridTensors.from_grids([grid])


def test_what_is_perceived_as_empty_is_carved_away() -> None:
    placed = room()
    perceived = placed.labels.clone()
    perceived[0, 2:8, 4:8, 3:6] = 0  # above the seat
    perceived[0, 5, 9, 1] = CHAIR  # another class is no reason
    perceived[0, 16:, 16:] = SOFA  # nor does anything grow
    expected = placed.labels.clone()
    expected[0, 2:8, 4:8, 3:6] = 0
    torch.testing.assert_close(carve(placed, perceived), expected)


def test_objects_that_perception_loses_and_thin_ones_stay_whole() -> None:
    placed = room()
    perceived = placed.labels.clone()
    perceived[0, :, :2, 6:] = 0  # half of the thin wall
    perceived[0, 10:14, 4:8] = 0  # one chair
    perceived[0, 10:14, 12:16, 1:] = 0  # three quarters of the other
    expected = placed.labels.clone()
    expected[0, 10:14, 12:16, 1:] = 0
    torch.testing.assert_close(carve(placed, perceived), expected)


def test_without_objects_a_class_is_one() -> None:
    placed = room(instances=False)
    perceived = placed.labels.clone()
    perceived[0, 10:14, 4:8] = 0
    carved = carve(placed, perceived)
    assert not carved[0, 10:14, 4:8].any()
    assert (carved == perceived).all()
    torch.testing.assert_close(carve(placed, torch.zeros_like(perceived)), placed.labels)


def test_scenes_of_a_batch_are_carved_apart() -> None:
    grids = room()
    both = GridTensors(*(torch.cat([part, part]) for part in vars(grids).values()))
    perceived = both.labels.clone()
    perceived[1, 2:8, 4:8, 3:6] = 0
    carved = carve(both, perceived)
    torch.testing.assert_close(carved[0], both.labels[0])
    torch.testing.assert_close(carved[1], carve(grids, perceived[1:])[0])

"""Carving of an artist's boxes."""

from __future__ import annotations

import numpy as np
import torch
from occscene.grid import GridObject, SemanticGrid
from torch import Tensor

from occscene_server.geometry.carving import carve
from occscene_server.geometry.grids import GridTensors

SOFA, CHAIR, WALL, RUG = 7, 5, 3, 11


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


def seen(placed: GridTensors) -> Tensor:
    """Probabilities (B, X, Y, Z) of an occupancy that is perceived as it was placed."""
    return 0.05 + 0.9 * placed.occupied()


def carved(placed: GridTensors, occupied: Tensor) -> Tensor:
    """Classes after carving with perception that gives such probabilities."""
    return carve(placed, torch.stack([1 - occupied, occupied], 1).log()).labels


def test_what_is_perceived_as_empty_is_carved_away() -> None:
    placed = room()
    occupied = seen(placed)
    occupied[0, 2:8, 4:8, 3:6] = 0.1  # above the seat
    occupied[0, 16:, 16:] = 0.95  # nothing grows
    expected = placed.labels.clone()
    expected[0, 2:8, 4:8, 3:6] = 0
    torch.testing.assert_close(carved(placed, occupied), expected)


def test_objects_that_perception_loses_and_thin_ones_stay_whole() -> None:
    placed = room()
    occupied = seen(placed)
    occupied[0, :, :2, 6:] = 0.1  # half of the thin wall
    occupied[0, 10:14, 4:8] = 0.1  # one chair
    occupied[0, 10, 4] = 0.2
    torch.testing.assert_close(carved(placed, occupied), placed.labels)


def test_objects_keep_their_height() -> None:
    placed = room()
    occupied = seen(placed)
    occupied[0, 10:14, 4:8, 1:] = 0.05
    occupied[0, 10, 4:8, 1:] = 0.3  # its back, perhaps
    occupied[0, 13, 4:8, 1:] = 0.2
    expected = placed.labels.clone()
    expected[0, 11:14, 4:8, 1:] = 0
    torch.testing.assert_close(carved(placed, occupied), expected)


def test_rugs_go_on_below_what_is_carved() -> None:
    placed = room()
    assert placed.instances is not None
    placed.labels[0, :, 12:] = 0  # one chair is enough
    around = placed.labels[0, 9:16, 3:9, 0]
    placed.instances[0, 9:16, 3:9, 0][around == 0] = 4
    around[around == 0] = RUG
    occupied = seen(placed)
    occupied[0, 10:14, 4:8] = 0.1
    occupied[0, 10, 4] = 0.6  # a leg
    result = carve(placed, torch.stack([1 - occupied, occupied], 1).log())
    assert result.instances is not None
    leg = torch.zeros(7, 6, dtype=torch.bool)
    leg[1, 1] = True
    torch.testing.assert_close(result.labels[0, 9:16, 3:9, 0] == CHAIR, leg)
    torch.testing.assert_close(result.labels[0, 9:16, 3:9, 0] == RUG, ~leg)
    torch.testing.assert_close(result.instances[0, 9:16, 3:9, 0] == 4, ~leg)
    torch.testing.assert_close(result.labels[0, 9:16, 3:9, 1] == CHAIR, leg)


def test_without_objects_a_class_is_one() -> None:
    placed = room(instances=False)
    occupied = seen(placed)
    occupied[0, 10:14, 4:8] = 0.1
    expected = placed.labels.clone()
    expected[0, 10:14, 4:8] = 0
    torch.testing.assert_close(carved(placed, occupied), expected)
    torch.testing.assert_close(carved(placed, torch.full_like(occupied, 0.1)), placed.labels)


def test_scenes_of_a_batch_are_carved_apart() -> None:
    grids = room()
    both = GridTensors(*(torch.cat([part, part]) for part in vars(grids).values()))
    occupied = seen(both)
    occupied[1, 2:8, 4:8, 3:6] = 0.1
    labels = carved(both, occupied)
    torch.testing.assert_close(labels[0], both.labels[0])
    torch.testing.assert_close(labels[1], carved(grids, occupied[1:])[0])

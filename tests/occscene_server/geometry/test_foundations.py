"""Buildings stand in the ground."""

from __future__ import annotations

import torch
from occscene.taxonomy import OUTDOOR

from occscene_server.geometry.foundations import with_foundations

BUILDING, TERRAIN, ROAD, CAR, SIDEWALK = (
    OUTDOOR.index_of(name) for name in ("building", "terrain", "road", "car", "sidewalk")
)


def street() -> torch.Tensor:
    """Columns of one voxel: what stands on two layers of ground, of the lowest an own class."""
    labels = torch.zeros(1, 8, 1, 12, dtype=torch.uint8)
    labels[0, :, 0, :2] = torch.tensor([ROAD, TERRAIN])
    return labels


def test_a_house_on_a_lawn_or_a_little_above_it_goes_down_through_it() -> None:
    labels = street()
    labels[0, 0, 0, 2:9] = BUILDING
    labels[0, 1, 0, 4:9] = BUILDING  # with a gap of two voxels
    found = with_foundations(labels)
    assert (found[0, :2, 0, :9] == BUILDING).all()
    assert not found[0, :2, 0, 9:].any()
    assert torch.equal(found[0, 2:], labels[0, 2:])
    assert torch.equal(with_foundations(found), found)


def test_what_is_higher_or_is_no_building_keeps_the_ground_below_it() -> None:
    labels = street()
    labels[0, 0, 0, 5:9] = BUILDING  # an oriel over the pavement
    labels[0, 1, 0, 2:5] = CAR
    labels[0, 2, 0, 2] = CAR
    labels[0, 2, 0, 3:6] = BUILDING  # a garage's lintel over a car
    labels[0, 3, 0, :2] = 0
    labels[0, 3, 0, 2:5] = BUILDING  # nothing below it
    found = with_foundations(labels)
    assert torch.equal(found[0, [0, 1, 3]], labels[0, [0, 1, 3]])
    assert found[0, 2, 0, 2] == CAR


def test_streets_of_a_batch_are_each_their_own() -> None:
    both = torch.cat([street(), street()])
    both[1, 4, 0, 2:6] = BUILDING
    both[1, 5, 0, 2:6] = BUILDING
    found = with_foundations(both)
    assert torch.equal(found[0], both[0])
    assert (found[1, 4:6, 0, :6] == BUILDING).all()
    assert found.dtype == torch.uint8

"""Houses and the arms of lamps face the nearest road, wherever the grid lies; other objects keep their fronts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.taxonomy import OUTDOOR

from occscene_server.pipelines.blockout_parts import facing_road


def street(turn: float, has_road: bool = True) -> SemanticGrid:
    """A road along the grid's x axis at its y = 10 m, the grid turned about the world's origin."""
    labels = np.zeros((100, 100, 8), np.uint8)
    if has_road:
        labels[:, 45:55, 0] = OUTDOOR.index_of("road")
    pose = np.eye(4)
    pose[:2, :2] = (math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))
    return SemanticGrid(labels, 0.2, pose, "outdoor")


def placed(class_name: str, y: float, turn: float, own_turn: float) -> LayoutObject:
    """An object at (10 m, y) of the grid."""
    x, y = math.cos(turn) * 10 - math.sin(turn) * y, math.sin(turn) * 10 + math.cos(turn) * y
    return LayoutObject(class_name, class_name, (x, y, 2.0), (6.0, 5.0, 4.0), turn + own_turn)


def front(obj: LayoutObject, quarter: int, turn: float) -> tuple[float, float]:
    """Where an object's +y points along the grid's axes after some quarter turns."""
    angle = obj.turn - turn + (quarter + 1) * math.pi / 2
    return round(math.cos(angle), 6), round(math.sin(angle), 6)


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("own_turn", [0.0, math.pi / 2, math.pi])
def test_houses_on_both_sides_face_the_road_between_them(turn: float, own_turn: float) -> None:
    houses = [placed("building", y, turn, own_turn) for y in (3.0, 17.0)]
    quarters = facing_road(street(turn), houses, [1, 2])
    fronts = [front(house, quarter, turn) for house, quarter in zip(houses, quarters, strict=True)]
    assert [y for _, y in fronts] == [1.0, -1.0]
    assert all(0 <= quarter < 4 for quarter in quarters)


def test_poles_keep_their_arms_axis_and_all_else_its_front() -> None:
    pole, car = placed("pole", 3.0, 0.0, 0.0), placed("car", 3.0, 0.0, 0.0)
    assert facing_road(street(0.0), [pole, car, pole], [2, 3, 0]) == [0, 3, 0]
    across = facing_road(street(0.0), [pole], [1])[0]
    assert across in (1, 3)


def test_without_a_road_nothing_turns() -> None:
    assert facing_road(street(0.0, has_road=False), [placed("building", 3.0, 0.0, 0.0)], [3]) == [3]

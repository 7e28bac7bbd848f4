"""The room that given walls enclose: loose walls, a room in one piece, no walls at all, and too little."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.layout import LayoutObject
from occscene.volumes import default_volume

from occscene_server.geometry.given_room import enclosed_box, is_shell, largest_room

VOLUME = default_volume("indoor")
FLOOR = LayoutObject("Plane", "floor", (0.5, 0.0, -0.1), (3.0, 4.0, 0.2))


def wall(x: float, y: float, width: float, depth: float, height: float = 2.4) -> LayoutObject:
    return LayoutObject("Cube", "wall", (x, y, height / 2), (width, depth, height))


@pytest.mark.parametrize(
    ("name", "class_name", "expected"),
    [
        ("Wall.003", "wall", True),
        ("front_door", "wall", False),
        ("Rug", "floor", False),
        ("Drug store wall", "wall", True),
        ("Ceiling", "ceiling", True),
        ("Sofa", "sofa", False),
        ("window", "window", False),
    ],
)
def test_doors_and_rugs_are_no_shell(name: str, class_name: str, expected: bool) -> None:
    assert is_shell(LayoutObject(name, class_name, (0, 0, 0), (1, 1, 1)), ("door", "rug", "sofa")) == expected


def test_walls_end_the_room_on_their_side_and_the_floor_on_the_others() -> None:
    low, high = enclosed_box([FLOOR, wall(-1.05, 0, 0.1, 4.0), wall(0.5, 2.1, 3.0, 0.2)], VOLUME)
    np.testing.assert_allclose(low, (-1.0, -2.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(high, (2.0, 2.0, 2.4), atol=1e-9)


def test_of_two_walls_on_a_side_the_longer_counts() -> None:
    niche = wall(-0.3, 1.8, 0.1, 0.6)
    low, _ = enclosed_box([FLOOR, wall(-1.05, 0, 0.1, 4.0), niche], VOLUME)
    assert low[0] == pytest.approx(-1.0)


def test_a_turned_wall_counts_by_where_it_lies() -> None:
    turned = LayoutObject("Cube", "wall", (-1.05, 0.0, 1.2), (4.0, 0.1, 2.4), np.pi / 2)
    low, _ = enclosed_box([FLOOR, turned], VOLUME)
    assert low[0] == pytest.approx(-1.0)


def test_a_room_in_one_piece_is_hollow() -> None:
    low, high = enclosed_box([wall(0.0, 0.0, 4.0, 3.0)], VOLUME)
    np.testing.assert_allclose(low[:2], (-1.9, -1.4))
    np.testing.assert_allclose(high[:2], (1.9, 1.4))


def test_a_ceiling_ends_the_room_above_and_a_raised_floor_below() -> None:
    floor = LayoutObject("Floor", "floor", (0, 0, 0.3), (4, 4, 0.2))
    ceiling = LayoutObject("Ceiling", "ceiling", (0, 0, 2.3), (4, 4, 0.1))
    low, high = enclosed_box([floor, ceiling], VOLUME)
    assert (low[2], high[2]) == pytest.approx((0.4, 2.25))


def test_without_a_shell_it_is_the_largest_room_of_the_volume() -> None:
    low, high = enclosed_box([], VOLUME)
    np.testing.assert_allclose(high - low, largest_room(VOLUME))
    np.testing.assert_allclose(largest_room(VOLUME), (4.6, 4.6, 2.7))


def test_walls_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValueError, match=r"leave 0\.30 x .*at least 0\.8 m"):
        enclosed_box([wall(-0.2, 0, 0.1, 4.0), wall(0.2, 0, 0.1, 4.0)], VOLUME)

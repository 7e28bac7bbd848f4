"""Walls with windows: holes leave just the wall, windows stand in storeys and columns, doors where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from occscene.facade_shapes import facade_boxes, rectangles_around
from occscene.part_shapes import WALLS

SIZE = np.array([10.0, 0.22, 9.0])


def panes(kind: str, size: NDArray[np.float64] = SIZE) -> NDArray[np.float64]:
    boxes, pieces = facade_boxes(kind, size)
    found: NDArray[np.float64] = boxes[np.array(pieces) == "pane"]
    return found


def area(boxes: NDArray[np.float64]) -> float:
    size = boxes[:, 1] - boxes[:, 0]
    return float((size[:, 0] * size[:, 2]).sum())


@given(st.lists(st.tuples(*[st.floats(0.05, 0.95)] * 4), max_size=1), st.integers(1, 4), st.integers(1, 4))
def test_rectangles_fill_a_wall_but_for_its_holes(
    odd: list[tuple[float, float, float, float]], columns: int, rows: int
) -> None:
    holes = [(c + 0.3, c + 0.7, r + 0.2, r + 0.8) for c in range(columns) for r in range(rows)]
    holes = ([] if odd else holes) + [
        (min(a, b) * columns, max(a, b) * columns, min(c, d) * rows, max(c, d) * rows) for a, b, c, d in odd
    ]
    pieces = rectangles_around((0.0, columns, 0.0, rows), holes)
    places = np.random.default_rng(0).uniform((0, 0), (columns, rows), (300, 2))

    def covers(rectangles: list[tuple[float, float, float, float]]) -> NDArray[np.int64]:
        return np.array([sum(x0 < x < x1 and z0 < z < z1 for x0, x1, z0, z1 in rectangles) for x, z in places.tolist()])

    np.testing.assert_array_equal(covers(pieces) + covers(holes), 1)


@pytest.mark.parametrize("kind", WALLS)
def test_wall_and_openings_share_the_front(kind: str) -> None:
    boxes, pieces = facade_boxes(kind, SIZE)
    wall = boxes[np.array(pieces) == "wall"]
    assert 0.5 * SIZE[0] * SIZE[2] < area(wall) < 0.9 * SIZE[0] * SIZE[2]
    assert (wall[:, 1, 1] < SIZE[1] / 2).all()  # sills stand before it
    np.testing.assert_allclose(boxes[:, 1, 1].max(), SIZE[1] / 2)
    np.testing.assert_allclose(np.ptp(wall, axis=(0, 1))[[0, 2]], SIZE[[0, 2]])


def test_windows_stand_in_storeys_and_columns() -> None:
    glass = panes("window wall").mean(1)
    assert len(glass) == 3 * 4
    assert len(np.unique(glass[:, 0].round(6))) == 4
    np.testing.assert_allclose(np.diff(np.unique(glass[:, 2].round(6))), 3.0)
    taller = panes("window wall", SIZE * (1, 1, 2))
    assert len(taller) == 6 * 4


def test_a_facade_has_a_door_in_place_of_a_window_and_a_shop_wide_panes() -> None:
    windows, house, shop = (panes(kind) for kind in WALLS)
    assert len(house) == len(windows) - 1
    wide = shop[:, 1, 0] - shop[:, 0, 0] > 2.0
    assert wide.sum() == 2
    assert (shop[wide, 1, 2] < shop[~wide, 0, 2].min()).all()


def test_a_wall_too_low_for_a_door_has_windows_only() -> None:
    low = np.array([6.0, 0.22, 1.5])
    for kind in ("facade", "shop front"):
        np.testing.assert_array_equal(facade_boxes(kind, low)[0], facade_boxes("window wall", low)[0])

"""The two-sample test on painted rooms: a plain difference is found, chance is chance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from occscene_server.metrics import two_sample
from occscene_server.metrics.two_sample import compare_real_halves, two_sample_test

Rooms = list[NDArray[np.uint8]]


def painted_rooms(count: int, seed: int) -> Rooms:
    """Two views of 32 pixels of each room: stripes of its own colours and width, and grain."""
    rng = np.random.default_rng(seed)
    rooms = []
    for _ in range(count):
        first, second = rng.integers(40, 216, (2, 3))
        stripes = (np.arange(32) // int(rng.integers(2, 7)) % 2)[:, None, None]
        views = [np.where(stripes, first, second) + rng.normal(0, 12, (32, 32, 3)) for _ in range(2)]
        rooms.append(np.clip(np.stack(views), 0, 255).astype(np.uint8))
    return rooms


def blurred(rooms: Rooms) -> Rooms:
    blur = ImageFilter.GaussianBlur(2)
    return [np.stack([np.asarray(Image.fromarray(view).filter(blur)) for view in room]) for room in rooms]


@pytest.fixture(scope="module")
def training() -> Rooms:
    return painted_rooms(60, 0)


@pytest.fixture(scope="module")
def held_out() -> Rooms:
    return painted_rooms(20, 1)


@pytest.mark.slow
def test_blur_is_found_in_unseen_rooms(training: Rooms, held_out: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "STEPS", 80)  # a plain difference needs a third of the steps
    found = two_sample_test((training, blurred(training)), (held_out, blurred(held_out)))
    assert found.accuracy > 0.9
    assert found.training_accuracy > 0.95
    assert found.rooms == 20


def test_equal_kinds_are_told_by_chance(training: Rooms, held_out: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "STEPS", 20)
    same = two_sample_test((training, training), (held_out, held_out))
    assert same.accuracy == 0.5  # what is right about one is wrong about the other
    halves = compare_real_halves(training, held_out)
    assert abs(halves.accuracy - 0.5) < 4 * max(halves.deviation, 0.06)
    assert halves == compare_real_halves(training, held_out)
    assert halves.rooms == 10


def test_views_larger_than_a_piece_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "CROP", 16)
    views = np.arange(2 * 40 * 24 * 3, dtype=np.uint32).reshape(2, 40, 24, 3)
    pieces = two_sample._tiles(views)  # type: ignore[arg-type]
    assert [piece.shape for piece in pieces] == [(2, 16, 16, 3)] * 6
    assert len(np.unique(np.concatenate([piece.ravel() for piece in pieces]))) == views.size

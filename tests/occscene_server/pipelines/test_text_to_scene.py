"""Text to scene: what is surely perceived wins, and boxes that are drawn anew go where the likelihood is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.layout import Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.placed_layout import PlacedLayout
from occscene.taxonomy import INDOOR

from occscene_server.geometry.layout_grid import placed_grid
from occscene_server.pipelines.text_to_scene import LayoutDraft, likelihood_ratio, stretched_parts, sure_or_given

POSE = np.eye(4)
POSE[:3, 3] = -1.6, -1.6, -0.1
VOLUME = GridVolume((32, 32, 20), 0.1, POSE)
ROOM = LayoutRoom((2.8, 2.8, 1.6))
TABLE = LayoutObject("table", "table", (-0.6, -0.6, 0.3), (0.6, 0.6, 0.6), color=(0.5, 0.1, 0.1), color_word="red")
DOOR = LayoutObject("door", "wall", (1.4, 0.0, 0.7), (0.1, 0.6, 1.4))


def anywhere(layout: Layout, index: int, seed: int) -> Layout:
    """A prior to which all places in the room are equal."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-1.1, 1.1, 2)
    old = layout.objects[index]
    drawn = replace(old, center=(x, y, old.center[2]), color=(0.0, 0.0, 1.0), color_word="blue")
    return replace(layout, objects=(*layout.objects[:index], drawn, *layout.objects[index + 1 :]))


def seen(layout: Layout, sure: float = 0.9) -> NDArray[np.float32]:
    """Log-probabilities of a perception that sees a layout's voxels."""
    labels = placed_grid(PlacedLayout(layout), VOLUME).labels
    rest = math.log((1 - sure) / (len(INDOOR) - 1))
    log_probabilities = np.full((len(INDOOR), *VOLUME.shape), rest, np.float32)
    np.put_along_axis(log_probabilities, labels[None].astype(np.int64), math.log(sure), 0)
    return log_probabilities


def draft(*objects: LayoutObject, seed: int = 0) -> LayoutDraft:
    return LayoutDraft(PlacedLayout(Layout("indoor", ROOM, objects)), VOLUME, anywhere, seed)


@pytest.mark.parametrize("seed", range(3))
def test_boxes_go_to_where_they_are_seen_and_keep_their_colors(seed: int) -> None:
    truth = replace(TABLE, center=(0.7, 0.4, 0.3))
    beginning = draft(TABLE, DOOR, seed=seed)
    beginning.resample(seen(Layout("indoor", ROOM, (truth, DOOR))), proposals=400)
    table, door = beginning.placed.layout.objects
    assert math.dist(table.center, truth.center) < 0.12
    assert (table.color, table.color_word) == (TABLE.color, TABLE.color_word)
    assert door == DOOR
    assert beginning.accepted > 0


def test_what_is_seen_where_it_stands_stays() -> None:
    beginning = draft(TABLE)
    beginning.resample(seen(Layout("indoor", ROOM, (TABLE,))), proposals=100)
    assert math.dist(beginning.placed.layout.objects[0].center, TABLE.center) < 0.12


def test_where_nothing_is_known_the_prior_is_sampled() -> None:
    """All is equally likely: each proposal is taken, and places are the prior's."""
    flat = np.zeros((len(INDOOR), *VOLUME.shape), np.float32)
    places = []
    for seed in range(60):
        beginning = draft(TABLE, seed=seed)
        assert beginning.resample(flat, proposals=1) == 1
        places.append(beginning.placed.layout.objects[0].center[:2])
    assert np.abs(np.mean(places, 0)).max() < 0.3
    assert np.std(places, 0) == pytest.approx(2.2 / math.sqrt(12), abs=0.15)


@pytest.mark.slow
def test_two_places_are_visited_as_often_as_they_are_likely() -> None:
    """The chain's shares are those of the likelihood: a prior of two places, of which one is twice as likely."""
    here, there = replace(TABLE, center=(-0.7, 0.0, 0.3)), replace(TABLE, center=(0.7, 0.0, 0.3))

    def either(layout: Layout, index: int, seed: int) -> Layout:
        return replace(layout, objects=((here, there)[np.random.default_rng(seed).integers(2)],))

    log_probabilities = np.zeros((len(INDOOR), *VOLUME.shape), np.float32)
    mine = placed_grid(PlacedLayout(Layout("indoor", ROOM, (there,))), VOLUME).labels == INDOOR.index_of("table")
    log_probabilities[INDOOR.index_of("table")][mine] = math.log(2) / mine.sum()
    beginning = LayoutDraft(PlacedLayout(Layout("indoor", ROOM, (here,))), VOLUME, either, 1)
    visits = 0
    for _ in range(1500):
        beginning.resample(log_probabilities, proposals=1)
        visits += beginning.placed.layout.objects[0] == there
    assert visits / 1500 == pytest.approx(2 / 3, abs=0.05)


def test_a_layout_without_proposals_stays() -> None:
    beginning = LayoutDraft(PlacedLayout(Layout("indoor", ROOM, (TABLE,))), VOLUME)
    assert beginning.resample(seen(Layout("indoor", ROOM, ()))) == 0
    assert beginning.placed.layout.objects == (TABLE,)


def test_the_ratio_counts_changed_voxels_alone() -> None:
    log_probabilities = np.log(np.array([[0.1, 0.6], [0.9, 0.4]], np.float32)).reshape(2, 2, 1, 1)
    old, new = np.array([0, 1], np.uint8).reshape(2, 1, 1), np.array([1, 1], np.uint8).reshape(2, 1, 1)
    assert likelihood_ratio(log_probabilities, old, new) == pytest.approx(math.log(9.0), rel=1e-5)
    assert likelihood_ratio(log_probabilities, new, new) == 0.0


def test_what_is_surely_perceived_wins_and_nothing_else() -> None:
    shares = torch.tensor([[0.85, 0.1, 0.05], [0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
    given = torch.tensor([2, 2, 1], dtype=torch.uint8).reshape(1, 3, 1, 1)
    found = sure_or_given(shares.log().T.reshape(1, 3, 3, 1, 1), given)
    assert found.flatten().tolist() == [0, 2, 2]
    assert found.dtype == torch.uint8


def test_a_layout_is_voxelised_where_it_stands() -> None:
    """Layout and volume moved together give the same voxels."""
    pose = np.eye(4)
    pose[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    pose[:3, 3] = 5.0, -3.0, 1.0
    layout = Layout("indoor", ROOM, (TABLE, DOOR))
    moved = placed_grid(PlacedLayout(layout, pose), replace(VOLUME, world_from_grid=pose @ POSE))
    plain = placed_grid(PlacedLayout(layout), VOLUME)
    np.testing.assert_array_equal(moved.labels, plain.labels)
    np.testing.assert_array_equal(moved.world_from_grid, pose @ POSE)
    assert [obj.hint for obj in moved.objects if obj.name == "table"] == [TABLE.color]


def test_parts_are_stretched_with_their_box() -> None:
    top = LayoutPart("box", (0.0, 0.0, 0.25), (0.6, 0.6, 0.1))
    leg = LayoutPart("rod", (0.25, 0.25, -0.05), (0.1, 0.1, 0.5))
    table = replace(TABLE, parts=(top, leg))
    wide_top, wide_leg = stretched_parts(table, (1.2, 0.6, 0.6))
    assert wide_top.size == pytest.approx((1.2, 0.6, 0.1))
    assert wide_leg.center == pytest.approx((0.5, 0.25, -0.05))
    assert stretched_parts(TABLE, (1.2, 0.6, 0.6)) == ()


def test_a_draft_shows_parts_and_its_boxes_do_not() -> None:
    top = LayoutPart("box", (0.0, 0.0, 0.25), (0.6, 0.6, 0.1))
    beginning = draft(replace(TABLE, parts=(top,)))
    table = INDOOR.index_of("table")
    assert (beginning.grid.labels == table).sum() == 36
    assert (beginning.boxes.labels == table).sum() == 216
    beginning.resample(np.zeros((len(INDOOR), *VOLUME.shape), np.float32), proposals=1)
    assert beginning.placed.layout.objects[0].parts[0].size == pytest.approx(top.size)

"""What becomes of an artist's objects, in G-buffer maps and in predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occscene.grid import GridObject, SemanticGrid
from occscene.taxonomy import OUTDOOR
from scipy import ndimage
from torch import Tensor

from occscene_server.geometry.fusion import CRUMB, PARTS, SURE_PARTS, beliefs, carve, fuse, odds_of_parts, told_of_parts
from occscene_server.geometry.grids import LABELS, GridTensors
from occscene_server.geometry.placed_objects import PlacedObjects

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


PANE, PICTURE = 4, 11


def modelled_room() -> GridTensors:
    """A chair with legs, a pane of 1 x 12 x 10, a picture of 5 x 1 x 5 before a wall, and a box."""
    labels, numbers = np.zeros((24, 24, 16), np.uint8), np.zeros((24, 24, 16), np.uint16)

    def place(number: int, kind: int, *low_high: int) -> None:
        box = tuple(slice(*ends) for ends in zip(low_high[:3], low_high[3:], strict=True))
        labels[box], numbers[box] = kind, number

    for x, y in ((2, 2), (2, 6), (6, 2), (6, 6)):
        place(1, CHAIR, x, y, 0, x + 1, y + 1, 6)
    place(1, CHAIR, 2, 2, 5, 7, 7, 6)
    place(1, CHAIR, 2, 2, 6, 7, 3, 11)
    place(2, PANE, 12, 4, 2, 13, 16, 12)
    place(3, WALL, 0, 20, 0, 24, 22, 16)
    place(4, PICTURE, 4, 19, 6, 9, 20, 11)
    place(5, SOFA, 15, 4, 0, 22, 12, 7)
    objects = tuple(GridObject(number, f"object {number}") for number in range(1, 6))
    return GridTensors.from_grids([SemanticGrid(labels, 0.08, np.eye(4), "indoor", numbers, objects)])


def without_legs(placed: GridTensors) -> Tensor:
    """A prediction in which the chair floats and the sofa has lost its front."""
    predicted = placed.labels.clone()
    predicted[0, 2:7, 2:7, :5] = 0
    predicted[0, 15:22, 4:8, 4:] = 0
    return predicted


def test_modelled_objects_are_not_carved() -> None:
    placed = modelled_room()
    occupied = seen(placed)
    occupied[0, 2:7, 2:7, :5] = 0.01
    occupied[0, 15:22, 4:8, 4:] = 0.01
    expected = placed.labels.clone()
    expected[0, 15:22, 4:8, 4:] = 0
    torch.testing.assert_close(carved(placed, occupied), expected)


def perceived(labels: Tensor, sure: float = 6.0) -> Tensor:
    """Logits (B, 12, X, Y, Z) of a perception that sees such classes."""
    return sure * F.one_hot(labels.long(), 12).movedim(-1, 1).float()


def fused(placed: GridTensors, predicted: Tensor, real: bool = False) -> Tensor:
    return fuse(placed, predicted, perceived(predicted), (WALL,), real)


def test_modelled_objects_stay_and_boxes_become_what_is_seen() -> None:
    placed = modelled_room()
    expected = without_legs(placed)
    expected[0, 2:7, 2:7] = placed.labels[0, 2:7, 2:7]
    torch.testing.assert_close(fused(placed, without_legs(placed)), expected)


def test_the_foot_of_a_box_stays_in_gbuffer_and_prediction() -> None:
    placed = room()
    assert placed.instances is not None
    placed.labels[0, 10:14, 4:8, 0], placed.instances[0, 10:14, 4:8, 0] = 0, 0
    placed.labels[0, 11, 5, 0], placed.instances[0, 11, 5, 0] = CHAIR, 3
    predicted = placed.labels.clone()
    predicted[0, 10:14, 4:8, 0] = predicted[0, 10:12, 4:8, 2:] = 0
    occupied = torch.where(predicted == 0, 0.001, 0.999)
    expected = predicted.clone()
    expected[0, 10:14, 4:8, 0] = placed.labels[0, 10:14, 4:8, 0]
    torch.testing.assert_close(carved(placed, occupied), expected)
    torch.testing.assert_close(fused(placed, predicted), expected)


def test_real_views_can_show_an_object_gone_and_no_leg_alone() -> None:
    placed, predicted = modelled_room(), without_legs(modelled_room())
    chair, sofa = placed.labels == CHAIR, placed.labels == SOFA
    assert (fused(placed, predicted, real=True)[chair] == CHAIR).all()
    predicted[chair | sofa] = 0
    torch.testing.assert_close(fused(placed, predicted, real=True), predicted)
    assert (fused(placed, predicted)[chair] == CHAIR).all()
    assert (fused(placed, predicted)[sofa] == SOFA).all()


def test_parts_speak_for_what_they_are_and_are_not_in_all_of_their_box_alone() -> None:
    placed = room()
    finer = placed.labels.clone()
    finer[0, 10:14, 4:8, :2] = 0  # one of the chairs has parts
    change = told_of_parts(perceived(placed.labels, 0.0), placed, finer, odds_of_parts("indoor"))
    assert (change[0, 0, 10:14, 4:8, :2] == PARTS).all()
    assert (change[0, CHAIR, 10:14, 4:8, 2:4] == PARTS).all()
    assert change.count_nonzero() == 64
    bare = told_of_parts(perceived(placed.labels, 0.0), replace(placed, instances=None), finer, odds_of_parts("indoor"))
    assert (bare[0, 0, 10:14, 4:8, :2] == PARTS).all()
    assert bare.count_nonzero() == 32


def test_parts_of_streets_are_sure_but_for_crowns() -> None:
    odds = odds_of_parts("outdoor")
    assert len(odds) == len(OUTDOOR)
    assert (odds == PARTS).nonzero().tolist() == [[OUTDOOR.index_of("vegetation")]]
    placed = room()  # classes of rooms, read as those of streets
    finer = placed.labels.clone()
    finer[0, 10:14, 4:8, :2] = 0
    change = told_of_parts(perceived(placed.labels, 0.0), placed, finer, odds)
    assert (change[0, 0, 10:14, 4:8, :2] == SURE_PARTS).all()


def test_flat_objects_are_moved_and_thinned_as_a_whole() -> None:
    placed = modelled_room()
    predicted = placed.labels.clone()
    predicted[0, 4:9, 19, 6:11], predicted[0, 4:9, 20, 6:11] = 0, PICTURE  # into the wall
    expected = predicted.clone()
    predicted[0, 12, 4:6] = 0  # rim
    predicted[0, 6, 20, 8] = WALL  # a hole
    predicted[0, 3:10, 18, 5:12][:, :2] = PICTURE  # a lump before it, wider than it is
    predicted[0, 12, 9, 4:8] = 0  # a slit
    result = fused(placed, predicted)
    torch.testing.assert_close(result[0, 12], expected[0, 12])
    assert (result[0, 4:9, 20, 6:11] == PICTURE).all()
    assert (result[0] == PICTURE).sum() <= 60


def test_walls_are_trimmed_but_get_no_slits() -> None:
    placed = modelled_room()
    wall = int((placed.labels[0] == WALL).any(2).any(0).nonzero()[0])
    predicted = placed.labels.clone()
    predicted[0, :, wall:, -2:] = 0  # it is lower
    expected = predicted.clone()
    predicted[0, 14, wall:, 2:9] = 0  # a slit
    torch.testing.assert_close(fused(placed, predicted)[0, 14], expected[0, 14])


def test_a_wall_goes_on_around_a_picture_that_is_blurred() -> None:
    placed = modelled_room()
    predicted = placed.labels.clone()
    wall = predicted[0, 3:10, 20, 5:12]
    wall[[0, -1]], wall[:, [0, -1]] = 0, PICTURE
    torch.testing.assert_close(fused(placed, predicted), placed.labels)


def test_flat_objects_of_which_little_is_left_stay_as_placed() -> None:
    placed = modelled_room()
    predicted = placed.labels.clone()
    predicted[0, 4:9, 19, 6:10] = 0
    predicted[0, 12, 4:16, 2:12] = 0
    torch.testing.assert_close(fused(placed, predicted), placed.labels)


def test_crumbs_vanish_into_what_is_around_them_and_broken_off_pieces_too() -> None:
    placed = modelled_room()
    predicted = placed.labels.clone()
    predicted[0, 18:20, 15:17, 12] = SOFA  # in the air
    predicted[0, 6, 20:22, 3] = CHAIR  # in the wall
    predicted[0, 20, 4:12, :7] = 0  # the end of the sofa is cut off, and most of that is gone
    predicted[0, 21:, 4:12, 2:] = 0
    predicted[0, 21, 4:12, :1] = 0
    expected = predicted.clone()
    expected[0, 18:20, 15:17, 12], expected[0, 6, 20:22, 3] = 0, WALL
    expected[0, 21, 4:12] = 0
    torch.testing.assert_close(fused(placed, predicted), expected)


@st.composite
def rooms_and_logits(draw: st.DrawFn) -> tuple[GridTensors, Tensor]:
    """Lines, sheets, boxes and crumbs over one another, some of no object, and the logits of any perception."""
    labels, numbers = np.zeros((18, 20, 14), np.uint8), np.zeros((18, 20, 14), np.uint16)
    count = draw(st.integers(1, 12))
    for number in range(1, count + 1):
        low = draw(st.tuples(*[st.integers(0, 13)] * 3))
        size = draw(st.tuples(*[st.sampled_from((1, 1, 2, 3, 5, 9))] * 3))
        box = tuple(slice(a, a + s) for a, s in zip(low, size, strict=True))
        labels[box], numbers[box] = draw(st.integers(1, 11)), number * draw(st.booleans())
    objects = tuple(GridObject(number, f"{number}") for number in range(1, count + 1))
    placed = GridTensors.from_grids([SemanticGrid(labels, 0.08, np.eye(4), "indoor", numbers, objects)])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sure, empty = draw(st.sampled_from((0.5, 4.0, 12.0))), draw(st.sampled_from((-6.0, 0.0, 6.0)))
    coarse = rng.normal(0, sure, (1, 12, 6, 7, 5)).repeat(3, 2).repeat(3, 3).repeat(3, 4)[:, :, :18, :20, :14]
    coarse[:, 0] += empty
    return placed, torch.from_numpy(coarse + rng.normal(0, sure / 2, coarse.shape)).float()


def found_objects(placed: GridTensors) -> PlacedObjects:
    assert placed.instances is not None
    return PlacedObjects.find(placed.labels[0], placed.instances[0])


EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@EXAMPLES
@given(scene=rooms_and_logits(), real=st.booleans())
def test_fusing_loses_no_object_and_changes_no_class(scene: tuple[GridTensors, Tensor], real: bool) -> None:
    placed, logits = scene
    objects, predicted = found_objects(placed), logits.argmax(1).byte()
    result = fuse(placed, predicted, logits, real=real)[0]
    gone = (objects.mean(logits[0].softmax(0)[0]) >= 0.85) & real
    flat = objects.flat & ~objects.modelled
    whole = (objects.modelled & ~gone)[objects.number]
    torch.testing.assert_close(result[whole], placed.labels[0][whole])
    solid = (objects.named & ~flat & ~gone)[objects.number]
    changed = solid & (result != placed.labels[0])
    assert (result[changed] == 0).all()
    for index in (objects.named & ~gone).nonzero()[:, 0].tolist():
        own = objects.number == index
        near = F.max_pool3d(own.float()[None], 3, 1, 1)[0] > 0 if flat[index] else own
        assert (result[near] == objects.classes[index]).any()


@pytest.mark.slow
@EXAMPLES
@given(scene=rooms_and_logits())
def test_fusing_leaves_no_crumbs_but_what_was_placed(scene: tuple[GridTensors, Tensor]) -> None:
    placed, logits = scene
    objects, predicted = found_objects(placed), logits.argmax(1).byte()
    result = fuse(placed, predicted, logits)[0]
    for label in range(1, 12):
        pieces, count = ndimage.label(result.numpy() == label, np.ones((3, 3, 3)))
        for piece in range(1, count + 1):
            here = torch.from_numpy(pieces == piece)
            assert here.sum() >= CRUMB or objects.named[objects.number[here]].any()


@EXAMPLES
@given(scene=rooms_and_logits())
def test_carving_keeps_every_objects_height_and_class_and_adds_nothing(scene: tuple[GridTensors, Tensor]) -> None:
    placed, logits = scene
    objects, result = found_objects(placed), carve(placed, logits)
    assert result.instances is not None
    before = placed.labels[0].long() + LABELS * placed.instances[0].long()
    after = result.labels[0].long() + LABELS * result.instances[0].long()
    lying = objects.keys[objects.thin[2]]
    assert ((after == before) | (after == 0) | torch.isin(after, lying)).all()
    assert (after[before == 0] == 0).all()
    for index in objects.named.nonzero()[:, 0].tolist():
        key = objects.keys[index]
        assert ((before == key).any(0).any(0) <= (after == key).any(0).any(0)).all()


@EXAMPLES
@given(scene=rooms_and_logits(), seed=st.integers(0, 2**16))
def test_what_is_seen_more_surely_takes_no_voxel_away(scene: tuple[GridTensors, Tensor], seed: int) -> None:
    placed, logits = scene
    objects, surer = found_objects(placed), logits.clone()
    surer[:, 0] -= torch.rand(logits.shape[2:], generator=torch.Generator().manual_seed(seed)) * 4
    assert (beliefs(objects, surer[0]) >= beliefs(objects, logits[0])).all()


def test_without_objects_the_prediction_stays() -> None:
    placed = room(instances=False)
    logits = torch.randn(1, 12, 20, 20, 12, generator=torch.Generator().manual_seed(0))
    predicted = logits.argmax(1).byte()
    torch.testing.assert_close(fuse(placed, predicted, logits), predicted)

"""Layouts as numbers: back within half a step, and the same whichever way a room is turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occscene.layout import LayoutObject

from occscene_server.models.layout_tokens import (
    GEOMETRY,
    STEP,
    TURNS,
    decode_boxes,
    decode_room,
    encode_boxes,
    encode_room,
    layout_numbers,
    layout_of_numbers,
    seen_from,
    turned_boxes,
    upright_halves,
)
from tests.occscene_server.models.tiny_layouts import room, vocabulary


def boxes_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    layout = room(seed)
    assert layout.room is not None
    boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects])
    return boxes, np.broadcast_to(np.array(layout.room.size), (len(boxes), 3))


@pytest.mark.parametrize("seed", range(40))
def test_numbers_give_boxes_back_within_half_a_step(seed: int) -> None:
    boxes, size = boxes_of(seed)
    size = decode_room(encode_room(size))
    found = decode_boxes(encode_boxes(boxes, size), size)
    half = STEP / 2 * 1.01
    assert (np.abs(found[:, 3:6] - boxes[:, 3:6]) < half).all()
    turn = np.angle(np.exp(1j * (found[:, 6] - boxes[:, 6])))
    assert (np.abs(turn) <= np.pi / TURNS + 1e-9).all()
    assert (np.abs(found[:, 2] - found[:, 5] / 2 - boxes[:, 2] + boxes[:, 5] / 2) < half).all(), "undersides"
    quadrant = np.rint(boxes[:, 6] / (np.pi / 2)).astype(int) % 4
    square = np.abs(boxes[:, 6] - np.rint(boxes[:, 6] / (np.pi / 2)) * np.pi / 2) < 1e-6
    along, towards = (
        np.stack(part) for part in zip(*(seen_from(quadrant, b[:, 0], b[:, 1]) for b in (found, boxes)), strict=True)
    )
    assert (np.abs(along[0] - along[1])[square] < half).all(), "along the wall behind"
    backs = [
        t - upright_halves(np.zeros(len(b)), b[:, 3], b[:, 4])[1] for t, b in zip(towards, (found, boxes), strict=True)
    ]
    assert (np.abs(backs[0] - backs[1])[square] < half).all(), "from the wall behind"


@pytest.mark.parametrize("seed", range(12))
def test_a_room_s_sizes_come_back_to_the_millimeter(seed: int) -> None:
    layout = room(seed)
    assert layout.room is not None
    size = np.array(layout.room.size)
    np.testing.assert_allclose(decode_room(encode_room(size))[:2], size[:2], atol=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_turning_a_room_changes_turns_alone(seed: int) -> None:
    boxes, size = boxes_of(seed)
    plain = encode_boxes(boxes, size)
    for quarters in range(1, 4):
        turned = encode_boxes(turned_boxes(boxes, False, quarters), size[:, [1, 0, 2]] if quarters % 2 else size)
        np.testing.assert_array_equal(turned[:, 1:], plain[:, 1:])
        np.testing.assert_array_equal(turned[:, 0], (plain[:, 0] + quarters * TURNS // 4) % TURNS)


def test_numbers_stay_in_range_whatever_the_box() -> None:
    rng = np.random.default_rng(0)
    boxes = rng.normal(0, 30, (500, 7))
    boxes[:, 3:6] = np.abs(boxes[:, 3:6])
    numbers = encode_boxes(boxes, np.full((500, 3), 4.0))
    assert (numbers >= 0).all()
    assert (numbers < np.array(list(GEOMETRY.values()))).all()


def test_layouts_come_back_with_names_and_colors() -> None:
    layout, words = room(3), vocabulary()
    albedo = np.random.default_rng(0).random((len(words.kinds), len(words.colors), 3))
    found = layout_of_numbers(*layout_numbers(layout, words), words, albedo)
    for a, b in zip(found.objects, layout.objects, strict=True):
        assert (a.name, a.class_name, a.color_word) == (b.name, b.class_name, b.color_word)
        expected = albedo[words.kinds.index(a.name), words.colors.index(a.color_word)]
        np.testing.assert_allclose(a.color, expected)
    assert found.room is not None
    assert layout.room is not None
    assert (found.room.wall_color, found.room.floor_color) == (layout.room.wall_color, layout.room.floor_color)


def test_what_the_vocabulary_lacks_is_named() -> None:
    layout = room(3)
    beam = replace(layout, objects=(replace(layout.objects[0], name="beam", class_name="ceiling"),))
    with pytest.raises(ValueError, match=r"objects\[0\].class is 'ceiling'"):
        layout_numbers(beam, vocabulary())
    with pytest.raises(ValueError, match="no room"):
        layout_numbers(replace(layout, room=None), vocabulary())


@pytest.mark.parametrize(
    ("name", "class_name", "size", "kind"),
    [
        ("Sofa.001", "sofa", (2.0, 0.9, 0.8), "sofa"),
        ("my_coffee_table", "table", (3.0, 3.0, 3.0), "coffee table"),
        ("Cube.014", "table", (1.5, 0.85, 0.74), "dining table"),
        ("Cube.015", "table", (0.45, 0.45, 0.55), "side table"),
        ("Cube.016", "bed", (1.6, 2.0, 1.0), "bed"),
        ("object", "objs", (0.35, 0.35, 1.5), "floor lamp"),
    ],
)
def test_whatever_a_thing_is_called_a_kind_is_found(
    name: str, class_name: str, size: tuple[float, float, float], kind: str
) -> None:
    obj = LayoutObject(name, class_name, (0.0, 0.0, size[2] / 2), size)
    found = vocabulary().kind_of(obj)
    assert found is not None
    assert vocabulary().kinds[found] == kind

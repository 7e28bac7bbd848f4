"""Parts of streets as the bundled prior draws them: houses get windows, cars of two boxes wheels, lamps thin poles."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import LayoutObject
from occscene.part_shapes import BOX_CORNERS, WALLS, rotations
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from occscene_server.pipelines.blockout_parts import BlockoutParts
from occscene_server.weights import bundled_parts_prior

pytestmark = pytest.mark.weights

Boxes = list[tuple[tuple[float, float, float], tuple[float, float, float]]]
"""Middles and sizes, metres."""

HOUSE: Boxes = [((0.0, 12.0, 3.0), (10.0, 9.0, 6.0)), ((0.0, 12.0, 7.5), (10.0, 4.5, 3.0))]
CAR: Boxes = [((8.0, -2.0, 0.6), (4.5, 1.8, 0.8)), ((7.7, -2.0, 1.2), (2.4, 1.7, 0.5))]
LAMP: Boxes = [((-8.0, 5.0, 3.5), (0.2, 0.2, 7.0)), ((-8.0, 4.2, 7.1), (0.3, 2.2, 0.2))]


@pytest.fixture(scope="module")
def writer() -> BlockoutParts:
    prior = bundled_parts_prior("outdoor")
    assert prior is not None
    return BlockoutParts.from_pretrained(prior)


def refined(
    writer: BlockoutParts, class_name: str, boxes: Boxes, points: np.ndarray | None = None
) -> list[LayoutObject]:
    """What is made of one object of some boxes, whose mesh has `points` if it is not those boxes."""
    volume = default_volume("outdoor")
    labels, instances = np.zeros(volume.shape, np.uint8), np.zeros(volume.shape, np.uint16)
    origin = volume.world_from_grid[:3, 3]
    for center, size in boxes:
        low = np.rint((np.array(center) - np.array(size) / 2 - origin) / volume.voxel_size).astype(int)
        high = np.rint((np.array(center) + np.array(size) / 2 - origin) / volume.voxel_size).astype(int)
        place = tuple(slice(a, max(a + 1, b)) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        labels[place], instances[place] = OUTDOOR.index_of(class_name), 1
    grid = SemanticGrid(
        labels, volume.voxel_size, volume.world_from_grid, "outdoor", instances, (GridObject(1, class_name),)
    )
    corners = np.concatenate([BOX_CORNERS * size + center for center, size in boxes]) if points is None else points
    return list(writer.refine(grid, "", None, {1: corners})[1].values())


def test_a_house_of_two_boxes_gets_a_wall_with_a_door_and_windows(writer: BlockoutParts) -> None:
    (house,) = refined(writer, "building", HOUSE)
    kinds = [part.kind for part in house.parts]
    assert set(kinds) & set(WALLS[1:]), kinds
    walls = [part for part in house.parts if part.kind in WALLS]
    assert all(part.size[1] < 0.5 and part.size[0] > 4 for part in walls)


def test_no_box_fills_the_windows_of_a_wall(writer: BlockoutParts) -> None:
    houses = [
        LayoutObject("house", "building", (0.0, 0.0, h / 2), (w, 10.0, h)) for w in (8, 11, 14) for h in (6, 10, 15)
    ]
    phrases = ["a yellow town house with a shop", "a brick house", "a white cottage"] * 3
    for house in writer.with_parts(houses, phrases, range(9)):
        body = max(house.parts, key=lambda part: float(np.prod(part.size)))
        for wall in (part for part in house.parts if part.kind in WALLS):
            assert wall.size[1] <= 0.3 + 1e-9
            outward = rotations(np.array([wall.rotation]))[0][:, 1]
            front = np.array(body.center) + np.sign(outward.round(6)) * np.array(body.size) / 2
            before = float((np.array(wall.center) - front) @ outward) - wall.size[1] / 2
            assert before > -1e-6 or before < -0.6  # or the wall is one within the house


def test_a_car_of_two_boxes_gets_wheels(writer: BlockoutParts) -> None:
    (car,) = refined(writer, "car", CAR)
    assert sum(part.kind in ("cylinder", "rod") for part in car.parts) >= 4


def test_a_lamp_boxed_with_its_arm_has_a_slender_pole(writer: BlockoutParts) -> None:
    (lamp,) = refined(writer, "pole", LAMP)
    tall = [part for part in lamp.parts if part.kind in ("rod", "cylinder") and part.size[2] > 4.0]
    assert tall
    assert all(max(part.size[:2]) < 0.4 for part in tall)


def test_a_mesh_of_many_corners_stays_as_it_is(writer: BlockoutParts) -> None:
    box = np.concatenate([BOX_CORNERS * size + center for center, size in CAR])
    dense = np.concatenate([box, np.random.default_rng(0).uniform(box.min(0), box.max(0), (400, 3))])
    assert refined(writer, "car", CAR, dense) == []

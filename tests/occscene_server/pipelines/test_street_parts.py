"""Parts of streets as the bundled prior draws them: houses get windows, cars of two boxes wheels, lamps thin poles."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import LayoutObject
from occscene.part_shapes import BOX_CORNERS, WALLS, rotations
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from occscene_server.geometry.solids import BOX, Solids
from occscene_server.pipelines.blockout_parts import BlockoutParts, painted
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


def blockout(class_name: str, boxes: Boxes) -> SemanticGrid:
    """One object of some boxes."""
    volume = default_volume("outdoor")
    labels, instances = np.zeros(volume.shape, np.uint8), np.zeros(volume.shape, np.uint16)
    origin = volume.world_from_grid[:3, 3]
    for center, size in boxes:
        low = np.rint((np.array(center) - np.array(size) / 2 - origin) / volume.voxel_size).astype(int)
        high = np.rint((np.array(center) + np.array(size) / 2 - origin) / volume.voxel_size).astype(int)
        place = tuple(slice(a, max(a + 1, b)) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        labels[place], instances[place] = OUTDOOR.index_of(class_name), 1
    return SemanticGrid(
        labels, volume.voxel_size, volume.world_from_grid, "outdoor", instances, (GridObject(1, class_name),)
    )


def refined(
    writer: BlockoutParts, class_name: str, boxes: Boxes, points: np.ndarray | None = None
) -> list[LayoutObject]:
    """What is made of one object of some boxes, whose mesh has `points` if it is not those boxes."""
    corners = np.concatenate([BOX_CORNERS * size + center for center, size in boxes]) if points is None else points
    return list(writer.refine(blockout(class_name, boxes), "", None, {1: corners})[1].values())


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


def test_mirrors_and_eaves_are_no_part_of_a_body() -> None:
    box, mirrors = np.array([2.0, 10.0, 3.0]), np.array([[1.2, 4.9, 0.5], [-1.2, 4.9, 0.5]])
    bus = Solids(
        np.array([BOX, BOX, BOX]), np.array([[0.0, 0.0, 0.0], *mirrors]), np.array([box, *[(0.2, 0.1, 0.4)] * 2]),
        np.tile(np.eye(3), (3, 1, 1)), np.ones(3), ("car_paint", "rubber", "rubber"), np.array([0, 1, 1]),
    )  # fmt: skip
    low, high = bus.body()
    np.testing.assert_allclose([low, high], [-box / 2, box / 2], rtol=0.02)
    fitted = bus.fitted(np.array([2.4, 10.0, 3.0]))
    np.testing.assert_allclose(fitted.size[0], (2.4, 10.0, 3.0), rtol=0.03)
    assert np.abs(fitted.center[1:, 0]).min() > 1.4, "mirrors stand out of the box"
    assert bus.fitted(np.array([9.0, 10.0, 3.0])).size[0, 0] == pytest.approx(2.5), "a quarter more at most"
    np.testing.assert_allclose(bus.fitted(np.array([1.0, 1.0, 1.0])).size, bus.size, err_msg="nothing shrinks")


def test_a_spire_comes_down_to_its_tower_and_a_balcony_stays() -> None:
    center = np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 13.0], [0.0, 3.0, 6.0]])
    church = Solids(
        np.array([BOX, BOX, BOX]), center, np.array([[4.0, 4.0, 10.0], [3.0, 3.0, 3.0], [2.0, 2.0, 0.2]]),
        np.tile(np.eye(3), (3, 1, 1)), np.ones(3), ("stone", "roof_tiles", "stone"), np.array([0, 1, 0]),
    )  # fmt: skip
    grounded = church.grounded()
    assert grounded.center[1, 2] - grounded.size[1, 2] / 2 == pytest.approx(10.0)
    assert grounded.center[1, 2] + grounded.size[1, 2] / 2 == pytest.approx(14.5)
    np.testing.assert_allclose(grounded.size[[0, 2]], church.size[[0, 2]])
    high = church.body()[1]
    assert high[2] == pytest.approx(14.5, abs=0.4), "a spire is part of the body"


@pytest.mark.parametrize("size", [(2.5, 10.5, 2.75), (2.0, 5.4, 2.3)], ids=["bus", "van"])
def test_vehicles_fill_their_box(writer: BlockoutParts, size: tuple[float, float, float]) -> None:
    """The layouts that the prior learned from have boxes around mirrors; an artist's are as wide as the body."""
    (vehicle,) = refined(writer, "other-vehicle", [((0.0, 0.0, size[2] / 2), size)])
    body = max(vehicle.parts, key=lambda part: float(np.prod(part.size)))
    assert body.size[0] > 0.93 * size[0]


@pytest.mark.parametrize(
    ("name", "size"), [("bus", (2.5, 10.5, 3.0)), ("caravan", (2.2, 5.0, 2.4)), ("truck", (2.5, 8.0, 3.3))]
)
def test_windows_lie_on_the_painted_body(writer: BlockoutParts, name: str, size: tuple[float, float, float]) -> None:
    class_name = "truck" if name == "truck" else "other-vehicle"
    vehicle = LayoutObject(name, class_name, (0.0, 0.0, size[2] / 2), size)
    (made,) = writer.with_parts([vehicle], [""], None)
    painted = [part for part in made.parts if part.material == "car_paint"]
    panes = [part for part in made.parts if part.material == "gloss"]
    body = max(painted, key=lambda part: float(np.prod(part.size)))
    sides = [part for part in panes if part.size[0] < 0.1]
    assert len(sides) == (2 if name == "truck" else 2 * round((body.size[1] - 1.0) / 1.45))
    middle, half = np.array(body.center), np.array(body.size) / 2
    for pane in panes:
        away = np.abs(np.array(pane.center) - middle)
        assert (away + np.array(pane.size) / 2 <= half + 0.026).all()
        assert np.isclose(away, half).any(), "on a side of the body"
    assert any(pane.center[1] > middle[1] + half[1] - 0.1 for pane in panes), "a windscreen"
    (again,) = writer.with_parts([vehicle], [""], None)
    assert again.parts == made.parts


def test_cars_have_windows_of_their_own(writer: BlockoutParts) -> None:
    (van,) = writer.with_parts([LayoutObject("van", "other-vehicle", (0, 0, 1.2), (2.0, 5.4, 2.4))], [""], None)
    assert all(part.size[0] > 1.0 for part in van.parts if part.material == "gloss"), "only the prior's windscreen"


def test_voxels_of_one_box_follow_the_parts_those_of_two_stay(writer: BlockoutParts) -> None:
    for boxes, is_carved in ((CAR, False), ([((8.0, -2.0, 0.75), (4.5, 1.8, 1.5))], True)):
        grid = blockout("car", boxes)
        corners = np.concatenate([BOX_CORNERS * size + center for center, size in boxes])
        finer, made = writer.refine(grid, "", None, {1: corners})
        assert list(made) == [1]
        assert ((grid.labels > 0) & (finer.labels == 0)).any() == is_carved
        assert not ((grid.labels == 0) & (finer.labels > 0)).any(), "what sticks out is only seen"


def test_a_lamp_boxed_with_its_arm_has_a_slender_pole(writer: BlockoutParts) -> None:
    (lamp,) = refined(writer, "pole", LAMP)
    tall = [part for part in lamp.parts if part.kind in ("rod", "cylinder") and part.size[2] > 4.0]
    assert tall
    assert all(max(part.size[:2]) < 0.4 for part in tall)


@pytest.mark.parametrize("shape", ["ball", "cone", "lumps", "dense ball"])
def test_a_crown_of_one_ball_or_cone_gets_parts_a_modelled_one_stays(writer: BlockoutParts, shape: str) -> None:
    angle, height = np.meshgrid(np.arange(24) / 24 * 2 * np.pi, np.linspace(-1, 1, 13))
    width = (1 - height) / 2 if shape == "cone" else np.sqrt(1 - height**2)
    ball = np.stack([width * np.cos(angle), width * np.sin(angle), height], -1).reshape(-1, 3) * 2.0
    if shape == "lumps":
        ball = np.concatenate([ball, ball * 0.7 + (1.6, 0.0, 1.0)])
    if shape == "dense ball":
        direction = np.random.default_rng(0).normal(size=(4000, 3))
        ball = 2.0 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    middle = np.array([0.0, 6.0, 5.0])
    grid = blockout("vegetation", [((0.0, 6.0, 5.0), (4.0, 4.0, 4.0))])
    place = (np.argwhere(grid.labels) + 0.5) * grid.voxel_size + grid.world_from_grid[:3, 3]
    grid.labels[grid.labels > 0] *= np.linalg.norm(place - middle, axis=1) < 2.0
    grid.instances[grid.labels == 0] = 0
    finer, made = writer.refine(grid, "a linden tree", None, {1: ball + middle})
    is_sketch = shape in ("ball", "cone")
    assert bool(made) == is_sketch
    assert ((grid.labels > 0) & (finer.labels == 0)).any() == is_sketch


def test_a_mesh_of_many_corners_stays_as_it_is(writer: BlockoutParts) -> None:
    box = np.concatenate([BOX_CORNERS * size + center for center, size in CAR])
    dense = np.concatenate([box, np.random.default_rng(0).uniform(box.min(0), box.max(0), (400, 3))])
    assert refined(writer, "car", CAR, dense) == []


def likeness_to_itself_turned(grid: SemanticGrid, place: np.ndarray) -> float:
    """IoU of the object's voxels, within those of its box, with the same turned by half a turn."""
    own = np.argwhere(place)
    block = (grid.instances == 1)[tuple(slice(a, b + 1) for a, b in zip(own.min(0), own.max(0), strict=True))]
    turned = block[::-1, ::-1]
    return float((block & turned).sum() / (block | turned).sum())


@pytest.mark.parametrize("class_name", ["bicyclist", "motorcycle", "car"])
def test_voxels_of_what_may_face_either_way_are_those_of_both(writer: BlockoutParts, class_name: str) -> None:
    size = (1.8, 4.4, 1.6) if class_name == "car" else (0.8, 2.0, 1.8)
    middle = (0.0, 0.0, size[2] / 2)
    given = blockout(class_name, [(middle, size)])
    grid, made = writer.refine(given, "", None, {1: BOX_CORNERS * size + middle})
    place = given.instances == 1
    assert 0.05 < (grid.instances == 1).sum() / place.sum() < 0.9, "parts, not the box"
    either, one = (likeness_to_itself_turned(each, place) for each in (grid, painted(given, made)))
    if class_name == "car":
        assert either == one
    else:
        assert either > one + 0.15

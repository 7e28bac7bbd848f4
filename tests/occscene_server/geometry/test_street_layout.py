"""Plans of streets put along a bend, and what must not be in them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from occscene.layout import Layout, LayoutObject

from occscene_server.geometry.course import Course
from occscene_server.geometry.layout_rules import sight_of
from occscene_server.geometry.relations import relation_names
from occscene_server.geometry.street_layout import followed, planned, stood, street_layout
from occscene_server.geometry.street_rules import conflict, floating, outside, overlapping

LEFT = Course(1 / 45, -4.0, 30.0)
ROAD = LayoutObject("road", "road", (0.0, 0.0, -0.1), (64.0, 6.0, 0.2))
CAR = LayoutObject("car", "car", (4.0, 2.0, 0.75), (1.8, 4.4, 1.5), math.pi / 2, "red")
HOUSE = LayoutObject("house", "building", (10.0, 12.0, 4.0), (9.0, 8.0, 8.0), math.pi)


@pytest.mark.parametrize("course", [Course(), LEFT, Course(-1 / 60, 2.0, 20.0)])
def test_an_object_goes_into_the_plan_and_back(course: Course) -> None:
    for obj in (CAR, HOUSE):
        s, d = obj.center[0] + 0.3, obj.center[1] - 0.2
        back = stood(planned(stood(obj, course), obj.center[0], obj.center[1], course), course)
        np.testing.assert_allclose([*back.center, back.turn], [*stood(obj, course).center, back.turn], atol=1e-9)
        # seen from another foot it is the same object in the world, but for the bend between
        near = planned(stood(obj, course), s, d, course)
        np.testing.assert_allclose(near.center, obj.center, atol=0.1)


def test_the_road_follows_the_bend_without_gaps() -> None:
    pieces = [obj for obj in street_layout([ROAD], LEFT).objects if obj.name == "road"]
    assert 4 <= len(pieces) <= 12
    s = np.linspace(-31.0, 31.0, 400)
    for d in (-2.8, 0.0, 2.8):
        for x, y in LEFT.flat(np.column_stack([s, np.full(400, d)])):
            local = [np.abs((np.array([x, y, -0.1]) - obj.center) @ obj.axes) for obj in pieces]
            assert any(
                (place[:2] <= np.array(obj.size[:2]) / 2 + 1e-6).all() for place, obj in zip(local, pieces, strict=True)
            )
    # and it leaves the true course by less than a voxel
    corners = np.concatenate([obj.corners[:, :2] for obj in pieces])
    center = LEFT.flat(np.column_stack([np.linspace(-40, 40, 8000), np.zeros(8000)]))
    reach = np.linalg.norm(corners[:, None] - center[None], axis=2).min(1)
    assert np.abs(reach - 3.0).max() < 0.2


def test_cars_are_parallel_to_the_road_where_it_bends() -> None:
    layout = street_layout([ROAD, CAR], LEFT)
    car = layout.objects[-1]
    nearest = min(layout.objects[:-1], key=lambda obj: math.dist(obj.center[:2], car.center[:2]))
    assert abs(math.sin(2 * (car.turn - nearest.turn))) < 0.15
    assert car.center[1] > CAR.center[1]


def test_trees_have_trunks_and_signs_have_posts() -> None:
    crown = LayoutObject("tree crown", "vegetation", (3.0, 5.0, 4.5), (4.0, 4.0, 4.0), 0.2, "linden")
    sign = LayoutObject("traffic sign", "traffic-sign", (0.0, -4.0, 2.4), (0.6, 0.1, 0.6))
    _, trunk, _, post = street_layout([crown, sign], Course()).objects
    assert (trunk.name, trunk.class_name, trunk.color_word) == ("tree trunk", "trunk", "linden")
    assert trunk.bottom == 0.0
    assert crown.bottom < trunk.top < crown.top
    assert trunk.center[:2] == crown.center[:2]
    assert (post.name, post.class_name, post.bottom) == ("sign post", "pole", 0.0)
    assert post.top == pytest.approx(sign.top)


def test_trunks_and_posts_go_where_what_they_carry_goes() -> None:
    crown = LayoutObject("tree crown", "vegetation", (3.0, 5.0, 4.5), (4.0, 4.0, 4.0), 0.2, "linden")
    sign = LayoutObject("traffic sign", "traffic-sign", (0.0, -4.0, 2.4), (0.6, 0.1, 0.6))
    other = replace(crown, center=(-9.0, 5.0, 4.5))
    objects = list(street_layout([crown, sign, other], Course()).objects)
    before = list(objects)
    followed(objects, crown, replace(crown, center=(6.0, 7.0, 5.5)))
    followed(objects, replace(sign, name="Stop!"), replace(sign, center=(1.0, -5.0, 2.9)))
    followed(objects, other, replace(other, name="bush"))
    assert {index for index in range(6) if objects[index] != before[index]} == {1, 3}
    trunk, post = objects[1], objects[3]
    assert (trunk.center[:2], trunk.bottom) == ((6.0, 7.0), 0.0)
    assert trunk.size[:2] == before[1].size[:2]
    assert trunk.top > before[1].top
    assert post.top == pytest.approx(3.2)
    assert math.dist(post.center[:2], (1.0, -5.0)) < 0.2


def test_left_and_right_are_those_of_the_road_wherever_it_bends() -> None:
    behind = LayoutObject("person", "person", (20.0, -4.5, 0.9), (0.5, 0.5, 1.8))
    names = relation_names(street_layout([ROAD, CAR, HOUSE, behind], LEFT))
    assert names == {("car", "on the left", ""), ("house", "on the left", ""), ("person", "on the right", "")}
    assert stood(behind, LEFT).center[1] > 0  # to the left of where the road began


def test_what_must_not_be_is_seen() -> None:
    assert conflict(CAR, [ROAD, HOUSE]) == 0.0
    other = LayoutObject("car", "car", (5.0, 2.2, 0.75), CAR.size, CAR.turn)
    assert conflict(other, [ROAD, CAR]) > 0.15
    assert conflict(LayoutObject("house", "building", (0.0, 4.0, 3.0), (8.0, 8.0, 6.0)), [ROAD]) > 0.3
    flying = LayoutObject("person", "person", (0.0, 5.0, 3.0), (0.5, 0.5, 1.8))
    assert conflict(flying, []) == 10.0
    assert conflict(LayoutObject("car", "car", (40.0, 0.0, 0.75), CAR.size), []) == 10.0
    crown = LayoutObject("tree crown", "vegetation", (10.0, 6.5, 4.0), (5.0, 5.0, 4.0))
    assert conflict(crown, [HOUSE, ROAD]) == 0.0, "crowns may touch houses"
    assert conflict(LayoutObject("tree crown", "vegetation", (10.0, 12.0, 4.0), (5.0, 5.0, 4.0)), [HOUSE]) > 0
    sight = sight_of((4.0, 0.8, 1.6), (0.0, 1.0, 0.0))
    assert conflict(CAR, [ROAD]) == 0.0
    assert conflict(CAR, [ROAD], [replace(sight, center=(4.0, 2.0, 1.4))]) == 10.0
    assert conflict(ROAD, [], [sight]) == 0.0
    layout = Layout("outdoor", None, (ROAD, CAR, other, flying, HOUSE))
    assert overlapping(layout) == [True, True, False, False]
    assert floating(layout) == [False, False, False, True, False]
    assert outside(layout) == [False] * 4

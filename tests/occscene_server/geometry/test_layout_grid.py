"""Layouts voxelised by formula: the extension's voxeliser finds the same voxels for the same boxes as triangles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from occscene.grid import GridVolume, SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutRoom, Vector
from occscene.taxonomy import INDOOR
from occscene.volumes import default_volume

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize
from occscene_server.geometry.layout_grid import BoxObject, box_objects, grid_of_boxes, layout_grid
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import room_layout

SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def voxelized(boxes: list[BoxObject], volume: GridVolume) -> SemanticGrid:
    """The reference: boxes as triangles through the extension."""
    sides = np.array([(s[0], s[i], s[i + 1]) for s in SIDES for i in (1, 2)])
    return voxelize(
        [
            TriangleObject(
                box.obj.name, INDOOR.index_of(box.obj.class_name), box.obj.corners[sides], box.priority,
                Fill.SURFACE if box.shell_only else Fill.SOLID, box.obj.color,
            )
            for box in boxes
        ],
        volume,
        INDOOR,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [*range(30), 20011, 77777])
def test_rooms_are_voxelised_as_by_the_extension(seed: int) -> None:
    layout, volume = room_layout(build_room(seed)), default_volume("indoor")
    found, wanted = layout_grid(layout, volume), voxelized(box_objects(layout), volume)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.instances, wanted.instances)
    assert [replace(item, prompt="") for item in found.objects] == list(wanted.objects)


@given(
    st.tuples(*[st.floats(-2.5, 2.5)] * 2, st.floats(-0.2, 2.8)),
    st.one_of(
        st.tuples(st.tuples(*[st.floats(0.17, 2.0)] * 2, st.floats(0.09, 2.0)), st.floats(-7, 7)),
        st.tuples(
            st.tuples(st.floats(0.17, 2.0), st.floats(0.01, 2.0), st.floats(0.09, 2.0)),
            st.integers(0, 3).map(lambda quarters: quarters * math.pi / 2),
        ),
    ),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_turned_box_is_voxelised_as_by_the_extension(
    center: tuple[float, float, float], box: tuple[tuple[float, float, float], float], shell_only: bool
) -> None:
    """But for faces on voxel planes or centres, where a rounding decides."""
    (size, turn), volume = box, default_volume("indoor")
    obj = LayoutObject("box", "furn", center, size, turn)
    halves = (obj.corners - volume.world_from_grid[:3, 3]) / volume.voxel_size * 2
    assume(np.abs(halves - np.rint(halves)).min() > 1e-3)
    boxes = [BoxObject(obj, 50, shell_only)]
    np.testing.assert_array_equal(grid_of_boxes(boxes, volume, "indoor").labels, voxelized(boxes, volume).labels)


def test_a_needle_is_not_lost() -> None:
    needle = LayoutObject("needle", "objs", (0.3, 0.2, 1.0), (0.01, 0.01, 1.0), 0.3)
    grid = layout_grid(Layout("indoor", None, (needle,)), default_volume("indoor"))
    columns = np.argwhere(grid.labels.any(axis=2))
    assert len(columns) == 1
    assert grid.labels[tuple(columns[0])].astype(bool).sum() in (13, 14)


def test_a_leaning_volume_is_refused() -> None:
    pose = np.eye(4)
    pose[1:3, 1:3] = [[math.cos(0.1), -math.sin(0.1)], [math.sin(0.1), math.cos(0.1)]]
    with pytest.raises(ValueError, match="leans"):
        layout_grid(Layout("indoor", LayoutRoom((4.0, 4.0, 2.5)), ()), GridVolume((8, 8, 8), 0.08, pose))


def test_walls_and_floor_have_the_room_s_colors_as_hints_where_they_are_known() -> None:
    def hints(walls: str, floor: str) -> dict[str, Vector | None]:
        grid = layout_grid(Layout("indoor", LayoutRoom((4.0, 4.0, 2.5), walls, floor), ()), default_volume("indoor"))
        return {item.name: item.hint for item in grid.objects}

    colors = hints("teal", "terracotta")
    red, green, blue = colors["north wall"] or (0.0, 0.0, 0.0)
    assert red < green < blue
    assert {colors[f"{side} wall"] for side in ("south", "north", "west", "east")} == {(red, green, blue)}
    red, green, blue = colors["floor"] or (0.0, 0.0, 0.0)
    assert red > green > blue
    assert colors["ceiling"] is None
    assert set(hints("", "").values()) == {None}
    assert set(hints("octarine", "octarine").values()) == {None}

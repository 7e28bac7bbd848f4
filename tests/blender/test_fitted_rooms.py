"""Rooms modelled in Blender, in volumes that the add-on fits to them."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import voxelize, voxelize_with_rooms
from blender_addon.scene.collect import collect_blockout
from blender_addon.scene.volume import grid_volume
from tests.blender.build_scenes import add_box, add_material

SIDES = {
    "floor": ((0, 0, -1), "floor"),
    "ceiling": ((0, 0, 1), "ceiling"),
    "west": ((-1, 0, 0), "wall"),
    "east": ((1, 0, 0), "wall"),
    "south": ((0, -1, 0), "wall"),
    "north": ((0, 1, 0), "window"),
}


def add_plane_room(size: tuple[float, float, float], middle: tuple[float, float, float]) -> None:
    """A room of six planes, placed and turned as one does it by hand."""
    for name, (side, class_name) in SIDES.items():
        normal = np.array(side, float)
        first, second = (np.roll(np.abs(normal), step) * size / 2 for step in (1, 2))
        corners = [a * first + b * second for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([tuple(corner) for corner in corners], [], [(0, 1, 2, 3)])
        obj = bpy.data.objects.new(name, mesh)
        obj.location = np.array(middle) + normal * size / 2
        obj.occscene.class_name = class_name
        bpy.context.scene.collection.objects.link(obj)


def labels() -> NDArray[np.uint8]:
    bpy.context.view_layer.update()
    return voxelize(collect_blockout(bpy.context).objects, grid_volume(bpy.context.scene), INDOOR).labels


def shares(grid: NDArray[np.uint8], inside: tuple[slice, slice, slice]) -> dict[str, float]:
    """How much of each side's outermost layer, the room's edges aside, is of the side's class."""
    filled = {}
    for name, (side, class_name) in SIDES.items():
        axis = int(np.flatnonzero(side)[0])
        index = list(inside)
        index[axis] = slice(-1, None) if side[axis] > 0 else slice(0, 1)
        filled[name] = float((grid[tuple(index)] == INDOOR.index_of(class_name)).mean())
    return filled


@pytest.mark.parametrize("voxel", [0.05, 0.08, 0.1, 0.125, 0.2, 0.25])
@pytest.mark.parametrize("middle", [(0.0, 0.0, 1.25), (0.37, -11.9, 4.6)])
def test_all_planes_of_a_room_are_in_a_tight_volume(
    scene: bpy.types.Scene, voxel: float, middle: tuple[float, float, float]
) -> None:
    add_plane_room((4.0, 4.0, 2.5), middle)
    scene.occscene.voxel_size = voxel
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    grid = labels()
    wide, deep, high = (int(side / voxel) for side in (4.0, 4.0, 2.5))
    filled = shares(grid, (slice(1, wide - 1), slice(1, deep - 1), slice(1, high - 1)))
    assert filled == dict.fromkeys(SIDES, 1.0)


@pytest.mark.parametrize("middle", [(0.0, 0.0, 1.44), (0.37, -11.9, 4.6)])
def test_all_walls_of_a_room_of_the_domains_own_size_are_in_its_volume(
    scene: bpy.types.Scene, middle: tuple[float, float, float]
) -> None:
    add_plane_room((4.8, 4.8, 2.5), middle)
    bpy.ops.occscene.fit_volume(mode="PRESET")
    grid = labels()
    filled = shares(grid, (slice(1, 59), slice(1, 59), slice(2, 30)))
    assert {name: share for name, share in filled.items() if share < 1 and name not in ("floor", "ceiling")} == {}
    for class_name in ("floor", "ceiling"):
        level = (grid == INDOOR.index_of(class_name))[1:-1, 1:-1].all(axis=(0, 1))
        assert level.sum() == 1


@pytest.mark.parametrize("side", [4.0, 6.0])
def test_what_the_next_step_places_holds_all_walls(scene: bpy.types.Scene, side: float) -> None:
    """The domain's own size would cut a room of 6 m, and a new user sees only its views."""
    add_plane_room((side, side, 2.5), (0.0, 0.0, 1.25))
    bpy.ops.occscene.fit_volume(mode="WHOLE")
    volume = grid_volume(scene)
    assert (volume.shape == (60, 60, 36)) == (side < 4.8)
    grid = voxelize_with_rooms(collect_blockout(bpy.context).objects, volume, INDOOR)[0]
    assert set(np.unique(grid.labels)) >= {INDOOR.index_of(name) for name in ("wall", "floor", "ceiling")}


def test_a_cube_with_slots_for_walls_floor_and_ceiling_is_a_room(scene: bpy.types.Scene) -> None:
    room = add_box("room", (4.0, 4.0, 2.5), (0.3, 0.1, 1.25))
    for class_name in ("wall", "floor", "ceiling"):
        add_material(room, class_name, class_name)
    for face in room.data.polygons:
        face.material_index = 1 if face.normal.z < -0.5 else 2 if face.normal.z > 0.5 else 0
    room.data.flip_normals()
    bpy.ops.occscene.fit_volume(mode="PRESET")
    blockout = collect_blockout(bpy.context)
    grid, rooms = voxelize_with_rooms(blockout.objects, grid_volume(scene), INDOOR)
    assert {blockout.sources[number] for number in rooms} == {"room"}
    assert set(np.unique(grid.labels)) == {0, *(INDOOR.index_of(name) for name in ("wall", "floor", "ceiling"))}
    assert not grid.labels[10:50, 10:50, 5:28].any()
    room.occscene.fill = "SOLID"
    assert labels()[10:50, 10:50, 5:28].all()


def test_suzanne_and_a_pipe_without_caps_are_solid(scene: bpy.types.Scene) -> None:
    bpy.ops.mesh.primitive_monkey_add(size=1.9, location=(0, 0, 1))
    monkey = bpy.context.object
    curve = bpy.data.curves.new("pipe", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", 0.1
    spline = curve.splines.new("BEZIER")
    spline.bezier_points.add(1)
    for point, place in zip(spline.bezier_points, ((-1.5, -1.6, 0.3), (1.5, -1.6, 0.3)), strict=True):
        point.co, point.handle_left_type, point.handle_right_type = place, "AUTO", "AUTO"
    pipe = bpy.data.objects.new("pipe", curve)
    scene.collection.objects.link(pipe)
    for obj in (monkey, pipe):
        obj.occscene.class_name = "objs"
    scene.occscene.voxel_size = 0.04
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    grid = labels() > 0
    filled = grid.sum() * 0.04**3
    monkey.occscene.fill = pipe.occscene.fill = "SURFACE"
    hollow = labels() > 0
    assert not (hollow & ~grid).any()
    assert hollow.sum() < 0.6 * grid.sum()
    pipe_volume, monkey_volume = 3.0 * np.pi * 0.1**2, 1.86  # what libigl's winding numbers hold for Suzanne's inside
    assert abs(filled - pipe_volume - monkey_volume) < 0.03

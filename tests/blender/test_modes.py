"""What is shown in a mode is what is collected, and neither the mode nor the undo stack changes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

import bmesh
import bpy
import numpy as np
import pytest

from blender_addon.scene.collect import collect_blockout
from tests.blender.build_scenes import add_box

Extent = tuple[float, float]


def extents() -> dict[str, Extent]:
    """The lowest and the highest x of what is collected, by the objects' names."""
    bpy.context.view_layer.update()
    objects = collect_blockout(bpy.context).objects
    return {item.name: (float(item.triangles[..., 0].min()), float(item.triangles[..., 0].max())) for item in objects}


def tagged(name: str, x: float = 0.0) -> bpy.types.Object:
    box = add_box(name, location=(x, 0, 0))
    box.occscene.class_name = "objs"
    return box


def enter(mode: str, *objects: bpy.types.Object) -> None:
    """Goes into a mode with several objects; the first is the active one."""
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]
    bpy.ops.object.mode_set(mode=mode)
    assert {obj.mode for obj in objects} == {mode}


def stretch(obj: bpy.types.Object) -> None:
    """Moves the upper side along x one unit out, in Edit Mode."""
    edited = bmesh.from_edit_mesh(obj.data)
    for vertex in edited.verts:
        if vertex.co.x > 0:
            vertex.co.x += 1
    bmesh.update_edit_mesh(obj.data)


def test_objects_in_edit_mode_are_collected_unchanged() -> None:
    enter("EDIT", tagged("a"), tagged("b", 5))
    tagged("c", 10)
    assert extents() == {"a": (-0.5, 0.5), "b": (4.5, 5.5), "c": (9.5, 10.5)}


def test_the_edit_is_collected_before_it_is_applied() -> None:
    first, second = tagged("a"), tagged("b", 5)
    enter("EDIT", first, second)
    stretch(first)
    stretch(second)
    assert extents() == {"a": (-0.5, 1.5), "b": (4.5, 6.5)}
    assert (first.mode, second.mode) == ("EDIT", "EDIT")
    assert max(vertex.co.x for vertex in first.data.vertices) == 0.5  # not applied by collecting


def test_deleted_faces_are_gone_and_new_ones_there() -> None:
    box = tagged("a")
    enter("EDIT", box)
    edited = bmesh.from_edit_mesh(box.data)
    edited.faces.ensure_lookup_table()
    bmesh.ops.delete(edited, geom=[edited.faces[0]], context="FACES_ONLY")
    bmesh.ops.create_cube(edited, size=2.0)
    bmesh.update_edit_mesh(box.data)
    bpy.context.view_layer.update()
    (item,) = collect_blockout(bpy.context).objects
    assert len(item.triangles) == 10 + 12


@pytest.mark.parametrize("is_shown", [True, False])
def test_modifiers_count_in_edit_mode_where_they_are_shown(is_shown: bool) -> None:
    box = tagged("a")
    array = box.modifiers.new("array", "ARRAY")
    array.show_in_editmode = is_shown
    enter("EDIT", box)
    stretch(box)
    assert extents() == {"a": (-0.5, 3.5 if is_shown else 1.5)}


def test_a_modifier_that_deforms_only() -> None:
    box = tagged("a")
    displace = box.modifiers.new("displace", "DISPLACE")
    displace.direction, displace.strength, displace.mid_level = "X", 2.0, 0.0
    displace.show_in_editmode = True
    enter("EDIT", box)
    low, high = extents()["a"]
    assert (low, high) == pytest.approx((1.5, 2.5))


def test_linked_duplicates_and_instances_show_the_edit() -> None:
    box = tagged("a")
    twin = tagged("twin", 10)
    twin.data = box.data
    group = bpy.data.collections.new("group")
    group.objects.link(box)
    empty = bpy.data.objects.new("instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", group
    empty.location.x = 20
    bpy.context.scene.collection.objects.link(empty)
    enter("EDIT", box)
    stretch(box)
    assert extents() == {"a": (-0.5, 1.5), "twin": (9.5, 11.5), "instance/a": (19.5, 21.5)}


def test_faces_keep_their_materials_classes_in_edit_mode() -> None:
    box = add_box("a")
    for name in ("sofa", "table"):
        material = bpy.data.materials.new(name)
        material.occscene.class_name = name
        box.data.materials.append(material)
    box.data.polygons[0].material_index = 1
    enter("EDIT", box)
    assert sorted(item.name for item in collect_blockout(bpy.context).objects) == ["a (sofa)", "a (table)"]


@pytest.mark.parametrize("kind", ["CURVE", "SURFACE", "META", "FONT"])
def test_other_geometry_in_edit_mode(kind: str) -> None:
    add: dict[str, Callable[[], object]] = {
        "CURVE": bpy.ops.curve.primitive_bezier_circle_add,
        "SURFACE": bpy.ops.surface.primitive_nurbs_surface_sphere_add,
        "META": bpy.ops.object.metaball_add,
        "FONT": bpy.ops.object.text_add,
    }
    add[kind]()
    obj = bpy.context.object
    obj.occscene.class_name = "objs"
    if kind == "CURVE":
        obj.data.bevel_depth = 0.1
    before = extents()[obj.name]
    bpy.ops.object.mode_set(mode="EDIT")
    assert extents()[obj.name] == pytest.approx(before)


@pytest.mark.parametrize("mode", ["SCULPT", "TEXTURE_PAINT", "VERTEX_PAINT", "WEIGHT_PAINT", "PARTICLE_EDIT"])
@pytest.mark.parametrize("modifier", ["", "ARRAY"])
def test_painting_and_sculpting(mode: str, modifier: str) -> None:
    box = tagged("a")
    if modifier:
        box.modifiers.new("modifier", modifier)
    if mode == "PARTICLE_EDIT":
        box.modifiers.new("hair", "PARTICLE_SYSTEM")
        box.particle_systems[0].settings.type = "HAIR"
    before = extents()
    enter(mode, box)
    assert extents() == before == {"a": (-0.5, 1.5 if modifier else 0.5)}
    box.data.vertices[0].co.x = -3.0  # as a stroke does: without a notification
    assert extents()["a"][0] == -3.0
    assert box.mode == mode


@pytest.mark.parametrize("shown", [1, 3])
def test_sculpting_multires_collects_the_level_that_is_sculpted(shown: int) -> None:
    box = tagged("a", 5)
    box.rotation_euler.z, box.scale.x = 0.3, 2.0
    twin = tagged("twin", 20)
    twin.data = box.data
    multires = box.modifiers.new("multires", "MULTIRES")
    bpy.context.view_layer.objects.active = box
    for _ in range(3):
        bpy.ops.object.multires_subdivide(modifier="multires")
    multires.levels, multires.sculpt_levels = 2, shown
    before = {scene.name for scene in bpy.data.scenes}, {obj.name for obj in bpy.data.objects}
    enter("SCULPT", box)
    bpy.context.view_layer.update()
    items = {item.name: item.triangles for item in collect_blockout(bpy.context).objects}
    assert box.mode == "SCULPT"
    assert ({scene.name for scene in bpy.data.scenes}, {obj.name for obj in bpy.data.objects}) == before
    bpy.ops.object.mode_set(mode="OBJECT")
    multires.levels = shown
    bpy.context.view_layer.update()
    expected = {item.name: item.triangles for item in collect_blockout(bpy.context).objects}
    assert len(expected["a"]) == 12 * 4**shown
    for name in ("a", "twin"):
        np.testing.assert_allclose(items[name], expected[name], atol=1e-5)


def test_sculpting_with_dynamic_topology() -> None:
    box = tagged("a")
    enter("SCULPT", box)
    bpy.ops.sculpt.dynamic_topology_toggle()
    assert box.use_dynamic_topology_sculpting
    assert extents() == {"a": (-0.5, 0.5)}
    assert (box.mode, box.use_dynamic_topology_sculpting) == ("SCULPT", True)


@pytest.mark.parametrize("mode", ["EDIT", "SCULPT"])
def test_the_undo_stack_stays(mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    def steps() -> str:
        flush()
        capfd.readouterr()
        bpy.context.window_manager.print_undo_steps()
        flush()
        return capfd.readouterr().out

    flush = partial(ctypes.CDLL(None).fflush, None)  # Blender's own standard output
    box = tagged("a")
    bpy.ops.ed.undo_push(message="box")
    enter(mode, box)
    bpy.ops.ed.undo_push(message="mode")
    before = steps()
    extents()
    assert "mode" in before
    assert steps() == before

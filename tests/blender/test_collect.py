"""What of a scene is collected, and where."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.scene.collect import Blockout, blockout_bounds, collect_blockout
from tests.blender.build_scenes import add_box


def collected() -> Blockout:
    bpy.context.view_layer.update()
    return collect_blockout(bpy.context)


def test_modifiers_are_evaluated() -> None:
    box = add_box("sofa", location=(0.5, 0.5, 0.5))
    box.occscene.class_name = "sofa"
    array = box.modifiers.new("array", "ARRAY")
    array.count = 3
    (found,) = collected().objects
    assert found.triangles.shape == (36, 3, 3)
    low, high = blockout_bounds((found,))
    np.testing.assert_allclose([low, high], [[0, 0, 0], [3, 1, 1]], atol=1e-6)


def test_collection_instances_are_objects_of_their_own() -> None:
    library = bpy.data.collections.new("library")
    add_box("lamp", collection=library).occscene.class_name = "objs"
    add_box("plain", location=(0, 0, 2), collection=library)
    for x in (0.0, 5.0):
        empty = bpy.data.objects.new("instancer", None)
        empty.instance_type, empty.instance_collection = "COLLECTION", library
        empty.location.x = x
        empty.occscene.class_name = "furn"
        bpy.context.scene.collection.objects.link(empty)
    found = sorted((item.class_index, round(float(item.triangles[..., 0].mean()), 3)) for item in collected().objects)
    assert found == [(10, 0.0), (10, 5.0), (11, 0.0), (11, 5.0)]


def test_geometry_nodes_instances_belong_to_their_object() -> None:
    tree = bpy.data.node_groups.new("scatter", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    scatter, cube = tree.nodes.new("GeometryNodeInstanceOnPoints"), tree.nodes.new("GeometryNodeMeshCube")
    tree.links.new(start.outputs[0], scatter.inputs["Points"])
    tree.links.new(cube.outputs[0], scatter.inputs["Instance"])
    tree.links.new(scatter.outputs[0], end.inputs[0])
    box = add_box("plant", size=(4, 4, 4))
    box.occscene.class_name = "objs"
    box.modifiers.new("nodes", "NODES").node_group = tree
    (found,) = collected().objects
    assert found.name == "plant"
    assert found.triangles.shape == (8 * 12, 3, 3)
    assert found.triangles.min() == pytest.approx(-2.5)


def test_curves_and_text_come_as_meshes() -> None:
    curve = bpy.data.curves.new("sign", "FONT")
    curve.body, curve.extrude = "OX", 0.1
    thing = bpy.data.objects.new("sign", curve)
    thing.occscene.class_name = "objs"
    bpy.context.scene.collection.objects.link(thing)
    (found,) = collected().objects
    assert len(found.triangles) > 50


def test_hidden_untagged_and_own_objects_are_left_out(scene: bpy.types.Scene) -> None:
    hidden_collection = bpy.data.collections.new("hidden")
    hidden_collection.hide_render = True
    scene.collection.children.link(hidden_collection)
    shown, render_hidden, output = (add_box(f"sofa {i}") for i in range(3))
    in_hidden = add_box("sofa 3", collection=hidden_collection)
    for thing in (shown, render_hidden, output, in_hidden):
        thing.occscene.class_name = "sofa"
    render_hidden.hide_render = True
    output.occscene.is_output = True
    add_box("unknown")
    blockout = collected()
    assert [item.name for item in blockout.objects] == ["sofa 0"]
    assert blockout.untagged == ("unknown",)


def test_what_only_the_viewport_hides_counts_and_stays_hidden(scene: bpy.types.Scene) -> None:
    shell = bpy.data.collections.new("shell")
    scene.collection.children.link(shell)
    by_eye, by_monitor, by_collection = add_box("wall"), add_box("floor"), add_box("ceiling", collection=shell)
    for thing in (by_eye, by_monitor, by_collection):
        thing.occscene.class_name = "wall"
    by_eye.hide_set(True)
    by_monitor.hide_viewport = True
    bpy.context.view_layer.layer_collection.children["shell"].hide_viewport = True
    assert sorted(item.name for item in collected().objects) == ["ceiling", "floor", "wall"]
    assert by_eye.hide_get()
    assert by_monitor.hide_viewport
    assert bpy.context.view_layer.layer_collection.children["shell"].hide_viewport


def test_hints_are_the_viewport_color_even_while_tinted(scene: bpy.types.Scene) -> None:
    box = add_box("sofa")
    box.color = (0.1, 0.2, 0.3, 1.0)
    box.occscene.class_name = "sofa"
    assert collected().objects[0].hint is None
    box.occscene.use_hint = True
    bpy.ops.occscene.tint_viewport()
    assert collected().objects[0].hint == pytest.approx((0.1, 0.2, 0.3))
    scene.occscene.use_hints = False
    assert collected().objects[0].hint is None


def test_mirrored_and_parented_transforms() -> None:
    parent = bpy.data.objects.new("parent", None)
    parent.location, parent.scale = (1, 2, 3), (-1, 1, 2)
    bpy.context.scene.collection.objects.link(parent)
    box = add_box("sofa", location=(1, 0, 0))
    box.parent = parent
    box.occscene.class_name = "sofa"
    low, high = blockout_bounds(collected().objects)
    np.testing.assert_allclose([low, high], [[-0.5, 1.5, 2], [0.5, 2.5, 4]], atol=1e-6)

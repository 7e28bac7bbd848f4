"""What of a scene is collected, and where."""

from __future__ import annotations

from pathlib import Path

import bmesh
import bpy
import numpy as np
import pytest
from occscene.part_shapes import BOX_FACES
from occscene.taxonomy import INDOOR

from blender_addon.geometry.class_parts import parts_by_class
from blender_addon.geometry.voxelization.voxelize import Fill, voxelize
from blender_addon.scene.collect import Blockout, blockout_bounds, collect_blockout
from blender_addon.scene.volume import grid_volume
from tests.blender.build_scenes import add_box, add_material


def collected() -> Blockout:
    bpy.context.view_layer.update()
    return collect_blockout(bpy.context)


def test_modifiers_are_evaluated() -> None:
    box = add_box("sofa", location=(0.5, 0.5, 0.5))
    box.occscene.class_name = "sofa"
    array = box.modifiers.new("array", "ARRAY")
    array.count = 3
    (item,) = collected().objects
    assert item.triangles.shape == (36, 3, 3)
    low, high = blockout_bounds((item,))
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
    shown = sorted((item.class_index, round(float(item.triangles[..., 0].mean()), 3)) for item in collected().objects)
    assert shown == [(10, 0.0), (10, 5.0), (11, 0.0), (11, 5.0)]


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
    (item,) = collected().objects
    assert item.name == "plant"
    assert item.triangles.shape == (8 * 12, 3, 3)
    assert item.triangles.min() == pytest.approx(-2.5)


def test_curves_and_text_come_as_meshes() -> None:
    curve = bpy.data.curves.new("sign", "FONT")
    curve.body, curve.extrude = "OX", 0.1
    obj = bpy.data.objects.new("sign", curve)
    obj.occscene.class_name = "objs"
    bpy.context.scene.collection.objects.link(obj)
    (item,) = collected().objects
    assert len(item.triangles) > 50


def test_hidden_untagged_and_own_objects_are_left_out(scene: bpy.types.Scene) -> None:
    hidden_collection = bpy.data.collections.new("hidden")
    hidden_collection.hide_render = True
    scene.collection.children.link(hidden_collection)
    shown, render_hidden, output = (add_box(f"sofa {i}") for i in range(3))
    in_hidden = add_box("sofa 3", collection=hidden_collection)
    for obj in (shown, render_hidden, output, in_hidden):
        obj.occscene.class_name = "sofa"
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
    for obj in (by_eye, by_monitor, by_collection):
        obj.occscene.class_name = "wall"
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


def test_flattened_objects_are_left_out_and_planes_are_not() -> None:
    scales = {"point": (0, 0, 0), "line": (0, 0, 1), "plane": (1, 1, 0)}
    for name, scale in scales.items():
        box = add_box(name)
        box.scale = scale
        box.occscene.class_name = "sofa"
    assert [item.name for item in collected().objects] == ["plane"]


def test_excluded_collections_are_left_out(scene: bpy.types.Scene) -> None:
    away = bpy.data.collections.new("away")
    scene.collection.children.link(away)
    add_box("sofa", collection=away).occscene.class_name = "sofa"
    assert len(collected().objects) == 1
    bpy.context.view_layer.layer_collection.children["away"].exclude = True
    assert collected() == Blockout((), (), (), ())


def test_cameras_lights_and_empties_are_no_geometry(scene: bpy.types.Scene) -> None:
    for data in (bpy.data.cameras.new("a"), bpy.data.lights.new("b", "POINT"), None, bpy.data.armatures.new("c")):
        obj = bpy.data.objects.new("obj", data)
        obj.occscene.class_name = "sofa"
        scene.collection.objects.link(obj)
    assert collected() == Blockout((), (), (), ())


def test_surfaces_and_metaballs_come_as_meshes(scene: bpy.types.Scene) -> None:
    bpy.ops.object.metaball_add(type="BALL")
    bpy.context.object.occscene.class_name = "objs"
    bpy.ops.surface.primitive_nurbs_surface_sphere_add(location=(5, 0, 0))
    bpy.context.object.occscene.class_name = "furn"
    assert sorted(item.class_index for item in collected().objects) == [10, 11]


def test_linked_collections_are_collected(scene: bpy.types.Scene, tmp_path: Path) -> None:
    library = bpy.data.collections.new("library")
    box = add_box("sofa", collection=library)
    box.occscene.class_name = "sofa"
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {library})
    bpy.data.batch_remove([box, library])
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, target):
        target.collections = ["library"]
    scene.collection.children.link(target.collections[0])
    assert [item.class_index for item in collected().objects] == [7]


def test_a_slots_class_is_painted_on_a_box_that_stays_filled(scene: bpy.types.Scene) -> None:
    wall = add_box("wall", (2.0, 0.4, 2.0))
    wall.occscene.class_name = ""
    add_material(wall, "plaster", "wall")
    add_material(wall, "glass", "window")
    front = next(face for face in wall.data.polygons if face.normal.y < -0.5)
    front.material_index = 1
    scene.occscene.voxel_size = 0.1
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    labels = voxelize(collected().objects, grid_volume(scene), INDOOR).labels
    assert labels.shape == (20, 4, 20)
    assert (labels[:, 0] == INDOOR.index_of("window")).all()
    assert (labels[:, 1:] == INDOOR.index_of("wall")).all()


def test_joined_closed_meshes_keep_a_class_each(scene: bpy.types.Scene) -> None:
    table, lamp = add_box("table", (1, 1, 1)), add_box("lamp", (0.4, 0.4, 0.4), (0, 0, 1.0))
    add_material(table, "wood", "table")
    add_material(lamp, "light", "objs")
    with bpy.context.temp_override(active_object=table, selected_editable_objects=[table, lamp]):
        bpy.ops.object.join()
    blockout = collected()
    assert blockout.sources == ("table", "table")
    assert [(item.class_index, item.fill) for item in blockout.objects] == [(8, Fill.AUTOMATIC), (11, Fill.AUTOMATIC)]
    assert [len(item.triangles) for item in blockout.objects] == [12, 12]


def test_faces_of_an_open_mesh_without_a_class_are_left_out(scene: bpy.types.Scene) -> None:
    box = add_box("room")
    for name, class_name in (("a", "floor"), ("b", "wall"), ("none", "")):
        add_material(box, name, class_name)
    for number, face in enumerate(box.data.polygons):
        face.material_index = number % 3
    edit = bmesh.new()
    edit.from_mesh(box.data)
    edit.faces.ensure_lookup_table()
    bmesh.ops.delete(edit, geom=[edit.faces[0]], context="FACES")
    edit.to_mesh(box.data)
    edit.free()
    counts = {item.class_index: len(item.triangles) for item in collected().objects}
    assert counts == {2: 2, 3: 4}
    box.occscene.class_name = "furn"
    assert [(item.class_index, len(item.triangles)) for item in collected().objects] == [(10, 10)]


def test_a_thin_slab_takes_its_face_class_within_itself() -> None:
    corners = np.array([(x, y, z) for x in (0.0, 1.0) for y in (0.0, 0.02) for z in (0.0, 1.0)])
    triangles = np.array([corners[[a, b, c]] for a, b, c, d in BOX_FACES for b, c in ((b, c), (c, d))])
    classes = np.full(12, 3)
    classes[4:6] = 4  # y = 0
    ((body, skin),) = parts_by_class([(triangles, classes)], 0.08)
    assert (body.class_index, skin.class_index, skin.body_class) == (3, 4, 3)
    assert len(body.triangles) == 12
    assert (skin.triangles[..., 1] > 0).all()
    assert (skin.triangles[..., 1] < 0.02).all()


def test_what_has_a_class_but_no_faces_is_named() -> None:
    add_box("sofa").occscene.class_name = "sofa"
    edge, circle = bpy.data.meshes.new("edge"), bpy.data.meshes.new("circle")
    edge.from_pydata([(0, 0, 0), (1, 0, 0)], [(0, 1)], [])
    ring = [(np.cos(a), np.sin(a), 0) for a in np.linspace(0, 2 * np.pi, 9)[:-1]]
    circle.from_pydata(ring, [(k, (k + 1) % 8) for k in range(8)], [])
    cable, sign = bpy.data.curves.new("cable", "CURVE"), bpy.data.curves.new("sign", "FONT")
    cable.dimensions = "3D"
    cable.splines.new("POLY").points.add(1)
    cable.splines[0].points[1].co = (1, 1, 1, 1)
    sign.body, sign.extrude = "OX", 0.1
    for name, data in (("edge", edge), ("circle", circle), ("cable", cable), ("sign", sign), ("path", cable.copy())):
        obj = bpy.data.objects.new(name, data)
        obj.occscene.class_name = "" if name == "path" else "objs"
        bpy.context.scene.collection.objects.link(obj)
    blockout = collected()
    assert sorted(blockout.faceless) == ["cable", "circle", "edge"]
    assert sorted(blockout.sources) == ["sign", "sofa"]
    cable.bevel_depth = 0.02
    assert sorted(collected().faceless) == ["circle", "edge"]


def test_overlap_outweighs_the_classes_and_counts_per_object() -> None:
    table, rug = add_box("table"), add_box("rug")
    table.occscene.class_name, rug.occscene.class_name = "table", "floor"
    priorities = {item.name: item.priority for item in collected().objects}
    assert priorities == {
        "table": INDOOR.classes[INDOOR.index_of("table")].priority,
        "rug": INDOOR.classes[INDOOR.index_of("floor")].priority,
    }
    low, high = sorted((table, rug), key=lambda obj: priorities[obj.name])
    low.occscene.overlap = 1
    collected_now = {item.name: item.priority for item in collected().objects}
    assert collected_now[low.name] > collected_now[high.name]
    high.occscene.overlap = 2
    collected_now = {item.name: item.priority for item in collected().objects}
    assert collected_now[low.name] < collected_now[high.name]

"""Classes of objects: own before material slot before collection, guessed from names, counted."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from mathutils import Vector
from occscene.taxonomy import OUTDOOR, TAXONOMIES

from blender_addon.scene.hints import color_hint, color_source
from blender_addon.scene.outdoor_sets import SETS
from blender_addon.scene.tagging import ClassLookup, class_counts
from tests.blender.build_scenes import add_box, add_material


def test_object_beats_collection_and_collection_inherits(scene: bpy.types.Scene) -> None:
    outer, inner = bpy.data.collections.new("outer"), bpy.data.collections.new("inner")
    scene.collection.children.link(outer)
    outer.children.link(inner)
    obj = add_box("obj", collection=inner)
    assert ClassLookup.of(scene).class_name(obj) == ""
    outer.occscene.class_name = "furn"
    assert ClassLookup.of(scene).class_name(obj) == "furn"
    inner.occscene.class_name = "table"
    assert ClassLookup.of(scene).class_name(obj) == "table"
    obj.occscene.class_name = "sofa"
    assert ClassLookup.of(scene).class_name(obj) == "sofa"


def test_a_class_of_another_domain_does_not_count(scene: bpy.types.Scene) -> None:
    obj = add_box("obj")
    obj.occscene.class_name = "car"
    assert class_counts(scene) == {"": 1}
    scene.occscene.domain = "outdoor"
    assert class_counts(scene) == {"car": 1}


def test_guess_leaves_tagged_objects_alone(scene: bpy.types.Scene) -> None:
    names = ("Sofa.001", "left_wall", "Küchenschrank", "Cube")
    boxes = [add_box(name) for name in names]
    boxes[0].occscene.class_name = "chair"
    assert bpy.ops.occscene.guess_classes() == {"FINISHED"}
    assert [box.occscene.class_name for box in boxes] == ["chair", "wall", "furn", ""]


def test_assign_select_and_unknown_class(scene: bpy.types.Scene) -> None:
    boxes = [add_box("a"), add_box("b")]
    boxes[1].select_set(True)
    bpy.ops.occscene.assign_class(class_name="bed")
    assert class_counts(scene) == {"": 1, "bed": 1}
    bpy.ops.occscene.select_class(class_name="")
    assert [box.select_get() for box in boxes] == [True, False]
    with pytest.raises(RuntimeError, match=r"no class 'tree'.*sofa"):
        bpy.ops.occscene.assign_class(class_name="tree")


def test_object_beats_slot_and_slot_beats_collection(scene: bpy.types.Scene) -> None:
    room = bpy.data.collections.new("room")
    scene.collection.children.link(room)
    room.occscene.class_name = "wall"
    obj = add_box("obj", collection=room)
    add_material(obj, "glass", "window")
    add_material(obj, "plaster")
    lookup = ClassLookup.of(scene)
    assert lookup.class_names(obj) == ("window", "wall")
    assert class_counts(scene) == {"window": 1, "wall": 1}
    obj.occscene.class_name = "furn"
    assert ClassLookup.of(scene).class_names(obj) == ("furn",)


def test_assign_to_the_active_slot_and_to_the_collection(scene: bpy.types.Scene) -> None:
    obj = add_box("obj")
    assert bpy.ops.occscene.assign_class(class_name="window", target="SLOT") == {"CANCELLED"}
    bpy.context.view_layer.objects.active = obj
    material = add_material(obj, "glass")
    assert bpy.ops.occscene.assign_class(class_name="window", target="SLOT") == {"FINISHED"}
    assert material.occscene.class_name == "window"
    assert bpy.ops.occscene.assign_class(class_name="wall", target="COLLECTION") == {"FINISHED"}
    assert bpy.context.collection.occscene.class_name == "wall"
    assert ClassLookup.of(scene).class_name(obj) == "window"


def test_linked_objects_keep_their_files_tags(scene: bpy.types.Scene, tmp_path: Path) -> None:
    library = tmp_path / "library.blend"
    kept = bpy.data.collections.new("kept")
    add_box("sofa", collection=kept)
    bpy.data.libraries.write(str(library), {kept})
    bpy.data.batch_remove([*kept.objects, kept])
    with bpy.data.libraries.load(str(library), link=True) as (_, target):
        target.collections = ["kept"]
    local = bpy.data.collections.new("local")
    scene.collection.children.link(local)
    local.children.link(target.collections[0])
    bpy.ops.occscene.guess_classes()
    assert class_counts(scene) == {"": 1}
    local.occscene.class_name = "sofa"
    assert class_counts(scene) == {"sofa": 1}


@pytest.mark.parametrize("domain", ["indoor", "outdoor"])
def test_every_class_has_a_box_at_the_cursor(scene: bpy.types.Scene, domain: str) -> None:
    scene.occscene.domain = domain
    scene.cursor.location = (3, 2, 1)
    classes = [entry.name for entry in TAXONOMIES[domain].classes[1:]]
    for name in classes:
        assert bpy.ops.occscene.add_box(class_name=name) == {"FINISHED"}
        assert bpy.context.object.occscene.class_name == name
    assert class_counts(scene) == dict.fromkeys(classes, 1)
    bpy.ops.occscene.add_box(class_name=classes[0], size=(1, 2, 3))
    obj = bpy.context.object
    bpy.context.view_layer.update()
    assert tuple(obj.dimensions) == pytest.approx((1, 2, 3))
    assert tuple(obj.location) == (3, 2, 1)
    assert [other.select_get() for other in scene.objects if other != obj] == [False] * len(classes)


def test_tint_and_back_keeps_the_artists_color(scene: bpy.types.Scene) -> None:
    box = add_box("sofa")
    box.color = (0.1, 0.2, 0.3, 1.0)
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) != pytest.approx((0.1, 0.2, 0.3, 1.0))
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) == pytest.approx((0.1, 0.2, 0.3, 1.0))


def test_the_tint_follows_the_classes(scene: bpy.types.Scene) -> None:
    box = add_box("obj")
    box.color = (0.1, 0.2, 0.3, 1.0)
    bpy.ops.occscene.tint_viewport()
    untagged = tuple(box.color)
    box.select_set(True)
    bpy.ops.occscene.assign_class(class_name="sofa")
    assert tuple(box.color) != untagged
    bpy.ops.occscene.add_box(class_name="sofa")
    assert tuple(bpy.context.object.color) == tuple(box.color)
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) == pytest.approx((0.1, 0.2, 0.3, 1.0))
    assert tuple(bpy.context.object.color) == (1.0, 1.0, 1.0, 1.0)


def test_surface_only_of_a_file_of_before_is_the_fill(tmp_path: Path) -> None:
    for name, stored in (("old", True), ("unticked", False), ("new", None)):
        box = add_box(name)
        if stored is not None:
            box.occscene["shell_only"] = stored
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    fills = {obj.name: obj.occscene.fill for obj in bpy.context.scene.objects}
    assert fills == {"old": "SURFACE", "unticked": "AUTOMATIC", "new": "AUTOMATIC"}
    for choice in ("AUTOMATIC", "SOLID", "SURFACE"):
        for obj in bpy.context.scene.objects:
            obj.occscene.fill = choice
            assert obj.occscene.fill == choice


def test_a_color_that_is_set_over_the_tint_is_kept(scene: bpy.types.Scene) -> None:
    box = add_box("sofa")
    box.color = (0.1, 0.2, 0.3, 1.0)
    box.occscene.use_hint = True
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.tint_viewport()
    box.color = (1.0, 0.0, 0.0, 1.0)
    assert color_hint(scene, box) == (1.0, 0.0, 0.0)
    box.select_set(True)
    bpy.ops.occscene.assign_class(class_name="bed")  # tints again
    assert tuple(box.color) != (1.0, 0.0, 0.0, 1.0)
    assert color_hint(scene, box) == (1.0, 0.0, 0.0)
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) == (1.0, 0.0, 0.0, 1.0)


def test_hints_come_from_materials_where_the_viewport_has_none(scene: bpy.types.Scene) -> None:
    box = add_box("sofa")
    assert color_hint(scene, box) is None
    box.occscene.use_hint = True
    assert color_hint(scene, box) == (1.0, 1.0, 1.0)
    material = add_material(box, "velvet")
    material.diffuse_color = (0.0, 0.0, 1.0, 1.0)
    assert color_hint(scene, box) == (0.0, 0.0, 1.0)
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.0, 0.5, 0.0, 1.0)
    assert color_hint(scene, box) == (0.0, 0.5, 0.0)
    assert color_source(box) == (shader.inputs["Base Color"], "default_value")
    image = material.node_tree.nodes.new("ShaderNodeTexImage")
    material.node_tree.links.new(image.outputs["Color"], shader.inputs["Base Color"])
    assert color_hint(scene, box) == (0.0, 0.0, 1.0)
    assert color_source(box) == (material, "diffuse_color")
    box.color = (1.0, 0.0, 0.0, 1.0)
    assert color_hint(scene, box) == (1.0, 0.0, 0.0)
    assert color_source(box) == (box, "color")


def test_sets_of_streets_are_tagged_and_stand_on_the_cursor(scene: bpy.types.Scene) -> None:
    scene.occscene.domain = "outdoor"
    scene.cursor.location = (3.0, -2.0, 0.5)
    scene.cursor.rotation_euler = (0.0, 0.0, 0.7)
    for name, pieces in SETS.items():
        assert bpy.ops.occscene.add_set(set_name=name) == {"FINISHED"}
        added = bpy.context.selected_objects
        assert sorted(obj.occscene.class_name for obj in added) == sorted(piece.class_name for piece in pieces)
        assert bpy.context.view_layer.objects.active in added
        for obj in added:
            guess = OUTDOOR.guess(obj.name)
            assert guess is not None, obj.name
            assert guess.name == obj.occscene.class_name
            assert obj.rotation_euler.z == pytest.approx(0.7)
        bpy.context.view_layer.update()
        bottom = min((obj.matrix_world @ Vector(corner)).z for obj in added for corner in obj.bound_box)
        assert bottom == pytest.approx(0.5 - (0.2 if name == "Street" else 0.0), abs=1e-4)


def test_an_unknown_set_is_refused_and_sets_are_for_streets(scene: bpy.types.Scene) -> None:
    assert not bpy.ops.occscene.add_set.poll()
    scene.occscene.domain = "outdoor"
    with pytest.raises(RuntimeError, match="there is no set 'Castle'; there are Street, House"):
        bpy.ops.occscene.add_set(set_name="Castle")

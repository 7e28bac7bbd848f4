"""Classes of objects: own before collection, guessed from names, counted."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.scene.tagging import ClassLookup, class_counts
from tests.blender.build_scenes import add_box


def test_object_beats_collection_and_collection_inherits(scene: bpy.types.Scene) -> None:
    outer, inner = bpy.data.collections.new("outer"), bpy.data.collections.new("inner")
    scene.collection.children.link(outer)
    outer.children.link(inner)
    thing = add_box("thing", collection=inner)
    assert ClassLookup.of(scene).class_name(thing) == ""
    outer.occscene.class_name = "furn"
    assert ClassLookup.of(scene).class_name(thing) == "furn"
    inner.occscene.class_name = "table"
    assert ClassLookup.of(scene).class_name(thing) == "table"
    thing.occscene.class_name = "sofa"
    assert ClassLookup.of(scene).class_name(thing) == "sofa"


def test_a_class_of_another_domain_does_not_count(scene: bpy.types.Scene) -> None:
    thing = add_box("thing")
    thing.occscene.class_name = "car"
    assert class_counts(scene) == {"": 1}
    scene.occscene.domain = "outdoor"
    assert class_counts(scene) == {"car": 1}


def test_guess_leaves_tagged_objects_alone(scene: bpy.types.Scene) -> None:
    names = ("Sofa.001", "left_wall", "CoffeeTable", "Cube")
    boxes = [add_box(name) for name in names]
    boxes[0].occscene.class_name = "chair"
    assert bpy.ops.occscene.guess_classes() == {"FINISHED"}
    assert [box.occscene.class_name for box in boxes] == ["chair", "wall", "table", ""]


def test_assign_select_and_unknown_class(scene: bpy.types.Scene) -> None:
    boxes = [add_box("a"), add_box("b")]
    boxes[1].select_set(True)
    bpy.ops.occscene.assign_class(class_name="bed")
    assert class_counts(scene) == {"": 1, "bed": 1}
    bpy.ops.occscene.select_class(class_name="")
    assert [box.select_get() for box in boxes] == [True, False]
    with pytest.raises(RuntimeError, match=r"no class 'tree'.*sofa"):
        bpy.ops.occscene.assign_class(class_name="tree")


def test_tint_and_back_keeps_the_artists_color(scene: bpy.types.Scene) -> None:
    box = add_box("sofa")
    box.color = (0.1, 0.2, 0.3, 1.0)
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) != pytest.approx((0.1, 0.2, 0.3, 1.0))
    bpy.ops.occscene.tint_viewport()
    assert tuple(box.color) == pytest.approx((0.1, 0.2, 0.3, 1.0))

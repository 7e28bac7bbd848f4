"""What the panel counts is what is sent."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.operators.voxelizing import stats_of, voxelized_blockout
from blender_addon.scene.counting import sent_counts
from tests.blender.build_scenes import add_box, add_camera, add_collection, add_material, exclude


def counts() -> tuple[dict[str, int], int]:
    bpy.context.view_layer.update()
    found = sent_counts(bpy.context.scene, bpy.context.view_layer)
    return dict(found.by_class), found.objects


def test_the_panel_counts_what_is_sent(blockout: bpy.types.Scene) -> None:
    add_box("chair").hide_render = True
    hidden = add_collection("hidden", linked=True)
    hidden.hide_render = True
    add_box("table", collection=hidden)
    away = add_collection("away", linked=True)
    add_box("bed", collection=away)
    exclude(away)
    eyed = add_box("tv", (0.2, 0.2, 0.2), (1.5, 1.5, 0.3))
    eyed.hide_set(True)  # sent all the same
    bpy.ops.occscene.guess_classes()
    stats = stats_of(bpy.context, voxelized_blockout(bpy.context))
    assert counts() == ({"floor": 1, "sofa": 1, "tvs": 1}, stats.objects)


def test_an_object_of_two_classes_counts_once(blockout: bpy.types.Scene) -> None:
    shelf = add_box("prop", (0.3, 0.3, 0.3), (1.5, 1.5, 0.3))
    add_material(shelf, "wood", "furn")
    add_material(shelf, "books", "objs")
    shelf.data.polygons[0].material_index = 1
    by_class, objects = counts()
    assert (by_class["furn"], by_class["objs"], objects) == (1, 1, 3)
    assert stats_of(bpy.context, voxelized_blockout(bpy.context)).objects == 3


def test_what_has_no_class_and_is_not_sent_is_not_missed(blockout: bpy.types.Scene) -> None:
    """A Boolean's cutter, for one; and the button selects exactly what it counts."""
    add_box("Cube.001").hide_render = True
    away = add_collection("away", linked=True)
    add_box("Cube.002", collection=away)
    exclude(away)
    missed = add_box("Cube.003", (0.2, 0.2, 0.2))
    assert counts()[0][""] == 1
    bpy.ops.occscene.select_class(class_name="")
    assert bpy.context.selected_objects == [missed]


def test_the_button_says_what_cannot_be_selected(blockout: bpy.types.Scene, capfd: pytest.CaptureFixture[str]) -> None:
    add_box("Cube.001").hide_set(True)
    bpy.ops.occscene.select_class(class_name="")
    assert "0 selected; 1 more are hidden" in capfd.readouterr().out


def test_cameras_get_no_class(blockout: bpy.types.Scene, capfd: pytest.CaptureFixture[str]) -> None:
    camera = add_camera("Camera")
    camera.select_set(True)
    bpy.ops.occscene.assign_class(class_name="chair")
    assert camera.occscene.class_name == ""
    assert "Cameras, lights and the like have no class" in capfd.readouterr().out
    box = add_box("seat")
    box.select_set(True)
    assert bpy.ops.occscene.assign_class(class_name="chair") == {"FINISHED"}
    assert (box.occscene.class_name, camera.occscene.class_name) == ("chair", "")

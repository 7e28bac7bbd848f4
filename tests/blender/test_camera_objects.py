"""Which cameras are sent, and with which pose: what a render through them would show."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.panels.generate import view_count
from blender_addon.scene.cameras import SceneView, chosen_views
from tests.blender.build_scenes import add_box, add_camera, add_collection, exclude


def views(choice: str = "ALL") -> dict[str, SceneView]:
    """The views of a choice by their names, whose number the panel knows; nothing is updated first."""
    bpy.context.scene.occscene.cameras = choice
    chosen = chosen_views(bpy.context, choice, 256, 10)
    assert view_count(bpy.context) == len(chosen)
    return {view.camera.name: view for view in chosen}


def place(view: SceneView) -> tuple[float, ...]:
    return tuple(np.round(view.camera.world_from_camera[:3, 3], 5).tolist())


def put_away(camera: bpy.types.Object, how: str) -> None:
    """Hides a camera in one of the ways that Blender has."""
    scene = bpy.context.scene
    if how in ("eye", "excluded", "collection", "collection in renders", "collection in viewports"):
        group = add_collection(how, linked=True)
        group.objects.link(camera)
        scene.collection.objects.unlink(camera)
        if how == "excluded":
            exclude(group)
        group.hide_render = how == "collection in renders"
        group.hide_viewport = how == "collection in viewports"
        bpy.context.view_layer.update()
        if how == "eye":
            camera.hide_set(True)
    camera.hide_render = how in ("renders", "renders and viewports")
    camera.hide_viewport = how in ("viewports", "renders and viewports")
    if how == "unlinked":
        scene.collection.objects.unlink(camera)
    bpy.context.view_layer.update()


HIDDEN = ("eye", "renders", "viewports", "renders and viewports", "collection in renders", "collection in viewports")
ABSENT = ("excluded", "unlinked")


def renders_through(camera: bpy.types.Object) -> bool:
    """Whether Cycles renders through the active camera, and with the pose that it has: a box before it is seen."""
    scene = bpy.context.scene
    box = add_box("seen", location=(camera.location.x, camera.location.y + 3, camera.location.z))
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 1, False, "CPU"
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = bpy.app.tempdir + "through.png"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    seen = image.pixels[(4 * 8 + 4) * 4 + 3] > 0.5
    bpy.data.images.remove(image)
    bpy.data.objects.remove(box)
    return bool(seen)


@pytest.mark.parametrize("how", [*HIDDEN, *ABSENT])
def test_the_active_camera_is_sent_as_a_render_takes_it(scene: bpy.types.Scene, how: str) -> None:
    camera = add_camera("camera")
    scene.camera = camera
    put_away(camera, how)
    camera.location = (9, 8, 7)
    assert renders_through(camera)
    camera.location = (9, 9, 9)
    assert {name: place(view) for name, view in views("ACTIVE").items()} == {"camera": (9, 9, 9)}


@pytest.mark.parametrize("how", HIDDEN)
def test_hidden_cameras_are_sent_from_where_they_are(scene: bpy.types.Scene, how: str) -> None:
    other, camera, parent = add_camera("other"), add_camera("camera"), bpy.data.objects.new("rail", None)
    scene.collection.objects.link(parent)
    scene.camera = other
    camera.parent = parent
    put_away(camera, how)
    parent.location, camera.location = (1, 2, 3), (0, 0, 1)
    assert {name: place(view) for name, view in views().items()} == {"camera": (1, 2, 4), "other": (0, -5, 1.5)}
    assert scene.camera == other
    assert not camera.visible_get() or how in ("renders", "collection in renders")


@pytest.mark.parametrize("how", ABSENT)
def test_cameras_outside_the_view_layer_are_not_counted(scene: bpy.types.Scene, how: str) -> None:
    add_camera("camera")
    put_away(add_camera("gone"), how)
    assert list(views()) == ["camera"]


def test_no_usable_camera_is_an_error(scene: bpy.types.Scene) -> None:
    put_away(add_camera("gone"), "excluded")
    assert view_count(bpy.context) == 0
    with pytest.raises(ValueError, match="there is no camera"):
        chosen_views(bpy.context, "ALL", 256, 1)


def test_drivers_and_constraints_count(scene: bpy.types.Scene) -> None:
    target = bpy.data.objects.new("target", None)
    target.location = (4, 5, 6)
    scene.collection.objects.link(target)
    driven, bound = add_camera("driven"), add_camera("bound")
    driven.driver_add("location", 0).driver.expression = "frame * 2.0"
    lens = driven.data.driver_add("lens").driver
    lens.expression = "frame + 20.0"
    bound.constraints.new("COPY_LOCATION").target = target
    bound.hide_set(True)
    scene.frame_set(15)
    chosen = views()
    assert place(chosen["driven"]) == (30, -5, 1.5)
    driven_camera = chosen["driven"].camera
    assert driven_camera.fx == pytest.approx(35 / driven.data.sensor_width * driven_camera.width)
    assert place(chosen["bound"]) == (4, 5, 6)


def test_each_frame_has_its_own_pose(scene: bpy.types.Scene) -> None:
    camera = add_camera("camera")
    scene.camera = camera
    put_away(camera, "renders and viewports")
    camera.driver_add("location", 2).driver.expression = "frame"
    scene.frame_start, scene.frame_end = 1, 30
    scene.frame_set(7)
    assert [place(view)[2] for view in views("ANIMATION").values()] == [1, 11, 21]
    assert scene.frame_current == 7

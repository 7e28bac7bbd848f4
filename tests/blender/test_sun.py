"""The sun of a scene: from its Sun lamp to what is sent."""

from __future__ import annotations

import math

import bpy
import pytest

from blender_addon.properties.settings import scene_value

pytestmark = pytest.mark.blender


def _lamp(name: str, rotation: tuple[float, float, float]) -> bpy.types.Object:
    lamp = bpy.data.objects.new(name, bpy.data.lights.new(name, "SUN"))
    lamp.rotation_euler = rotation
    bpy.context.scene.collection.objects.link(lamp)
    bpy.context.view_layer.update()
    return lamp


def _angles(scene: bpy.types.Scene) -> tuple[float, float]:
    return scene_value(scene, "sun_elevation"), scene_value(scene, "sun_azimuth")


def test_words_decide_unless_the_sun_is_set(scene: bpy.types.Scene) -> None:
    assert _angles(scene) == (None, None)
    scene.occscene.use_sun = True
    assert _angles(scene) == (40.0, 135.0)


@pytest.mark.parametrize(
    ("rotation", "elevation", "azimuth"),
    [
        ((0.0, 0.0, 0.0), 90.0, None),  # straight down
        ((math.radians(60), 0.0, 0.0), 30.0, 180.0),  # from the south: it shines towards +y
        ((math.radians(60), 0.0, math.radians(90)), 30.0, 90.0),  # from the east
        ((math.radians(30), 0.0, math.radians(-90)), 60.0, 270.0),
    ],
)
def test_angles_are_those_of_the_lamp(
    scene: bpy.types.Scene, rotation: tuple[float, float, float], elevation: float, azimuth: float | None
) -> None:
    _lamp("Sun", rotation)
    assert bpy.ops.occscene.sun_from_lamp() == {"FINISHED"}
    assert scene.occscene.use_sun
    set_elevation, set_azimuth = _angles(scene)
    assert set_elevation == pytest.approx(elevation, abs=0.01)
    if azimuth is not None:
        assert set_azimuth == pytest.approx(azimuth, abs=0.01)


def test_the_active_lamp_comes_first_and_a_hidden_one_does_not_count(scene: bpy.types.Scene) -> None:
    assert not bpy.ops.occscene.sun_from_lamp.poll(), "there is no lamp"
    first, second = _lamp("A", (math.radians(60), 0.0, 0.0)), _lamp("B", (math.radians(20), 0.0, 0.0))
    bpy.context.view_layer.objects.active = second
    bpy.ops.occscene.sun_from_lamp()
    assert _angles(scene)[0] == pytest.approx(70.0, abs=0.01)
    second.hide_set(True)
    bpy.ops.occscene.sun_from_lamp()
    assert _angles(scene)[0] == pytest.approx(30.0, abs=0.01)
    first.hide_set(True)
    assert not bpy.ops.occscene.sun_from_lamp.poll()


def test_a_lamp_that_shines_upwards_is_refused(scene: bpy.types.Scene) -> None:
    _lamp("Fill", (math.radians(120), 0.0, 0.0))
    with pytest.raises(RuntimeError, match="Fill shines upwards: turn it"):
        bpy.ops.occscene.sun_from_lamp()
    assert _angles(scene) == (None, None)

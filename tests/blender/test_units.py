"""One room, modelled in several units: the same grid, the same cameras, the same buttons."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from occscene.camera import PinholeCamera
from occscene.formats.table import read_grid
from occscene.grid import SemanticGrid, load_grid
from occscene.volumes import default_volume

from blender_addon.jobs.request import Request
from blender_addon.operators import command
from blender_addon.scene import grid_view
from blender_addon.scene.cameras import chosen_views
from blender_addon.scene.units import length_text
from blender_addon.scene.volume import grid_volume, voxel_meters
from tests.blender.build_scenes import add_box, add_camera

UNITS = {
    "metres": ("METRIC", 1.0, 1.0),
    "millimetres": ("METRIC", 0.001, 0.001),
    "centimetres": ("METRIC", 0.01, 0.01),
    "feet": ("IMPERIAL", 0.3048, 0.3048),
    "large": ("METRIC", 10.0, 10.0),
    "no units": ("NONE", 0.01, 1.0),
}
"""The system, the scale, and how many metres a unit then is."""

EXACT = ("metres", "millimetres", "centimetres", "no units")
"""Units in which the room's sizes are whole numbers or binary fractions, which single precision holds exactly."""


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, scene: bpy.types.Scene) -> str:
    """The name of the unit that the scene is set to."""
    name = str(request.param)
    set_unit(scene, name)
    return name


def set_unit(scene: bpy.types.Scene, name: str) -> float:
    scene.unit_settings.system, scene.unit_settings.scale_length, meters = UNITS[name]
    return meters


def build_room(meters: float) -> None:
    """A room of 6 x 5 x 2.5 metres with a table and a turned sofa, of units of `meters` metres, and two cameras."""

    def box(name: str, size: tuple[float, ...], place: tuple[float, ...]) -> bpy.types.Object:
        width, depth, height = (side / meters for side in size)
        x, y, z = (coordinate / meters for coordinate in place)
        obj = add_box(name, (width, depth, height), (x, y, z))
        obj.occscene.class_name = name
        return obj

    box("floor", (6, 5, 0.25), (0, 0, -0.125))
    box("wall", (6, 0.25, 2.5), (0, 2.375, 1.25))
    box("table", (1.5, 0.75, 0.75), (-1.25, 0.5, 0.375))
    box("sofa", (2, 1, 0.75), (1.5, 0.5, 0.375)).rotation_euler.z = 0.25
    for name, x in (("left", -2.0), ("right", 2.0)):
        camera = add_camera(name, (x / meters, -1.5 / meters, 1.5 / meters))
        camera.rotation_euler = (1.25, 0, -x / 5)
        camera.data.clip_start, camera.data.clip_end = 0.1 / meters, 100 / meters


def sent(folder: Path, mode: str, domain: str = "indoor") -> tuple[SemanticGrid, list[PinholeCamera]]:
    bpy.context.scene.occscene.voxel_meters = 0.125  # so that the volume's sides are exact too
    bpy.ops.occscene.fit_volume(mode=mode, domain=domain)
    bpy.ops.occscene.voxelize(filepath=str(folder / "grid.npz"))
    return load_grid(folder / "grid.npz"), [view.camera for view in chosen_views(bpy.context, "ALL", 256, 1)]


@pytest.mark.parametrize("mode", ["TIGHT", "PRESET"])
def test_the_same_room_is_sent(scene: bpy.types.Scene, unit: str, mode: str, tmp_path: Path) -> None:
    build_room(UNITS[unit][2])
    grid, cameras = sent(tmp_path, mode)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build_room(1.0)
    expected, expected_cameras = sent(tmp_path, mode)
    np.testing.assert_array_equal(grid.labels, expected.labels)
    np.testing.assert_array_equal(grid.instances, expected.instances)
    assert grid.voxel_size == expected.voxel_size
    np.testing.assert_allclose(grid.world_from_grid, expected.world_from_grid, rtol=0, atol=1e-6)
    if unit in EXACT and mode == "TIGHT":
        np.testing.assert_array_equal(grid.world_from_grid, expected.world_from_grid)
    for camera, same in zip(cameras, expected_cameras, strict=True):
        np.testing.assert_allclose(camera.world_from_camera, same.world_from_camera, rtol=0, atol=1e-6)
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (same.fx, same.fy, same.cx, same.cy)
        if unit in EXACT:
            np.testing.assert_array_equal(camera.world_from_camera, same.world_from_camera)


def test_presets_are_the_domains_own_size(scene: bpy.types.Scene, unit: str) -> None:
    for domain in ("indoor", "outdoor"):
        bpy.ops.occscene.fit_volume(mode="PRESET", domain=domain)
        usual, volume = default_volume(domain), grid_volume(scene)
        assert (volume.shape, volume.voxel_size) == (usual.shape, pytest.approx(usual.voxel_size))
        sides = scene.occscene.volume.matrix_world.to_scale() * UNITS[unit][2]
        np.testing.assert_allclose(sides, np.array(usual.shape) * usual.voxel_size, rtol=1e-6)


def test_voxel_size_is_8_cm_until_it_is_set_and_limited_in_metres(scene: bpy.types.Scene, unit: str) -> None:
    settings, meters = scene.occscene, UNITS[unit][2]
    assert settings.voxel_size * meters == pytest.approx(0.08)
    for typed, kept in ((0.25, 0.25), (1e-6, 0.01), (5000.0, 10.0)):
        settings.voxel_size = typed / meters
        assert voxel_meters(scene) == pytest.approx(kept)
        assert settings.voxel_size * meters == pytest.approx(kept)


def test_voxel_size_stays_when_the_unit_changes(scene: bpy.types.Scene) -> None:
    scene.occscene.voxel_size = 0.1
    for name, (_, _, meters) in UNITS.items():
        set_unit(scene, name)
        assert voxel_meters(scene) == np.float32(0.1)
        assert scene.occscene.voxel_size == pytest.approx(0.1 / meters)


@pytest.mark.parametrize(
    ("stored", "scale", "meters"), [(0.1, 1.0, 0.1), (8.0, 0.01, 0.08), (0.08, 0.01, 0.01), (None, 0.01, 0.08)]
)
def test_files_of_before_hold_the_voxel_size_in_units(
    scene: bpy.types.Scene, stored: float | None, scale: float, meters: float, tmp_path: Path
) -> None:
    scene.unit_settings.scale_length = scale
    if stored is not None:
        scene.occscene["voxel_size"] = stored
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    scene = bpy.context.scene
    assert voxel_meters(scene) == pytest.approx(meters)
    scene.occscene.voxel_size = 0.2 / scale
    assert voxel_meters(scene) == pytest.approx(0.2)


def test_added_boxes_have_their_usual_size(scene: bpy.types.Scene, unit: str) -> None:
    meters = UNITS[unit][2]
    scene.cursor.location = (1 / meters, 0, 0)
    bpy.ops.occscene.add_box(class_name="window")
    bpy.context.view_layer.update()
    window = bpy.context.object
    corners = np.array([window.matrix_world @ Vector(corner) for corner in window.bound_box]) * meters
    np.testing.assert_allclose(corners.min(axis=0), (0.4, -0.06, 0.9), atol=1e-5)
    np.testing.assert_allclose(corners.max(axis=0), (1.6, 0.06, 2.1), atol=1e-5)
    bpy.ops.occscene.add_box(class_name="floor", size=(3 / meters, 2 / meters, 0.5 / meters))
    np.testing.assert_allclose(np.array(bpy.context.object.dimensions) * meters, (3, 2, 0.5), atol=1e-5)


def test_added_cameras_stand_in_the_volume(scene: bpy.types.Scene, unit: str) -> None:
    meters = UNITS[unit][2]
    bpy.ops.occscene.add_rig()
    volume = grid_volume(scene)
    size = np.array(volume.shape) * volume.voxel_size
    for view in chosen_views(bpy.context, "ALL", 256, 1):
        place = view.camera.world_from_camera[:3, 3] - volume.world_from_grid[:3, 3]
        assert ((place > 0) & (place < size)).all()
        data = scene.objects[view.object_name].data
        assert (data.clip_start * meters, data.clip_end * meters) == pytest.approx((0.1, 100.0))


@pytest.mark.parametrize("name", ["grid.npz", "grid.vox"])
def test_an_imported_grid_lies_on_the_room(scene: bpy.types.Scene, unit: str, name: str, tmp_path: Path) -> None:
    meters = UNITS[unit][2]
    build_room(meters)
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / name))
    volume = grid_volume(scene)
    filled = np.argwhere(read_grid(tmp_path / name, "indoor", volume.voxel_size).grid.labels)
    low, high = filled.min(axis=0) * volume.voxel_size, (filled.max(axis=0) + 1) * volume.voxel_size
    for separate in (False, True):
        bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / name), separate=separate)
        bpy.context.view_layer.update()
        objects = bpy.context.selected_objects
        corners = np.array([obj.matrix_world @ Vector(corner) for obj in objects for corner in obj.bound_box]) * meters
        np.testing.assert_allclose(corners.max(axis=0) - corners.min(axis=0), high - low, atol=1e-4)
        if name.endswith("npz"):
            np.testing.assert_allclose(corners.min(axis=0), volume.world_from_grid[:3, 3] + low, atol=1e-4)


def test_the_shown_grid_lies_on_the_room(scene: bpy.types.Scene, unit: str) -> None:
    meters = UNITS[unit][2]
    build_room(meters)
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.show_grid()
    drawn = grid_view._view.shown
    np.testing.assert_allclose(drawn.corners.min(axis=(0, 1)) * meters, (-3, -2.5, -0.25), atol=1e-4)
    assert not grid_view.is_stale(scene)
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.5
    assert grid_view.is_stale(scene)


def test_lengths_read_as_the_scene_writes_them(scene: bpy.types.Scene) -> None:
    written = {}
    for name in UNITS:
        set_unit(scene, name)
        written[name] = (length_text(scene, 0.08), length_text(scene, 6.16))
    assert written.pop("feet") == ('3.15"', "20.21'")
    assert written.pop("no units") == ("0.08 m", "6.16 m")
    assert set(written.values()) == {("8 cm", "6.16 m")}


def test_too_large_a_volume_says_its_size(scene: bpy.types.Scene, unit: str) -> None:
    build_room(UNITS[unit][2])
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    scene.occscene.voxel_size = 0.01 / UNITS[unit][2]
    with pytest.raises(
        ValueError, match=r"the volume is (6(\.\d+)? m|6\.00 m|19\.\d+') x .* large, 60\d x .* voxels of"
    ):
        grid_volume(scene)


def test_the_command_line_sends_and_imports_metres(unit: str, server: str, tmp_path: Path) -> None:
    meters = UNITS[unit][2]
    build_room(meters)
    settings = bpy.context.scene.occscene
    settings.image_size, settings.voxel_meters = 128, 0.125
    results = str(tmp_path / "results")
    arguments = ["generate", "--output", results, "--server", server, "--prompt", "a room", "--steps", "2"]
    assert command.main([*arguments, "--fit", "tight", "--project"]) == 0
    sent_grid = load_grid(tmp_path / "results" / "blockout.npz")
    assert sent_grid.shape == (48, 40, 22)
    low = sent_grid.world_from_grid[:3, 3]
    np.testing.assert_allclose(low, (-3, -2.5, -0.25), atol=1e-5)
    request = Request.from_json(bpy.context.scene.occscene.results[-1].request)
    places = [view.camera.world_from_camera[:3, 3] for view in request.views]
    np.testing.assert_allclose(places, [(-2, -1.5, 1.5), (2, -1.5, 1.5)], atol=1e-5)
    saved = str(tmp_path / "saved.blend")
    assert command.main(["import", str(tmp_path / "results" / "blockout.npz"), "--save", saved]) == 0
    bpy.context.view_layer.update()
    imported = bpy.context.object
    corners = np.array([imported.matrix_world @ Vector(corner) for corner in imported.bound_box]) * meters
    np.testing.assert_allclose(corners.min(axis=0), low, atol=1e-4)

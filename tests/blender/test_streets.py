"""Outdoors the extension does what it does indoors: it says what is cut, imports streets, and projects onto them."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from occscene.formats.semantic_kitti import read_semantic_kitti, write_semantic_kitti
from occscene.grid import SemanticGrid, load_grid
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from blender_addon.jobs import connection_check
from blender_addon.operators.composing import missing
from occscene_server.studio.streets.weather import WEATHERS
from tests.blender.build_scenes import add_box, add_camera
from tests.blender.test_projection import add_result, aim, paint, pixels, render

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def outdoors(scene: bpy.types.Scene) -> bpy.types.Scene:
    scene.occscene.domain = "outdoor"
    return scene


def test_a_street_longer_than_its_volume_is_said_to_be_cut(
    outdoors: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_box("road", (90.0, 8.0, 0.2), (0.0, 0.0, -0.1))
    add_box("house", (10.0, 9.0, 12.0), (0.0, 10.0, 6.0))
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.fit_volume(mode="PRESET", domain="outdoor")
    capfd.readouterr()
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    said = capfd.readouterr().out
    assert "larger than the volume along x; what is outside is cut" in said  # roofs always are, and are not named
    grid = load_grid(tmp_path / "grid.npz")
    assert (grid.shape, grid.taxonomy) == ((256, 256, 32), "outdoor")
    bpy.ops.occscene.fit_volume(mode="WHOLE")
    capfd.readouterr()
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    assert "is cut" not in capfd.readouterr().out
    assert load_grid(tmp_path / "grid.npz").shape[0] == 450


def test_a_data_sets_street_is_imported_and_written_again(outdoors: bpy.types.Scene, tmp_path: Path) -> None:
    volume = default_volume("outdoor")
    labels = np.zeros(volume.shape, np.uint8)
    labels[:, 100:140, 0] = OUTDOOR.index_of("road")
    labels[60:80, 120:129, 1:8] = OUTDOOR.index_of("car")
    labels[200:203, 150:153, 1:30] = OUTDOOR.index_of("pole")
    grid = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, OUTDOOR.name)
    write_semantic_kitti(tmp_path / "000000.label", grid)
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "000000.label"), name="Street", surface="MERGED")
    obj = outdoors.objects["Street"]
    assert {slot.material.name.split()[-1].lower() for slot in obj.material_slots} == {"road", "car", "pole"}
    low, high = (np.array(obj.matrix_world @ Vector(corner)) for corner in (obj.bound_box[0], obj.bound_box[6]))
    np.testing.assert_allclose(high - low, (51.2, 10.6, 6.0), atol=1e-4)
    np.testing.assert_array_equal(read_semantic_kitti(tmp_path / "000000.label").labels, labels)


def test_views_are_projected_onto_a_street(outdoors: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.occscene.add_set(set_name="Street")
    add_box("house", (9.0, 30.0, 7.0), (12.0, 8.0, 3.5)).occscene.class_name = "building"
    add_box("car", (1.8, 4.4, 1.5), (2.2, -9.0, 0.75)).occscene.class_name = "car"
    for obj in outdoors.objects:
        obj.data.materials.append(paint())
    aim(add_camera("car's", (-1.5, -22.0, 1.6)), (1.0, 0.0, 1.4))
    outdoors.render.resolution_x, outdoors.render.resolution_y = 192, 128
    outdoors.occscene.image_size = 192
    outdoors.render.engine = "CYCLES"
    outdoors.cycles.samples, outdoors.cycles.use_denoising, outdoors.cycles.device = 16, False, "CPU"
    outdoors.view_settings.view_transform = "Standard"
    outdoors.render.image_settings.file_format = "PNG"
    bpy.ops.occscene.fit_volume()
    truth = render(outdoors, "car's", tmp_path)
    add_result(outdoors, {"car's": truth}, tmp_path)
    assert bpy.ops.occscene.project_views() == {"FINISHED"}
    error = np.abs(pixels(render(outdoors, "car's", tmp_path)) - pixels(truth)).max(axis=2)
    near = np.zeros(error.shape, bool)
    near[: error.shape[0] // 3] = True  # rows from below: far away a pixel spans more than a wave of the paint
    assert np.median(error) < 0.02
    assert (error[near] < 0.06).mean() > 0.85


def test_each_weather_that_models_learn_has_a_style() -> None:
    folder = ROOT / "blender_addon/presets/styles/outdoor"
    styles = [re.findall(r'style = "(.*)"', path.read_text("utf-8"))[0] for path in folder.glob("*.py")]
    for name, weather in WEATHERS.items():
        assert any(words in style for style in styles for words in weather.words), name
    assert all(any(words in style for weather in WEATHERS.values() for words in weather.words) for style in styles)


def test_buttons_promise_what_the_model_of_the_domain_can(
    scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = {"layout_prior": True, "parts_prior": True, "drafts": True, "features": ["text_to_scene"]}
    models = [
        {"name": "compact-indoor", "taxonomies": ["indoor"], **able},
        {
            "name": "compact-outdoor",
            "taxonomies": ["outdoor"],
            **dict.fromkeys(able, False),
            "features": ["color_hint"],
        },
    ]
    step = {"step": "model", "is_good": True, "info": {"models": models}}
    check = connection_check.ConnectionCheck(steps=[step])
    monkeypatch.setattr(connection_check, "last_check", check)
    assert not missing(scene, "layout_prior")
    assert check.uses("text_to_scene", "indoor")
    assert bpy.ops.occscene.toggle_live.poll()
    scene.occscene.domain = "outdoor"
    assert missing(scene, "parts_prior") == "The server's outdoor model has no prior for parts"
    assert not bpy.ops.occscene.complete.poll()
    assert not check.uses("text_to_scene", "outdoor")
    assert not bpy.ops.occscene.toggle_live.poll()
    assert (check.lacks_domain("outdoor"), check.can("drafts")) == ("", True)
    models.pop()
    assert "knows indoor scenes only" in missing(scene, "layout_prior")

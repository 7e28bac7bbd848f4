"""Many results: what is cleaned up, what stands in the scene, and what is made of views."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.scene.images import image_pixels
from blender_addon.scene.stage import shown_stage
from tests.blender.build_scenes import add_box


@pytest.fixture
def generated(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> bpy.types.Scene:
    """A scene with two results, in folders of their own."""
    bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server, variants=2)
    return blockout


def test_views_made_without_a_window_have_thumbnails_when_the_file_is_opened(
    generated: bpy.types.Scene, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    for result in bpy.context.scene.occscene.results:
        for view in result.views:
            thumbnail = view.image.preview
            pixels = np.array(thumbnail.image_pixels_float).reshape(-1, 4)
            assert tuple(thumbnail.image_size) == tuple(view.image.size)  # 64 pixels
            np.testing.assert_allclose(pixels, image_pixels(view.image).reshape(-1, 4), atol=1 / 255)


def test_clean_up_spares_favorites_and_other_files(generated: bpy.types.Scene, tmp_path: Path) -> None:
    settings = generated.occscene
    settings.results[0].is_favorite = True
    kept, name = Path(settings.results[0].directory), settings.results[0].name
    (tmp_path / "out_2" / "notes.txt").write_text("mine")
    assert bpy.ops.occscene.clean_up(what="FAILED") == {"FINISHED"}
    assert len(settings.results) == 2
    bpy.ops.occscene.clean_up(what="OTHERS")
    assert [result.name for result in settings.results] == [name]
    assert (tmp_path / "out_2" / "result.json").exists()
    bpy.ops.occscene.clean_up(what="ACTIVE", with_files=True)
    assert not settings.results
    assert not kept.exists()
    assert not [image for image in bpy.data.images if image.packed_file]
    assert (tmp_path / "out_2" / "notes.txt").read_text() == "mine"


def test_clean_up_deletes_only_what_a_result_has(generated: bpy.types.Scene, tmp_path: Path) -> None:
    for name in ("out", "out_2"):
        (tmp_path / name / "notes.txt").write_text("mine")
    bpy.ops.occscene.clean_up(what="OTHERS", with_files=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_one_of_three_stands_in_the_scene(generated: bpy.types.Scene) -> None:
    def shown() -> set[str]:
        bpy.context.view_layer.update()
        return {obj.name for obj in generated.objects if obj.type == "MESH" and obj.visible_get()}

    def show(stage: str) -> str:
        bpy.ops.occscene.show_stage(stage=stage)
        return shown_stage(generated)

    settings = generated.occscene
    hidden = add_box("plant", (0.1, 0.1, 0.1), (1.5, 1.5, 0.2))
    hidden.occscene.class_name = "objs"
    bpy.context.view_layer.update()
    hidden.hide_set(True)
    assert (shown_stage(generated), shown()) == ("BLOCKOUT", {"floor", "sofa"})
    assert show("PREDICTION") == "PREDICTION"
    first = shown()
    assert first
    assert not first & {"floor", "sofa", "plant"}
    settings.active_result = 1
    assert show("PREDICTION") == "PREDICTION"
    assert shown()
    assert not shown() & (first | {"floor", "sofa"})
    for stage in ("GRID", "PREDICTION", "BLOCKOUT"):
        assert show(stage) == stage
    assert shown() == {"floor", "sofa"}
    assert hidden.hide_get()  # what the artist has hidden stays hidden


def test_flip_exchanges_two_results(generated: bpy.types.Scene) -> None:
    settings = generated.occscene
    one, two = (result.name for result in settings.results)
    bpy.ops.occscene.select_result(result=one)
    bpy.ops.occscene.compare(action="MARK")
    bpy.ops.occscene.select_result(result=two)
    for active, compared in ((one, two), (two, one)):
        bpy.ops.occscene.compare(action="FLIP")
        assert (settings.results[settings.active_result].name, settings.compared) == (active, compared)
    bpy.ops.occscene.remove_result()
    assert settings.results[settings.active_result].name == one


def test_maps_are_what_the_camera_sees(generated: bpy.types.Scene, tmp_path: Path) -> None:
    """The floor lies 1.2 m below the cameras, which look along +y."""
    assert bpy.ops.occscene.add_maps() == {"FINISHED"}
    folder = Path(generated.occscene.results[generated.occscene.active_result].directory)
    assert len(list(folder.glob("depth_*.exr"))) == len(list(folder.glob("normal_*.exr"))) == 2
    image = bpy.data.images.load(str(folder / "depth_left.exr"))
    image.colorspace_settings.name = "Non-Color"
    depth = image_pixels(image)[::-1, :, 0]
    normal = bpy.data.images.load(str(folder / "normal_left.exr"))
    normal.colorspace_settings.name = "Non-Color"
    up = image_pixels(normal)[::-1, :, :3]
    camera = generated.objects["left"].data
    focal = camera.lens / camera.sensor_width * 64
    row = 60
    assert depth[row, 20] == pytest.approx(1.2 * focal / (row + 0.5 - 32), rel=1e-3)
    np.testing.assert_allclose(up[row, 20], (0, 0, 1), atol=1e-3)
    assert depth[0, 0] == 0.0
    sofa = depth[(up[..., 1] < -0.99)]
    np.testing.assert_allclose(sofa, 1 - 0.45 + 1.8, atol=1e-3)


def test_the_occupancy_has_the_views_colors(generated: bpy.types.Scene) -> None:
    """One view is painted in one color: what it sees has that, and so has what it does not see of the same class."""
    result = generated.occscene.results[generated.occscene.active_result]
    for view in result.views:
        width, height = view.image.size
        view.image.pixels.foreach_set(np.tile(np.array([0.8, 0.4, 0.2, 1.0], np.float32), width * height))
    bpy.ops.occscene.import_occupancy(colors=True)
    attribute = bpy.context.object.data.color_attributes["occscene_views"]
    colors = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color_srgb", colors)
    np.testing.assert_allclose(colors.reshape(-1, 4)[:, :3], [(0.8, 0.4, 0.2)] * len(attribute.data), atol=0.01)
    assert len(bpy.context.object.data.materials) == 2  # beside the materials of the classes


@pytest.mark.slow
def test_the_views_leave_as_a_texture(generated: bpy.types.Scene, tmp_path: Path) -> None:
    result = generated.occscene.results[generated.occscene.active_result]
    for view in result.views:
        width, height = view.image.size
        view.image.pixels.foreach_set(np.tile(np.array([0.8, 0.4, 0.2, 1.0], np.float32), width * height))
    path = tmp_path / "room.glb"
    before = {obj.name: len(obj.material_slots) for obj in generated.objects}
    assert bpy.ops.occscene.bake_texture(filepath=str(path), size=256) == {"FINISHED"}
    assert {name: len(generated.objects[name].material_slots) for name in before} == before
    textured = [obj for obj in generated.objects if obj.name.endswith("Textured")]
    assert {obj.name for obj in textured} == {"floor Textured", "sofa Textured"}
    (image,) = [image for image in bpy.data.images if image.name.startswith("OccScene Texture")]
    places = np.empty(len(textured[0].data.loops) * 2, np.float32)
    textured[0].data.uv_layers[0].uv.foreach_get("vector", places)
    columns, rows = (places.reshape(-1, 4, 2).mean(axis=1) * 256).astype(int).T
    np.testing.assert_allclose(image_pixels(image)[rows, columns, :3], [(0.8, 0.4, 0.2)] * len(rows), atol=0.03)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(path))
    meshes = [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
    assert len(meshes) == 2
    assert all(obj.data.uv_layers and obj.material_slots[0].material for obj in meshes)

"""Views projected onto a blockout, rendered with Cycles and compared with what the cameras saw."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from numpy.typing import NDArray
from occscene.srgb import srgb_from_linear

from blender_addon.jobs.request import Request
from blender_addon.operators.projecting import selected_surfaces
from blender_addon.properties.settings import SceneSettings
from blender_addon.scene.cameras import chosen_views
from blender_addon.scene.images import image_pixels, packed_image
from tests.blender.build_scenes import add_box, add_camera, add_collection


@pytest.fixture
def painted(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A floor, a wall and a box before it, painted by position only, and three cameras of different make."""
    add_box("floor", (4, 4, 0.2), (0, 0, -0.1))
    add_box("wall", (4, 0.2, 2.6), (0, 1.9, 1.3))
    add_box("sofa", (1.2, 0.7, 0.9), (0.1, 0.6, 0.45)).rotation_euler.z = 0.3
    for obj in list(scene.objects):
        obj.occscene.class_name = obj.name
        obj.data.materials.append(paint())
    aim(add_camera("left", (-1.7, -2.4, 1.5)), (0.2, 0.8, 0.5))
    aim(add_camera("right", (1.8, -2.2, 2.0)), (-0.1, 0.7, 0.6))
    aim(add_camera("side", (-1.9, 0.3, 1.2)), (0.3, 1.2, 0.5))
    bpy.data.objects["left"].rotation_euler.rotate_axis("Z", 0.5)  # rolled
    left, right = bpy.data.cameras["left"], bpy.data.cameras["right"]
    left.shift_x, left.shift_y, left.lens = 0.12, -0.07, 28
    right.sensor_fit, right.lens, right.shift_y = "VERTICAL", 20, 0.1
    bpy.data.cameras["side"].lens = 18
    scene.render.resolution_x, scene.render.resolution_y = 192, 128
    scene.render.pixel_aspect_x = 1.25
    scene.occscene.image_size = 192
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 16, False, "CPU"
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.occscene.fit_volume()
    return scene


def paint() -> bpy.types.Material:
    """Light whose colour depends only on the position in the world."""
    material = bpy.data.materials.new("paint")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    place, wave = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeVectorMath")
    wave.operation = "SINE"
    scale, lift = nodes.new("ShaderNodeVectorMath"), nodes.new("ShaderNodeVectorMath")
    scale.operation, scale.inputs[1].default_value = "MULTIPLY", (3.0, 4.0, 5.0)
    lift.operation, lift.inputs[1].default_value, lift.inputs[2].default_value = "MULTIPLY_ADD", (0.4,) * 3, (0.5,) * 3
    light, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    links.new(place.outputs["Position"], scale.inputs[0])
    links.new(scale.outputs[0], wave.inputs[0])
    links.new(wave.outputs[0], lift.inputs[0])
    links.new(lift.outputs[0], light.inputs["Color"])
    links.new(light.outputs[0], output.inputs["Surface"])
    return material


def aim(camera: bpy.types.Object, target: tuple[float, float, float]) -> None:
    camera.rotation_euler = (Vector(target) - camera.location).to_track_quat("-Z", "Y").to_euler()


def render(scene: bpy.types.Scene, camera: str, folder: Path) -> bytes:
    """The PNG that Cycles makes of what a camera sees."""
    scene.camera = scene.objects[camera]
    scene.render.filepath = str(folder / "render.png")
    bpy.ops.render.render(write_still=True)
    return (folder / "render.png").read_bytes()


CLASSES = ("floor", "wall", "sofa")


def pixels(data: bytes) -> NDArray[np.float32]:
    image = packed_image("compared", data)
    return image_pixels(image)[..., :3]


def add_result(scene: bpy.types.Scene, views: dict[str, bytes], folder: Path) -> None:
    """A result with these views, as if the server had made them."""
    chosen = tuple(view for view in chosen_views(bpy.context, "ALL", 192, 1) if view.object_name in views)
    request = Request("abcd", "BLOCKOUT", SceneSettings(), chosen, str(folder), "2026-01-01T00:00:00+00:00")
    result = scene.occscene.results.add()
    result.name, result.request, result.state = "abcd", request.to_json(), "SUCCEEDED"
    result.directory = str(folder)
    for name, data in views.items():
        view = result.views.add()
        view.name, view.image = name, packed_image(name, data)


def differences(scene: bpy.types.Scene, camera: str, truth: bytes, folder: Path) -> NDArray[np.float32]:
    """The largest channel difference at each pixel between a render and the truth."""
    result: NDArray[np.float32] = np.abs(pixels(render(scene, camera, folder)) - pixels(truth)).max(axis=2)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("meters_per_unit", [1.0, 0.1, 10.0])
def test_every_camera_sees_its_own_view_again(painted: bpy.types.Scene, meters_per_unit: float, tmp_path: Path) -> None:
    painted.unit_settings.scale_length = meters_per_unit
    truth = {name: render(painted, name, tmp_path) for name in ("left", "right", "side")}
    add_result(painted, truth, tmp_path)
    assert bpy.ops.occscene.project_views() == {"FINISHED"}
    assert "ShaderNodeUVMap" not in {node.bl_idname for node in projection(painted).node_tree.nodes}
    for name, data in truth.items():
        error = differences(painted, name, data, tmp_path)
        assert np.median(error) < 0.01, name
        assert (error < 0.04).mean() > 0.96, name  # the rest: outlines, and what only the view's faded border saw


def test_a_new_camera_sees_the_same_paint(painted: bpy.types.Scene, tmp_path: Path) -> None:
    names = ("left", "right", "side")
    views = {name: render(painted, name, tmp_path) for name in names}
    aim(add_camera("new", (0.1, -2.4, 1.9)), (0.1, 1.0, 0.5))
    truth = render(painted, "new", tmp_path)
    add_result(painted, views, tmp_path)
    bpy.ops.occscene.project_views()
    error = differences(painted, "new", truth, tmp_path)
    assert (error < 0.04).mean() > 0.9


def test_what_is_hidden_from_a_camera_is_not_painted_by_it(painted: bpy.types.Scene, tmp_path: Path) -> None:
    """Only one camera: the wall behind the box gets the mean of what is seen of it instead of the box's picture."""
    views = {"right": render(painted, "right", tmp_path)}
    aim(add_camera("new", (-1.2, -1.4, 1.9)), (0.0, 1.6, 0.8))
    truth = pixels(render(painted, "new", tmp_path))
    add_result(painted, views, tmp_path)
    bpy.ops.occscene.project_views()
    seen = pixels(render(painted, "new", tmp_path))
    fills = [srgb_from_linear(np.array(painted.objects[name].occscene.unseen_color[:3])) for name in CLASSES]
    unseen = np.min([np.abs(seen - fill).max(axis=2) for fill in fills], axis=0) < 0.02
    assert [(0.2 < fill.mean() < 0.8) for fill in fills] == [True] * 3  # the paint's mean, not white
    right = np.abs(seen - truth).max(axis=2) < 0.05
    background = truth.max(axis=2) < 0.06
    assert 0.05 < unseen.mean() < 0.6
    assert (unseen | right | background).mean() > 0.93  # the rest lies on outlines


def test_slots_and_meshes_come_back(painted: bpy.types.Scene, tmp_path: Path) -> None:
    add_result(painted, {"left": render(painted, "left", tmp_path)}, tmp_path)
    wall, bare = painted.objects["wall"], add_box("objs", (0.2, 0.2, 0.2), (1.5, -1, 0.1))
    bare.occscene.class_name = "objs"
    paints = {obj.name: [slot.material for slot in obj.material_slots] for obj in painted.objects}
    paints["wall"][0].occscene.class_name = "window"
    wall.occscene.class_name = ""
    before = wall.material_slots[0].material
    for _ in range(2):
        assert bpy.ops.occscene.project_views() == {"FINISHED"}
    assert wall.data.materials[0] == before
    assert bare.material_slots[0].material == projection(painted)
    assert len([one for one in bpy.data.materials if one.name.startswith("OccScene Projection")]) == 1
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    assert "window" in _classes(tmp_path / "grid.npz")  # the slot's tag still counts
    assert bpy.ops.occscene.remove_projection() == {"FINISHED"}
    assert len(bare.material_slots) == 0
    assert [slot.material for slot in wall.material_slots] == paints["wall"]
    assert [slot.link for slot in wall.material_slots] == ["DATA"]
    assert not [one for one in bpy.data.materials if one.name.startswith("OccScene Projection")]
    assert not [one for one in bpy.data.images if "depth" in one.name]


def test_depth_survives_a_save(painted: bpy.types.Scene, tmp_path: Path) -> None:
    add_result(painted, {"left": render(painted, "left", tmp_path)}, tmp_path)
    bpy.ops.occscene.project_views()
    before = image_pixels(depth_image()).copy()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    np.testing.assert_allclose(image_pixels(depth_image()), before, rtol=1e-3)
    assert before[..., 0].max() > 0.2


def _classes(path: Path) -> set[str]:
    from occscene.grid import load_grid
    from occscene.taxonomy import TAXONOMIES

    grid = load_grid(path)
    return {TAXONOMIES[grid.taxonomy].classes[label].name for label in np.unique(grid.labels)}


def projection(scene: bpy.types.Scene) -> bpy.types.Material:
    return scene.objects["wall"].material_slots[0].material


def depth_image() -> bpy.types.Image:
    return next(image for image in bpy.data.images if image.name.endswith("depth"))


def test_only_the_selection_is_covered(painted: bpy.types.Scene, tmp_path: Path) -> None:
    add_result(painted, {"left": render(painted, "left", tmp_path)}, tmp_path)
    paint_before = painted.objects["wall"].material_slots[0].material
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"))
    assert bpy.ops.occscene.project_views(target="SELECTED") == {"FINISHED"}
    assert painted.objects["wall"].material_slots[0].material == paint_before
    voxels = painted.objects["OccScene Occupancy"]
    assert {slot.material.name.split(".")[0] for slot in voxels.material_slots} == {"OccScene Projection abcd"}
    for obj in (painted.objects[name] for name in ("floor", "wall", "sofa")):
        obj.hide_render = True
    truth = pixels((tmp_path / "render.png").read_bytes())
    seen = pixels(render(painted, "left", tmp_path))
    assert (np.abs(seen - truth).max(axis=2) < 0.06).mean() > 0.85  # voxels reach over the blockout's outlines
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    with pytest.raises(RuntimeError, match="select meshes first"):
        bpy.ops.occscene.project_views(target="SELECTED")


def test_linked_duplicates_lose_the_slot_that_they_got(painted: bpy.types.Scene, tmp_path: Path) -> None:
    add_result(painted, {"left": render(painted, "left", tmp_path)}, tmp_path)
    one = add_box("objs", (0.2, 0.2, 0.2), (1.5, -1, 0.1))
    two = one.copy()
    painted.collection.objects.link(two)
    one.occscene.class_name = two.occscene.class_name = "objs"
    for _ in range(2):
        bpy.ops.occscene.project_views()
        assert [len(obj.material_slots) for obj in (one, two)] == [1, 1]
        bpy.ops.occscene.remove_projection()
        assert [len(obj.material_slots) for obj in (one, two)] == [0, 0]


def test_selected_instances_and_texts_are_covered_too(painted: bpy.types.Scene, tmp_path: Path) -> None:
    add_result(painted, {"left": render(painted, "left", tmp_path)}, tmp_path)
    kit = add_collection("kit")
    leg = add_box("leg", (0.1, 0.1, 0.5), collection=kit)
    chair = bpy.data.objects.new("chair", None)
    chair.instance_type, chair.instance_collection, chair.location = "COLLECTION", kit, (0.5, -0.5, 0.25)
    text = bpy.data.objects.new("text", bpy.data.curves.new("text", "FONT"))
    text.data.body = "EAT"
    for obj in (chair, text):
        painted.collection.objects.link(obj)
        obj.select_set(True)
    bpy.context.view_layer.update()
    surfaces = selected_surfaces(bpy.context)
    assert set(surfaces) == {leg, text}
    np.testing.assert_allclose(surfaces[leg].mean(axis=(0, 1)), chair.location, atol=0.1)
    assert bpy.ops.occscene.project_views(target="SELECTED") == {"FINISHED"}
    assert {obj.material_slots[0].material.name for obj in (leg, text)} == {"OccScene Projection abcd"}


def test_outlines_have_no_specks(painted: bpy.types.Scene, tmp_path: Path) -> None:
    """From the very camera of a view: what the depth image is too coarse for is drawn from the view all the same."""
    for number in range(12):
        leg = add_box(f"leg {number}", (0.02, 0.02, 0.8), (-1.2 + 0.2 * number, -0.5 + 0.05 * number, 0.4))
        leg.occscene.class_name = "chair"
        leg.data.materials.append(paint())
    truth = render(painted, "right", tmp_path)
    add_result(painted, {"right": truth}, tmp_path)
    bpy.ops.occscene.project_views()
    assert (differences(painted, "right", truth, tmp_path) > 0.25).mean() < 0.002

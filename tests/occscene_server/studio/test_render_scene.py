"""A tiny rendering: one seed gives one scene, what Cycles sees is what the grid says, and the disk keeps it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.taxonomy import INDOOR
from scipy import ndimage
from typer.testing import CliRunner

pytest.importorskip("bpy")

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from occscene_server.data.dataset import RenderedScene, list_scenes, read_scene, split_of, write_scene
from occscene_server.data.scene_mesh import MESHES_FILE, read_meshes
from occscene_server.data.scene_windows import missing_windows, read_window, window_places
from occscene_server.studio.cli import studio_app
from occscene_server.studio.cycles import RenderSettings
from occscene_server.studio.indoor import build_room
from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.render_scene import render_indoor_scene
from occscene_server.studio.scene_grids import item_classes
from occscene_server.studio.sheet import contact_sheet
from occscene_server.studio.view_windows import render_missing_windows

pytestmark = [pytest.mark.blender, pytest.mark.slow]
SEED = 3


@pytest.fixture(scope="module")
def scene() -> RenderedScene:
    return render_indoor_scene(SEED, side=64, settings=RenderSettings(samples=1), semantics=True)


def test_same_seed_same_scene(scene: RenderedScene) -> None:
    again = render_indoor_scene(SEED, side=64, settings=RenderSettings(samples=1))
    for name in ("occupancy", "blockout"):
        first, second = getattr(scene, name), getattr(again, name)
        np.testing.assert_array_equal(first.labels, second.labels)
        np.testing.assert_array_equal(first.instances, second.instances)
    for camera, other in zip(scene.cameras, again.cameras, strict=True):
        np.testing.assert_array_equal(camera.world_from_camera, other.world_from_camera)
        assert camera.fx == other.fx
    assert scene.info == again.info
    np.testing.assert_array_equal(scene.views, again.views)


def test_cycles_sees_what_the_grid_says(scene: RenderedScene) -> None:
    assert scene.items is not None
    classes = item_classes(build_room(SEED).items, INDOOR)[scene.items]
    agreement = [
        semantic_agreement(view, scene.occupancy, camera) for view, camera in zip(classes, scene.cameras, strict=True)
    ]
    assert np.mean(agreement) >= 0.95, agreement


def semantic_agreement(classes: NDArray[Any], grid: SemanticGrid, camera: PinholeCamera) -> float:
    """Share of a rendering's pixels (height, width) with the grid's class, of those a voxel away from other classes."""
    hits, depths = march(grid, camera, reach=9.0)
    seen = looked_up(grid.labels, hits)
    voxel = np.ceil(grid.voxel_size * camera.fx / np.maximum(depths, grid.voxel_size))
    clear = np.minimum(to_other_class(seen), to_other_class(classes)) > voxel
    return float((seen == classes)[clear].mean())


def to_other_class(classes: NDArray[Any]) -> NDArray[Any]:
    """Chebyshev distance of each pixel to the nearest one of another class."""
    edge = ndimage.minimum_filter(classes, 3) != ndimage.maximum_filter(classes, 3)
    return ndimage.distance_transform_cdt(~edge, "chessboard") + 1


def test_views_are_well_exposed(scene: RenderedScene) -> None:
    brightness = scene.views.mean(axis=(1, 2, 3))
    assert (brightness > 50).all(), brightness
    assert (brightness < 210).all(), brightness
    assert (scene.views.std(axis=(1, 2, 3)) > 15).all(), "a view shows hardly anything"


def test_disk_keeps_the_scene(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, scene)
    assert list_scenes(tmp_path) == [folder]
    loaded = read_scene(folder)
    assert loaded.info == scene.info
    np.testing.assert_array_equal(loaded.occupancy.labels, scene.occupancy.labels)
    np.testing.assert_array_equal(loaded.blockout.instances, scene.blockout.instances)
    assert [item.name for item in loaded.blockout.objects] == [item.name for item in scene.blockout.objects]
    np.testing.assert_allclose(loaded.blockout.objects[0].hint, scene.blockout.objects[0].hint, atol=1e-6)
    np.testing.assert_array_equal(loaded.items, scene.items)
    assert loaded.cameras[2].fx == scene.cameras[2].fx
    assert np.abs(loaded.views.astype(int) - scene.views).mean() < 8
    assert contact_sheet([loaded]).width == 4 * 64


def test_disk_keeps_the_triangles(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, scene)
    meshes = read_meshes(folder)
    assert scene.meshes is not None
    for name, grid in (("true", scene.occupancy), ("blockout", scene.blockout)):
        mesh = getattr(meshes, name)
        corners = mesh.vertices[mesh.triangles]
        objects = [
            TriangleObject(obj.name, class_id, corners[mesh.object_ids == obj.id])
            for obj, class_id in zip(grid.objects, item_classes(build_room(SEED).items, INDOOR)[1:], strict=True)
        ]
        again = voxelize(objects, grid.volume, INDOOR)
        assert np.mean((again.labels > 0) == (grid.labels > 0)) > 0.97
    assert np.abs(meshes.true.vertices - scene.meshes.true.vertices).max() < 1e-4
    assert np.abs(meshes.true.surface - scene.meshes.true.surface).max() < 1e-3
    assert (folder / MESHES_FILE).stat().st_size < 200_000


def test_classes_of_triangles_that_a_file_does_not_hold_are_those_of_its_objects(
    scene: RenderedScene, tmp_path: Path
) -> None:
    folder = write_scene(tmp_path, scene)
    with np.load(folder / MESHES_FILE) as members:
        kept = {name: members[name] for name in members.files if not name.endswith("_classes")}
    np.savez_compressed(folder / MESHES_FILE, **kept)
    assert scene.meshes is not None
    np.testing.assert_array_equal(read_meshes(folder).true.labels, scene.meshes.true.labels)


def test_triangles_of_older_scenes_are_added(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, replace(scene, meshes=None))
    assert CliRunner().invoke(studio_app, ["meshes", str(tmp_path)]).exit_code == 0
    assert scene.meshes is not None
    np.testing.assert_array_equal(read_meshes(folder).true.triangles, scene.meshes.true.triangles)
    (folder / MESHES_FILE).unlink()
    folder.rename(tmp_path / "scene_000004")
    outcome = CliRunner().invoke(studio_app, ["meshes", str(tmp_path)])
    assert outcome.exit_code == 1
    assert "scene_000004" in outcome.output


def studio(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own, as workers cannot be started where Blender is loaded."""
    command = [sys.executable, "-m", "occscene_server.cli", "studio", *arguments, "--workers", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_size_is_the_same_cameras(scene: RenderedScene, tmp_path: Path) -> None:
    outcome = studio("render", "--scenes", f"{SEED}:{SEED + 1}", "--image-size", "96", "--output", str(tmp_path))
    assert outcome.returncode == 0, outcome.stderr
    larger = read_scene(list_scenes(tmp_path)[0])
    assert larger.views.shape == (4, 96, 96, 3)
    assert larger.info == scene.info
    for camera, other in zip(scene.cameras, larger.cameras, strict=True):
        np.testing.assert_array_equal(camera.world_from_camera, other.world_from_camera)
        assert (other.width, other.height) == (96, 96)
        np.testing.assert_allclose(other.intrinsics[:2] / 96, camera.intrinsics[:2] / 64)
    halved = larger.views.reshape(4, 32, 3, 32, 3, 3).mean((2, 4)), scene.views.reshape(4, 32, 2, 32, 2, 3).mean((2, 4))
    assert np.abs(halved[0] - halved[1]).mean() < 10


@pytest.fixture(scope="module")
def calm_scene() -> RenderedScene:
    return render_indoor_scene(SEED, side=64)


def test_windows_show_what_the_whole_view_does(calm_scene: RenderedScene, tmp_path: Path) -> None:
    folder, settings = write_scene(tmp_path, calm_scene), RenderSettings()
    render_missing_windows(folder, 2, 192, side=80, settings=settings)
    whole = render_indoor_scene(SEED, side=192, settings=settings).views.astype(int)
    places = window_places(folder)
    assert [(place.view, place.number) for place in places] == [(view, k) for view in range(4) for k in (0, 1)]
    assert len({place.origin for place in places}) == 8
    for place in places:
        pixels, (x, y) = read_window(folder, place).astype(int), place.origin
        assert pixels.shape == (80, 80, 3)
        own = np.abs(pixels - whole[place.view, y : y + 80, x : x + 80]).mean()
        shifted = whole[place.view, y : y + 80, min(x, 109) + 3 : min(x, 109) + 83]
        assert own < 9, place
        assert own < np.abs(pixels - shifted).mean(), place


def test_windows_that_are_there_are_kept(calm_scene: RenderedScene, tmp_path: Path) -> None:
    folder, settings = write_scene(tmp_path, calm_scene), RenderSettings()
    render_missing_windows(folder, 1, 128, side=64, settings=settings)
    first = {path.name: path.read_bytes() for path in folder.glob("window_*")}
    render_missing_windows(folder, 2, 128, side=64, settings=settings)
    render_missing_windows(folder, 1, 192, side=64, settings=settings)
    assert {name: (folder / name).read_bytes() for name in first} == first
    assert sorted(place.full_size for place in window_places(folder)) == [128] * 8 + [192] * 4
    assert not missing_windows(folder, 4, 2, 128, side=64)
    assert [place.number for place in missing_windows(folder, 4, 2, 192, side=64)] == [3] * 4
    assert len(list(folder.glob("window_*"))) == len(window_places(folder)) == 12


def test_windows_of_another_room_are_refused(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, replace(scene, info=replace(scene.info, seed=SEED + 1)))
    outcome = studio("windows", str(tmp_path), "--size", "320")
    assert outcome.returncode == 1
    assert "another version of the studio" in " ".join(outcome.stderr.split())
    other_light = write_scene(tmp_path, replace(scene, views=scene.views[:, ::-1]))
    with pytest.raises(ValueError, match="differ from the stored views"):
        render_missing_windows(other_light, 1, 128, side=64, settings=RenderSettings())
    assert not list(folder.glob("window*")) + list(other_light.glob("window*"))


def test_split_by_seed() -> None:
    parts = [split_of(seed) for seed in range(40)]
    assert parts.count("test") == parts.count("validation") == 2
    assert parts.count("train") == 36

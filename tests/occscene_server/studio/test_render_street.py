"""A rendered street: what Cycles shows is what the grid says, and the disk keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from occscene.taxonomy import OUTDOOR

from occscene_server.data.dataset import RenderedScene, list_scenes, read_scene, write_scene
from occscene_server.data.scene_mesh import read_meshes
from occscene_server.data.scene_windows import window_places
from occscene_server.studio.cycles import RenderSettings
from occscene_server.studio.domains import DOMAINS, VIEWS
from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.scene_grids import item_classes
from occscene_server.studio.sheet import contact_sheet
from occscene_server.studio.streets.blender_street import build_street_scene
from occscene_server.studio.streets.render import ground_exposure, render_outdoor_scene
from occscene_server.studio.streets.street import build_street
from occscene_server.studio.view_windows import render_missing_windows

pytestmark = [pytest.mark.blender, pytest.mark.slow]
SEED, SIDE = 7, 64


@pytest.fixture(scope="module")
def scene() -> RenderedScene:
    return render_outdoor_scene(SEED, SIDE, RenderSettings(samples=1), semantics=True)


def test_a_scene_has_five_views_and_speaks_of_them(scene: RenderedScene) -> None:
    assert "outdoor" in DOMAINS
    assert scene.views.shape == (VIEWS["outdoor"], SIDE, SIDE, 3)
    assert scene.info.domain == "outdoor"
    assert scene.occupancy.taxonomy == OUTDOOR.name
    assert all(OUTDOOR.index_of(str(item["class"])) for item in scene.info.items)
    assert contact_sheet([scene]).width == VIEWS["outdoor"] * SIDE


def test_cycles_sees_what_the_grid_says(scene: RenderedScene) -> None:
    assert scene.items is not None
    classes = item_classes(build_street(SEED).items, OUTDOOR)
    agreed = []
    for view, camera in zip(scene.items, scene.cameras, strict=True):
        hits, depths = march(scene.occupancy, camera, 20.0)
        near = (hits >= 0) & (depths < 20.0) & (view > 0)
        agreed.append((classes[view] == looked_up(scene.occupancy.labels, hits))[near].mean())
    assert np.mean(agreed) > 0.75, agreed


def test_views_are_well_exposed(scene: RenderedScene) -> None:
    levels = scene.views.mean(axis=(1, 2, 3)) / 255
    assert ((levels > 0.12) & (levels < 0.85)).all(), levels


def test_exposure_is_metered_below_the_horizon(scene: RenderedScene) -> None:
    radiance = np.full((VIEWS["outdoor"], SIDE, SIDE, 3), 0.5, np.float32)
    above = np.stack([camera.pixel_directions()[..., 2] > 0.05 for camera in scene.cameras])
    radiance[above] = 50.0
    assert ground_exposure(radiance, scene.cameras, 0.2) == pytest.approx(0.4, rel=0.05)


def test_disk_keeps_the_scene_and_its_triangles(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, scene)
    assert list_scenes(tmp_path) == [folder]
    stored = read_scene(folder)
    np.testing.assert_array_equal(stored.occupancy.labels, scene.occupancy.labels)
    assert stored.info == scene.info
    assert stored.cameras[0].fx == scene.cameras[0].fx
    meshes = read_meshes(folder)
    assert scene.meshes is not None
    np.testing.assert_array_equal(meshes.true.labels, scene.meshes.true.labels)
    np.testing.assert_array_equal(meshes.blockout.labels, scene.meshes.blockout.labels)
    assert np.abs(meshes.true.vertices - scene.meshes.true.vertices).max() < 0.005


def test_items_of_one_shape_share_one_mesh() -> None:
    import bpy

    street = build_street(SEED)
    build_street_scene(street)
    objects = [obj for obj in bpy.data.objects if obj.type == "MESH"]
    assert len(objects) == len(street.items)
    assert len({obj.data.name for obj in objects}) == len({id(item.parts) for item in street.items}) < len(objects)


def test_windows_of_larger_views_are_added(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, scene)
    render_missing_windows(folder, 1, 128, side=64, settings=RenderSettings(samples=1))
    assert [place.view for place in window_places(folder)] == list(range(VIEWS["outdoor"]))

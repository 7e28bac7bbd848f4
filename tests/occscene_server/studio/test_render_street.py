"""A rendered street: what Cycles shows is what the grid says, and the disk keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.taxonomy import OUTDOOR
from scipy.spatial import KDTree

from occscene_server.data.dataset import RenderedScene, list_scenes, read_scene, write_scene
from occscene_server.data.scene_mesh import read_meshes
from occscene_server.data.scene_windows import window_places
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.leaves import leaves_of
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.studio.cycles import RenderSettings
from occscene_server.studio.domains import DOMAINS, VIEWS
from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.scene_grids import item_classes
from occscene_server.studio.sheet import contact_sheet
from occscene_server.studio.streets.blender_street import build_street_scene, leaves_of_items
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
    leaves = len(leaves_of_items(street.items))
    assert len(objects) == len(street.items) + leaves
    assert len({obj.data.name for obj in objects}) == len({id(item.parts) for item in street.items}) + leaves
    assert len({id(item.parts) for item in street.items}) < len(street.items)


def test_windows_of_larger_views_are_added(scene: RenderedScene, tmp_path: Path) -> None:
    folder = write_scene(tmp_path, scene)
    render_missing_windows(folder, 1, 128, side=64, settings=RenderSettings(samples=4))  # leaves are noisy
    assert [place.view for place in window_places(folder)] == list(range(VIEWS["outdoor"]))


def test_stored_triangles_bear_the_leaves_that_were_rendered(scene: RenderedScene, tmp_path: Path) -> None:
    """Positions are stored to some millimetres, which may move a leaf in a hundred."""
    rendered = dict(leaves_of_items(build_street(SEED).items))
    mesh = read_meshes(write_scene(tmp_path, scene)).true
    grown = leaves_of(OUTDOOR.name, mesh.labels, mesh.object_ids, mesh.vertices[mesh.triangles])
    owners = mesh.object_ids[grown.seat]
    assert set(owners.tolist()) == set(rendered)
    assert len(rendered) > 5
    apart = []
    for number, item in rendered.items():
        ours = grown.corners[owners == number].mean(1)
        theirs = item.parts[0].vertices.reshape(-1, 3, 3).mean(1)
        assert len(ours) == pytest.approx(len(theirs), rel=0.01)
        apart.append(KDTree(theirs).query(ours)[0])
    distances = np.concatenate(apart)
    assert np.quantile(distances, 0.97) < 0.01


def test_the_sun_that_is_noted_throws_the_shadows_of_the_views() -> None:
    """Of a street in bright sunshine: what is lit on the ground is far brighter than what lies in the shade."""
    seed = next(seed for seed in range(100) if build_street(seed).weather == "clear day")
    scene = render_outdoor_scene(seed, 128, RenderSettings(samples=4))
    assert scene.info.sun is not None
    assert scene.meshes is not None
    rays = RayScene(scene.meshes.true, scene.blockout, np.array(scene.info.sun))
    buffer = mesh_gbuffer([rays], CameraTensors.from_cameras([scene.cameras]), (128, 128))
    ground = np.isin(buffer.labels[0].numpy(), [OUTDOOR.index_of(name) for name in ("road", "sidewalk", "parking")])
    light = buffer.sunlight[0, :, 1].numpy()
    brightness = linear_from_srgb(torch.from_numpy(scene.views / np.float32(255))).mean(-1).numpy()
    lit, shade = (float(np.median(brightness[ground & where])) for where in (light > 0.1, light == 0))
    assert lit > 2 * shade, (lit, shade)

"""Grids in and out, what changed, and the care of the list of results."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import bmesh
import bpy
import numpy as np
import pytest
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from occscene.grid import GridVolume, SemanticGrid, load_grid, save_grid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import voxelize
from blender_addon.scene.collect import collect_blockout
from tests.blender.build_scenes import add_box
from tests.blender.test_mesh_import import turned_grid


@pytest.fixture
def generated(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> bpy.types.Scene:
    """A scene with one result."""
    bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server)
    return blockout


def random_grid() -> SemanticGrid:
    """Blobs of three classes in a turned volume."""
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(12, 10, 8))
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
    labels = np.where(noise > 2.5, rng.integers(1, 4, (12, 10, 8)).cumsum(0) % 3 + 1, 0).astype(np.uint8)
    return replace(turned_grid(), labels=labels)


@pytest.mark.parametrize("surface", ["BLOCKS", "MERGED", "SMOOTH"])
@pytest.mark.parametrize("separate", [False, True])
def test_each_voxels_center_lies_inside_its_mesh(
    scene: bpy.types.Scene, tmp_path: Path, surface: str, separate: bool
) -> None:
    grid = random_grid()
    save_grid(tmp_path / "grid.npz", grid)
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"), surface=surface, separate=separate)
    bpy.context.view_layer.update()
    objects = list(bpy.context.selected_objects)
    assert len(objects) == (3 if separate else 1)
    centers = grid.voxel_centers(np.stack(np.indices(grid.shape), axis=-1).reshape(-1, 3))
    inside = np.zeros(len(centers), bool)
    for obj in objects:
        enclosed = np.array([is_inside(obj, center) for center in centers])
        if separate:
            label = {value.value for value in obj.data.attributes["occscene_class"].data}
            np.testing.assert_array_equal(enclosed, np.isin(grid.labels.ravel(), list(label)))
        inside |= enclosed
    np.testing.assert_array_equal(inside, grid.labels.ravel() > 0)


def is_inside(obj: bpy.types.Object, point: np.ndarray) -> bool:
    """Whether a ray to a side meets the mesh an odd number of times."""
    tree = _trees.setdefault(obj.name, None) or BVHTree.FromObject(obj, bpy.context.evaluated_depsgraph_get())
    _trees[obj.name] = tree
    place, direction = obj.matrix_world.inverted() @ Vector(point), Vector((0.936, 0.301, 0.179)).normalized()
    crossings = 0
    while True:
        hit, _, _, _ = tree.ray_cast(place, direction)
        if hit is None:
            return crossings % 2 == 1
        crossings += 1
        place = hit + direction * 1e-5


_trees: dict[str, BVHTree | None] = {}


@pytest.fixture(autouse=True)
def no_trees() -> None:
    _trees.clear()


def test_what_changed_is_shown_and_taken_away(generated: bpy.types.Scene, tmp_path: Path) -> None:
    path = tmp_path / "out/occupancy.npz"
    grid = load_grid(path)
    labels = grid.labels.copy()
    empty, full = np.argwhere(labels == 0)[:5], np.argwhere(labels > 0)[:2]
    labels[tuple(empty.T)] = 6
    labels[tuple(full[:1].T)] = 0
    labels[tuple(full[1:].T)] = 11
    save_grid(path, replace(grid, labels=labels))
    assert bpy.ops.occscene.show_changes() == {"FINISHED"}
    names = {obj.name for obj in generated.objects if obj.name.startswith("OccScene Changes")}
    assert names == {"OccScene Changes added", "OccScene Changes removed", "OccScene Changes other class"}
    added = bpy.data.objects["OccScene Changes added"]
    corners = np.array([added.matrix_world @ vertex.co for vertex in added.data.vertices])
    centers = grid.voxel_centers(empty)
    np.testing.assert_allclose(corners.min(axis=0), centers.min(axis=0) - grid.voxel_size / 2, atol=1e-5)
    np.testing.assert_allclose(corners.max(axis=0), centers.max(axis=0) + grid.voxel_size / 2, atol=1e-5)
    bpy.ops.occscene.show_changes()
    assert not [obj for obj in generated.objects if obj.name.startswith("OccScene Changes")]


def test_grids_go_out_and_come_back(generated: bpy.types.Scene, tmp_path: Path) -> None:
    sent = load_grid(tmp_path / "out/occupancy.npz")
    for name in ("prediction.npz", "prediction.vox"):
        assert bpy.ops.occscene.export_grid(filepath=str(tmp_path / name)) == {"FINISHED"}
    again = load_grid(tmp_path / "prediction.npz")
    np.testing.assert_array_equal(again.labels, sent.labels)
    assert bpy.ops.occscene.import_grid(filepath=str(tmp_path / "prediction.vox")) == {"FINISHED"}
    mesh = bpy.context.object.data
    assert bpy.context.object.name == "prediction"
    assert {value.value for value in mesh.attributes["occscene_class"].data} == set(np.unique(sent.labels)) - {0}
    bpy.ops.occscene.export_grid(filepath=str(tmp_path / "blockout.npz"), source="BLOCKOUT")
    assert load_grid(tmp_path / "blockout.npz").objects
    with pytest.raises(RuntimeError, match="SemanticKITTI files hold 'outdoor'"):
        bpy.ops.occscene.export_grid(filepath=str(tmp_path / "prediction.label"))
    with pytest.raises(RuntimeError, match=r"does not say its kind; grids are written as OccScene \(\.npz\)"):
        bpy.ops.occscene.export_grid(filepath=str(tmp_path / "prediction.txt"))


def test_a_semantic_kitti_file_becomes_a_street(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.occscene.domain = "outdoor"
    add_box("road", (20, 8, 0.2)).occscene.class_name = "road"
    bpy.ops.occscene.fit_volume()
    bpy.ops.occscene.export_grid(filepath=str(tmp_path / "street.label"), source="BLOCKOUT")
    assert (tmp_path / "street.bin").exists()
    assert bpy.ops.occscene.import_grid(filepath=str(tmp_path / "street.label"), surface="MERGED") == {"FINISHED"}
    extent = np.ptp(list(bpy.context.object.bound_box), axis=0)
    np.testing.assert_allclose(extent[:2], (20, 8), atol=0.41)


def test_backgrounds_change_with_the_result(generated: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    photo = bpy.data.images.new("photo", 8, 8)
    camera = bpy.data.objects["left"]
    camera.data.background_images.new().image = photo
    for seed in (1, 2):
        bpy.ops.occscene.generate(directory=str(tmp_path / str(seed)), server=server, seed=seed)
        assert bpy.ops.occscene.set_backgrounds() == {"FINISHED"}
    images = [background.image for background in camera.data.background_images]
    assert images == [photo, generated.occscene.results[-1].views["left"].image]


def test_a_removed_result_takes_its_images_and_leaves_its_files(generated: bpy.types.Scene, tmp_path: Path) -> None:
    names = [view.image.name for view in generated.occscene.results[0].views]
    kept = bpy.data.textures.new("kept", "IMAGE")
    kept.image = generated.occscene.results[0].views["left"].image
    assert bpy.ops.occscene.remove_result() == {"FINISHED"}
    assert not generated.occscene.results
    assert [name in bpy.data.images for name in names] == [True, False]  # a texture uses the left one
    assert (tmp_path / "out/view_right.png").exists()
    with pytest.raises(RuntimeError, match="no result yet"):
        bpy.ops.occscene.import_occupancy()


def test_names_that_no_file_may_have_are_changed(generated: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    for number, name in enumerate(("a/b: c", "a b c")):
        bpy.data.objects[("left", "right")[number]].name = name
    bpy.ops.occscene.generate(directory=str(tmp_path / "names"), server=server)
    assert {path.name for path in (tmp_path / "names").glob("view_*")} == {"view_a_b_ c.png", "view_a b c.png"}
    assert bpy.ops.occscene.set_backgrounds() == {"FINISHED"}


def test_results_move_with_their_file(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one/scene.blend"))
    bpy.ops.occscene.generate(server=server)
    assert blockout.occscene.results[0].directory.startswith("//occscene_results")
    bpy.ops.wm.save_mainfile()
    (tmp_path / "one").rename(tmp_path / "two")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "two/scene.blend"))
    assert bpy.ops.occscene.import_occupancy() == {"FINISHED"}


@pytest.mark.parametrize("surface", ["BLOCKS", "MERGED", "SMOOTH"])
def test_a_mesh_is_a_manifold_with_textures_in_metres_that_voxelizes_back(
    scene: bpy.types.Scene, tmp_path: Path, surface: str
) -> None:
    grid = random_grid()
    save_grid(tmp_path / "grid.npz", grid)
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"), surface=surface)
    whole = bpy.context.view_layer.objects.active
    mesh = bmesh.new()
    mesh.from_mesh(whole.data)
    assert all(edge.is_manifold and edge.is_contiguous for edge in mesh.edges)
    assert all(vertex.is_manifold for vertex in mesh.verts)
    if surface != "SMOOTH":
        uv = mesh.loops.layers.uv.active
        lengths = [
            ((loop.link_loop_next[uv].uv - loop[uv].uv).length, loop.edge.calc_length())
            for face in mesh.faces
            for loop in face.loops
        ]
        np.testing.assert_allclose(*np.array(lengths).T, rtol=1e-4)
    mesh.free()
    bpy.data.objects.remove(whole)
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"), surface=surface, separate=True)
    for obj in bpy.context.selected_objects:
        labels = {value.value for value in obj.data.attributes["occscene_class"].data}
        obj.occscene.is_output = False
        obj.occscene.class_name = INDOOR.classes[labels.pop()].name
        assert not labels
        assert not obj.data.validate()
    blockout = collect_blockout(bpy.context)
    volume = GridVolume(grid.shape, grid.voxel_size, grid.world_from_grid)
    np.testing.assert_array_equal(voxelize(blockout.objects, volume, INDOOR).labels, grid.labels)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show folders without xdg-open")
def test_the_folder_is_shown_or_named(
    generated: bpy.types.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=f"no program that shows folders; open .*{tmp_path.name}/out"):
        bpy.ops.occscene.open_folder()
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/shown\n')
    program.chmod(0o755)
    assert bpy.ops.occscene.open_folder() == {"FINISHED"}
    assert Path((tmp_path / "shown").read_text()).resolve() == (tmp_path / "out").resolve()

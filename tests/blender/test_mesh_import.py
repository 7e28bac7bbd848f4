"""Grids as meshes: where they lie and what they are made of."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.grid import SemanticGrid, load_grid, save_grid

from blender_addon.scene.meshes import grid_object
from blender_addon.scene.volume import grid_volume
from tests.blender.build_scenes import add_box


def turned_grid() -> SemanticGrid:
    """A few voxels of three classes in a volume that is turned and moved."""
    labels = np.zeros((5, 4, 3), np.uint8)
    labels[1, 2, 1], labels[3:, 0, 0], labels[0, 0, 2], labels[4, 3, 2] = 7, 2, 11, 255
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = (1.0, -2.0, 0.5)
    return SemanticGrid(labels, 0.25, pose, "indoor")


def test_each_voxel_lies_inside_its_cell(scene: bpy.types.Scene) -> None:
    grid = turned_grid()
    obj = grid_object(scene, grid, "grid")
    bpy.context.view_layer.update()
    mesh = obj.data
    assert not mesh.validate()
    centers = np.array([obj.matrix_world @ polygon.center for polygon in mesh.polygons])
    outwards = np.array([obj.matrix_world.to_3x3() @ polygon.normal for polygon in mesh.polygons])
    labels = np.array([value.value for value in mesh.attributes["occscene_class"].data])
    inside = centers - outwards * grid.voxel_size / 2
    for label in (2, 7, 11):
        voxels = grid.voxel_centers(np.argwhere(grid.labels == label))
        points = inside[labels == label]
        distances = np.linalg.norm(points[:, None] - voxels[None], axis=-1)
        np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-5)
        assert set(distances.argmin(axis=1)) == set(range(len(voxels)))
    names = {mesh.materials[polygon.material_index].name for polygon in mesh.polygons}
    assert names == {"OccScene indoor floor", "OccScene indoor sofa", "OccScene indoor objs"}


def test_an_object_for_each_class_keeps_inner_faces(scene: bpy.types.Scene, tmp_path: Path) -> None:
    labels = np.zeros((2, 1, 1), np.uint8)
    labels[0], labels[1] = 1, 2
    save_grid(tmp_path / "grid.npz", SemanticGrid(labels, 1.0, np.eye(4), "indoor"))
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"), separate=True, name="room")
    faces = {obj.name: len(obj.data.polygons) for obj in scene.objects}
    assert faces == {"room ceiling": 6, "room floor": 6}


def test_imported_mesh_covers_the_blockout(scene: bpy.types.Scene, tmp_path: Path) -> None:
    box = add_box("sofa", (0.8, 0.4, 0.4), (0.4, 0.2, 0.2))
    box.occscene.class_name = "sofa"
    scene.occscene.voxel_size = 0.1
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    assert load_grid(tmp_path / "grid.npz").shape == (8, 4, 4)
    bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "grid.npz"))
    bpy.context.view_layer.update()
    mesh_object = bpy.context.object
    corners = np.array([mesh_object.matrix_world @ vertex.co for vertex in mesh_object.data.vertices])
    np.testing.assert_allclose(corners.min(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(corners.max(axis=0), (0.8, 0.4, 0.4), atol=1e-5)


def test_a_moved_and_turned_volume_is_read_back(scene: bpy.types.Scene) -> None:
    add_box("sofa").occscene.class_name = "sofa"
    bpy.ops.occscene.fit_volume()
    box = scene.occscene.volume
    box.rotation_euler.z = 0.5
    box.location = (1, 2, 3)
    bpy.context.view_layer.update()
    volume = grid_volume(scene)
    assert volume.shape == (60, 60, 36)
    center = volume.world_from_grid[:3, :3] @ (np.array(volume.shape) * 0.08 / 2) + volume.world_from_grid[:3, 3]
    np.testing.assert_allclose(center, (1, 2, 3), atol=1e-6)
    assert volume.world_from_grid[0, 0] == pytest.approx(np.cos(0.5), abs=1e-6)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"none\.npz is not there"):
        bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "none.npz"))
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"no zip")
    with pytest.raises(RuntimeError, match=r"is not an \.npz file"):
        bpy.ops.occscene.import_occupancy(filepath=str(bad))

"""Voxels as points: against plyfile, and of files that are not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from occscene.formats.ply import read_ply, write_ply
from occscene.formats.table import read_grid
from occscene.grid import SemanticGrid
from occscene.taxonomy import OUTDOOR

from tests.blender_addon.geometry.grids import random_grids

POSE = np.array([[0, -1, 0, 2.5], [1, 0, 0, -4.0], [0, 0, 1, 0.25], [0, 0, 0, 1.0]])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_grids(classes=19))
def test_what_is_written_is_read_back(tmp_path: Path, grid: SemanticGrid) -> None:
    grid = SemanticGrid(grid.labels, grid.voxel_size, POSE, grid.taxonomy)
    path = tmp_path / "grid.ply"
    if not grid.labels.any():
        with pytest.raises(ValueError, match=r"has 0 voxels that are not empty; a \.ply file holds 1 to 8,388,608"):
            write_ply(path, grid)
        return
    write_ply(path, grid)
    back = read_grid(path, "indoor", 9.0).grid
    np.testing.assert_array_equal(back.labels, grid.labels)
    np.testing.assert_array_equal(back.world_from_grid, POSE)
    assert (back.voxel_size, back.taxonomy) == (grid.voxel_size, grid.taxonomy)


def test_more_points_than_are_read_are_not_written(tmp_path: Path) -> None:
    grid = SemanticGrid(np.ones((512, 512, 33), np.uint8), 0.2, POSE, "outdoor")
    with pytest.raises(ValueError, match="has 8,650,752 voxels that are not empty"):
        write_ply(tmp_path / "grid.ply", grid)
    assert not (tmp_path / "grid.ply").exists()


def test_plyfile_reads_what_is_written(tmp_path: Path) -> None:
    plyfile = pytest.importorskip("plyfile")
    labels = np.random.default_rng(0).integers(0, 20, (3, 4, 5), np.uint8)
    grid = SemanticGrid(labels, 0.2, POSE, "outdoor")
    write_ply(tmp_path / "grid.ply", grid)
    vertices = plyfile.PlyData.read(tmp_path / "grid.ply")["vertex"]
    cells = np.argwhere(labels)
    np.testing.assert_allclose(np.column_stack([vertices[axis] for axis in "xyz"]), grid.voxel_centers(cells))
    np.testing.assert_array_equal(vertices["label"], labels[tuple(cells.T)])
    colors = np.array([entry.color for entry in OUTDOOR.classes])[vertices["label"]]
    np.testing.assert_array_equal(np.column_stack([vertices[c] for c in ("red", "green", "blue")]), colors)


@pytest.mark.parametrize("order", ["<", ">", "text"])
def test_plyfile_s_points_are_voxels(order: str, tmp_path: Path) -> None:
    plyfile = pytest.importorskip("plyfile")
    rng = np.random.default_rng(2)
    cells = np.unique(rng.integers(0, 9, (80, 3)), axis=0)
    rows = np.zeros(len(cells), [("x", "f4"), ("y", "f4"), ("z", "f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    for axis, name in enumerate("xyz"):
        rows[name] = 0.4 * cells[:, axis] - 3
    kinds = rng.integers(0, 2, len(cells))
    rows["red"], rows["green"], rows["blue"] = np.array([[43, 160, 43], [30, 119, 181]])[kinds].T
    element = plyfile.PlyElement.describe(rows, "vertex")
    file = plyfile.PlyData([element], text=order == "text", byte_order="=" if order == "text" else order)
    file.write(str(tmp_path / "points.ply"))
    read = read_grid(tmp_path / "points.ply", "indoor", 9.0)
    low = cells.min(axis=0)
    assert read.grid.voxel_size == pytest.approx(0.4, rel=1e-5)
    np.testing.assert_array_equal(np.argwhere(read.grid.labels), cells - low)
    np.testing.assert_array_equal(read.grid.labels[tuple((cells - low).T)], np.array([2, 8])[kinds])
    np.testing.assert_allclose(read.grid.voxel_centers(cells - low), 0.4 * cells - 3, atol=1e-5)
    assert sorted(item.material.key for item in read.materials) == ["#1e77b5", "#2ba02b"]


def test_labels_without_a_taxonomy_are_the_scene_s(tmp_path: Path) -> None:
    text = HEAD.replace("end_header", "property int label\nend_header").format(3) + "0 0 0 4\n1 0 0 40\n1 1 0 1\n"
    (tmp_path / "points.ply").write_text(text)
    read = read_grid(tmp_path / "points.ply", "outdoor", 9.0)
    known = [(item.material.key, item.class_name, item.is_known) for item in read.materials]
    assert known == [("label 1", "car", True), ("label 4", "truck", True), ("label 40", "building", False)]


HEAD = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "not a .ply file"),
        ("ply\nformat ascii 1.0\n", "not a .ply file"),
        (HEAD.format(2) + "0 0 0\n1   0", "cut off: it has 5 numbers of 6"),
        (HEAD.format(2) + "0 0 0\n1 0 a", "is damaged"),
        (HEAD.format(2**23), "8388608 points take more than 0 bytes"),
        (HEAD.format(2**40), "has 1099511627776 points; the limit is 8388608"),
        (HEAD.format(3) + "0 0 0\n1 0 0\n2.4 0 0", "do not lie at even distances of 1"),
        (HEAD.format(2) + "0 0 0\nnan 0 0", "even distances"),
        (HEAD.format(3) + "0 0 0\n1 0 0\n600 0 0", "601 voxels along x; it must have 1 to 512"),
        (HEAD.format(0), "no points with x, y and z"),
        (
            HEAD.replace("element vertex {}", "element face 2\nproperty list uchar int vertex_indices"),
            "only points are read",
        ),
        (HEAD.replace("end_header", "element face 2\nproperty list uchar int n\nend_header").format(1), "it is a mesh"),
        (HEAD.replace("property float z", "property list uchar int z").format(1), "is no single number"),
        (HEAD.replace("float z", "float y").format(1), "no points with x, y and z"),
        (HEAD.replace("end_header", "property float z\nend_header").format(1), "property twice"),
        ("ply\ncomment occscene {}" + HEAD[3:].format(1), "comment that says what the points are is damaged"),
    ],
)
def test_a_wrong_file_is_refused(data: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_text(data)
    with pytest.raises(ValueError, match=text) as caught:
        read_ply(tmp_path / "a.ply")
    assert str(caught.value).startswith(str(tmp_path / "a.ply"))

"""The `.npz` grid file: what is written is read, and hostile files end in a ValueError before memory is taken."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occscene.grid import GridObject, SemanticGrid, load_grid, save_grid
from occscene.mesh import TriangleMesh, load_mesh

from tests.protos.test_codec import grids
from tests.protos.test_mesh_codec import meshes

FULL = {
    "labels": np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 12,
    "voxel_size": np.array(0.08),
    "world_from_grid": np.eye(4),
    "taxonomy": np.array("indoor"),
    "instances": np.zeros((2, 3, 4), np.uint16),
    "object_ids": np.array([3], np.uint16),
    "object_names": np.array(["sofa"]),
    "object_hints": np.zeros((1, 4), np.float32),
    "object_prompts": np.array(["a green sofa"]),
}

MESH = {
    "mesh_vertices": np.eye(3),
    "mesh_triangles": np.array([[0, 1, 2]], np.uint32),
    "mesh_labels": np.array([7], np.uint8),
    "mesh_object_ids": np.array([3], np.uint16),
}


def save(path: Path, **changes: np.ndarray | None) -> Path:
    members = {name: value for name, value in (FULL | changes).items() if value is not None}
    with path.open("wb") as file:
        np.savez_compressed(file, **members)
    return path


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grids())
def test_what_is_saved_is_loaded(tmp_path: Path, grid: SemanticGrid) -> None:
    save_grid(tmp_path / "grid.npz", grid)
    back = load_grid(tmp_path / "grid.npz")
    np.testing.assert_array_equal(back.labels, grid.labels)
    np.testing.assert_array_equal(back.world_from_grid, grid.world_from_grid)
    assert (back.voxel_size, back.taxonomy) == (grid.voxel_size, grid.taxonomy)
    # numpy's text arrays know no trailing NUL characters
    assert [(o.id, o.name, o.hint, o.prompt) for o in back.objects] == [
        (o.id, o.name.rstrip("\0"), o.hint, o.prompt.rstrip("\0")) for o in grid.objects
    ]
    assert (back.instances is None) == (grid.instances is None)
    if grid.instances is not None:
        np.testing.assert_array_equal(back.instances, grid.instances)


def test_numpy_reads_it_without_pickles(tmp_path: Path) -> None:
    grid = SemanticGrid(FULL["labels"], 0.08, np.eye(4), "indoor", FULL["instances"], (GridObject(3, "Sofa"),))
    save_grid(tmp_path / "grid.npz", grid)
    with np.load(tmp_path / "grid.npz", allow_pickle=False) as members:
        assert set(members) == set(FULL)
        np.testing.assert_array_equal(members["labels"], grid.labels)


def test_files_made_by_hand_are_read(tmp_path: Path) -> None:
    """Fortran order, big-endian numbers, no compression, float32 and no instances."""
    path = tmp_path / "grid.npz"
    np.savez(
        path,
        labels=np.asfortranarray(FULL["labels"]),
        voxel_size=np.float32(0.5),
        world_from_grid=np.eye(4, dtype=">f4"),
        taxonomy="indoor",
    )
    grid = load_grid(path)
    np.testing.assert_array_equal(grid.labels, FULL["labels"])
    assert grid.voxel_size == 0.5
    assert grid.instances is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"labels": None}, "lacks labels"),
        ({"taxonomy": None, "voxel_size": None}, "lacks voxel_size, taxonomy"),
        ({"object_hints": None}, "lacks object_hints"),
        ({"labels": np.zeros((2, 3, 4))}, "labels has dtype float64; it must be unsigned integers"),
        ({"labels": np.zeros((2, 3, 4), np.uint16)}, "labels has dtype uint16; it must be uint8"),
        ({"labels": np.zeros((2, 3), np.uint8)}, "labels has 2 dimensions"),
        ({"labels": np.zeros((2, 3, 513), np.uint8)}, "labels has 513 voxels along z"),
        ({"labels": np.full((2, 3, 4), {}, object)}, "labels is not a plain array"),
        ({"labels": np.zeros((2, 3, 4), "u1,u1")}, "labels is not a plain array"),
        ({"voxel_size": np.array([0.1, 0.2])}, "voxel_size of shape"),
        ({"voxel_size": np.zeros(0)}, "voxel_size and taxonomy must be single values"),
        ({"voxel_size": np.array(np.nan)}, "voxel_size is nan"),
        ({"world_from_grid": np.eye(3)}, r"world_from_grid has shape \(3, 3\)"),
        ({"world_from_grid": np.eye(4) * 1j}, "world_from_grid has dtype complex128"),
        ({"taxonomy": np.array("x" * 201)}, "taxonomy of shape .* has 804 bytes; the limit is 800"),
        ({"taxonomy": np.array("my-classes")}, "taxonomy is 'my-classes'; it must be one of indoor, outdoor"),
        ({"labels": np.full((2, 3, 4), 40, np.uint8)}, "labels has the class 40; taxonomy 'indoor' has 0 to 11"),
        ({"instances": np.ones((2, 3, 4), np.uint16)}, "instances uses id 1"),
        ({"instances": np.zeros((2, 3, 5), np.uint16)}, "it must be uint16 of the labels' shape"),
        ({"object_ids": np.array([3, 4], np.uint16)}, r"have the shapes \(2,\), \(1,\), \(1, 4\) and \(1,\)"),
        ({"object_prompts": np.array(["", ""])}, r"have the shapes \(1,\), \(1,\), \(1, 4\) and \(2,\)"),
        ({"object_prompts": np.array(["x" * 201])}, "object 3: prompt has 201 characters; the limit is 200"),
        ({"object_prompts": np.array([1.0])}, "object_prompts has dtype float64; it must be text"),
        ({"object_ids": np.array([0], np.uint16)}, "object id is 0"),
    ],
)
def test_a_wrong_member_is_named(changes: dict[str, np.ndarray | None], text: str, tmp_path: Path) -> None:
    path = save(tmp_path / "grid.npz", **changes)
    with pytest.raises(ValueError, match=text) as caught:
        load_grid(path)
    assert str(caught.value).startswith(str(path))


def test_files_of_before_there_were_words_and_meshes_are_read(tmp_path: Path) -> None:
    path = save(tmp_path / "grid.npz", object_prompts=None)
    assert load_grid(path).objects == (GridObject(3, "sofa"),)
    assert load_mesh(path) is None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grids(), meshes())
def test_a_mesh_lies_beside_its_grid(tmp_path: Path, grid: SemanticGrid, mesh: TriangleMesh) -> None:
    path = tmp_path / "grid.npz"
    save_grid(path, grid, mesh)
    np.testing.assert_array_equal(load_grid(path).labels, grid.labels)
    back = load_mesh(path)
    assert back is not None
    for name in ("vertices", "triangles", "labels", "object_ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mesh_labels": None}, "lacks mesh_labels"),
        ({"mesh_vertices": np.zeros((3, 2))}, r"mesh_vertices has the shape \(3, 2\)"),
        ({"mesh_vertices": np.zeros((2, 3))}, "mesh_triangles has an index outside of the 2 vertices"),
        ({"mesh_triangles": np.array([[0, 1, -1]])}, "mesh_triangles has an index outside of the 3 vertices"),
        ({"mesh_triangles": np.zeros((1, 3))}, "mesh_triangles has dtype float64; it must be"),
        ({"mesh_labels": np.array([256])}, "mesh_labels has 256 to 256; it must be 0 to 255"),
        ({"mesh_object_ids": np.array([-1])}, "mesh_object_ids has -1 to -1; it must be 0 to 65535"),
        ({"mesh_object_ids": np.zeros(2, np.uint16)}, r"mesh_object_ids has the shape \(2,\)"),
    ],
)
def test_a_wrong_member_of_a_mesh_is_named(changes: dict[str, np.ndarray | None], text: str, tmp_path: Path) -> None:
    path = save(tmp_path / "grid.npz", **(MESH | changes))
    with pytest.raises(ValueError, match=text) as caught:
        load_mesh(path)
    assert str(caught.value).startswith(str(path))


def npy(shape: tuple[int, ...], dtype: str, data: bytes = b"") -> bytes:
    """An array file whose header says what it likes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue() + data


@pytest.mark.parametrize(
    ("member", "data", "text"),
    [
        ("labels.npy", npy((512, 512, 128), "|u1", bytes(24)), "labels holds only 24 bytes"),
        ("labels.npy", npy((2, 3, 4), "|u1", bytes(2**24)), "labels holds more than 24 bytes"),
        ("labels.npy", npy((512, 512, 512), "|u1"), "labels has 134,217,728 voxels"),
        ("labels.npy", npy((512, 512, 128), "<u8"), "labels of shape .* the limit is 33554432"),
        ("object_names.npy", npy((1,), "<U999999"), "object_names|taxonomy"),
        ("object_names.npy", npy((10**9,), "<U200"), "object_names of shape"),
        ("object_ids.npy", npy((10**10 - 1,), "<u2"), "object_ids of shape"),
        ("labels.npy", b"", "labels is not a plain array"),
        ("labels.npy", b"\x93NUMPY\x01\x00\xff\xff{'descr", "labels is not a plain array"),
        ("labels.npy", npy((2, 3, 4), "|u9", bytes(300)), "labels is not a plain array"),
    ],
)
def test_a_lying_header_takes_no_memory(member: str, data: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.npz"
    with zipfile.ZipFile(save(path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {member: data}).items():
            archive.writestr(name, content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=text):
        load_grid(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25 + 2**21  # the largest grid, where the header says so within the limits


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    """Zip's LZMA and bzip2 are unpacked without a bound by Python's zipfile."""
    with zipfile.ZipFile(tmp_path / "grid.npz", "w", zipfile.ZIP_LZMA) as archive:
        for name, value in FULL.items():
            file = io.BytesIO()
            np.save(file, value)
            archive.writestr(f"{name}.npy", file.getvalue())
    with pytest.raises(ValueError, match="compressed by method 14; it must be stored or deflated"):
        load_grid(tmp_path / "grid.npz")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_as_it_was(tmp_path: Path, data: st.DataObject) -> None:
    """Every byte of the arrays is under the archive's checksums."""
    path = save(tmp_path / "grid.npz")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        grid = load_grid(path)
    except ValueError:
        return
    np.testing.assert_array_equal(grid.labels, FULL["labels"])

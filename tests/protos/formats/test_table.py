"""The one list of formats: who reads what, what is said of unknown files, and files cut off anywhere."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from occscene.formats import occ3d, semantic_kitti
from occscene.formats.materials import classified, unknown_materials
from occscene.formats.minecraft import read_schematic
from occscene.formats.nbt import write_nbt
from occscene.formats.table import FORMATS, WRITE_FORMATS, format_of_file, read_grid, write_grid
from occscene.grid import SemanticGrid
from occscene.taxonomy import INDOOR

from tests.blender_addon.geometry.grids import grid_of

SHAPES = {"KITTI": semantic_kitti.SHAPE, "OCC3D": occ3d.SHAPE}


def some_grid(key: str) -> SemanticGrid:
    """A grid that every writer of its format takes."""
    labels = np.zeros(SHAPES.get(key, (5, 4, 3)), np.uint8)
    labels[0, 0, 0], labels[-1, -1, -1], labels[2:4, 1:3, 1] = 1, 13, 9
    return grid_of(labels)


@pytest.mark.parametrize("key", [item.key for item in WRITE_FORMATS if item.key != "VDB"])
def test_every_format_reads_what_it_writes(key: str, tmp_path: Path) -> None:
    known = next(item for item in FORMATS if item.key == key)
    path = tmp_path / f"grid{known.suffix}"
    write_grid(path, some_grid(key), key)
    assert format_of_file(path) == known
    np.testing.assert_array_equal(read_grid(path, "outdoor", 0.2).grid.labels, some_grid(key).labels)


def test_the_page_of_grid_files_lists_the_same_formats() -> None:
    page = (Path(__file__).parents[3] / "docs/grid_files.md").read_text("utf-8")
    table = page.split("| format |")[1].split("**Colors and blocks**")[0]
    for item in FORMATS:
        assert item.suffix in table
        assert item.name.split()[0] in table


def test_files_that_nobody_knows_name_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"house\.obj is no grid file .* MagicaVoxel \(\.vox\), OpenVDB .* File > Import"
    ):
        read_grid(tmp_path / "house.obj", "indoor", 0.1)
    with pytest.raises(ValueError, match=r"grid\.txt does not say its kind; grids are written as OccScene \(\.npz\)"):
        write_grid(tmp_path / "grid.txt", some_grid("NPZ"), "NPZ")
    np.savez(tmp_path / "a.npz", voxels=np.zeros(3))
    with pytest.raises(ValueError, match=r"none of the arrays .* semantics \(Occ3D-nuScenes\), voxel_label"):
        read_grid(tmp_path / "a.npz", "indoor", 0.1)
    with pytest.raises(ValueError, match="taxonomy is 'space'; it must be one of indoor, outdoor"):
        write_grid(tmp_path / "a.vox", SemanticGrid(np.ones((1, 1, 1), np.uint8), 0.1, np.eye(4), "space"), "VOX")


def test_a_missing_openvdb_is_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvdb", None)
    for call in (
        lambda: write_grid(tmp_path / "a.vdb", some_grid("VDB"), "VDB"),
        lambda: read_grid(tmp_path / "a.vdb", "indoor", 0.1),
    ):
        with pytest.raises(ValueError, match=r"no module openvdb, .* Blender from blender\.org has it"):
            call()


def test_materials_of_which_nothing_is_known_are_told_with_counts(tmp_path: Path) -> None:
    names = ["minecraft:air", "minecraft:glass", *(f"mod:block_{number}x" for number in range(10))]
    root = {
        "Width": np.int16(12), "Height": np.int16(1), "Length": np.int16(1), "BlockData": np.arange(12, dtype=np.uint8),
        "Palette": {name: number for number, name in enumerate(names)},
    }  # fmt: skip
    (tmp_path / "a.schem").write_bytes(write_nbt("Schematic", root))
    classes = classified(read_schematic(tmp_path / "a.schem"), INDOOR, {"mod:block_3x": "sofa"})
    sentence = unknown_materials(classes)
    assert sentence.startswith("taken for objs, since nothing is known of them: mod:block_0x (1 voxels)")
    assert "and 1 more" in sentence
    assert "block_3x" not in sentence


CUT = [item.key for item in WRITE_FORMATS if item.key not in ("VDB", "KITTI", "OCC3D")]


@pytest.mark.parametrize("key", CUT)
def test_a_file_cut_off_anywhere_is_refused(key: str, tmp_path: Path) -> None:
    suffix = next(item.suffix for item in FORMATS if item.key == key)
    write_grid(tmp_path / f"whole{suffix}", some_grid(key), key)
    data = (tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for size in range(0, len(data), max(1, len(data) // 400)):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"cut\."):
            read_grid(path, "outdoor", 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("key", CUT)
def test_huge_numbers_take_no_memory(key: str, tmp_path: Path) -> None:
    """Four bytes anywhere are overwritten with the largest numbers, of either order."""
    suffix = next(item.suffix for item in FORMATS if item.key == key)
    write_grid(tmp_path / f"whole{suffix}", some_grid(key), key)
    data = (tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"huge{suffix}"
    tracemalloc.start()
    for at in range(0, len(data) - 4, max(1, len(data) // 150)):
        for number in (b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\0\0\x02", b"\xff\xff\xff\xff"):
            path.write_bytes(data[:at] + number + data[at + 4 :])
            with contextlib.suppress(ValueError):
                read_grid(path, "outdoor", 0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26

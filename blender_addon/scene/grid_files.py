"""Grid files of every kind, known by their names' ends."""

from __future__ import annotations

from pathlib import Path

from occscene.formats.magicavoxel import read_magicavoxel, write_magicavoxel
from occscene.formats.occ3d import read_occ3d
from occscene.formats.semantic_kitti import read_semantic_kitti, write_semantic_kitti
from occscene.grid import SemanticGrid, load_grid, save_grid
from occscene.mesh import TriangleMesh
from occscene.npz import NpzReader
from occscene.taxonomy import TAXONOMIES

READ_FILTER = "*.npz;*.vox;*.label"
SUFFIXES = {"NPZ": ".npz", "VOX": ".vox", "KITTI": ".label"}
WRITE_FORMATS = (
    ("NPZ", "OccScene (.npz)", "Everything there is to know of the grid"),
    ("VOX", "MagicaVoxel (.vox)", "Classes as palette colors, for MagicaVoxel and other voxel editors"),
    ("KITTI", "SemanticKITTI (.label)", "Outdoor grids of 256 x 256 x 32 voxels, with .bin and .invalid beside"),
)


def read_grid(path: Path, taxonomy: str, voxel_size: float) -> SemanticGrid:
    """Reads a grid file: OccScene's or Occ3D's `.npz`, MagicaVoxel's `.vox`, SemanticKITTI's `.label`.

    Args:
        path: the file.
        taxonomy: whose colours a `.vox` file has; the others say what they hold.
        voxel_size: metres, of a `.vox` file.

    Raises:
        ValueError: not such a file.
        OSError: the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with NpzReader(path) as members:
            is_occ3d = "semantics" in members
        return read_occ3d(path).grid if is_occ3d else load_grid(path)
    if suffix == ".vox":
        return read_magicavoxel(path, TAXONOMIES[taxonomy], voxel_size)
    if suffix == ".label":
        return read_semantic_kitti(path)
    raise ValueError(f"{path.name} is no grid file; the names of those end in .npz, .vox or .label")


def write_grid(path: Path, grid: SemanticGrid, mesh: TriangleMesh | None = None) -> None:
    """Writes a grid file of the kind that the name's end says; OccScene's own can also hold a mesh.

    Raises:
        ValueError: there is no such kind, or it cannot hold this grid.
        OSError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        save_grid(path, grid, mesh)
    elif suffix == ".vox":
        write_magicavoxel(path, grid, TAXONOMIES[grid.taxonomy])
    elif suffix == ".label":
        write_semantic_kitti(path, grid)
    else:
        raise ValueError(f"{path.name} does not say its kind; end the name in .npz, .vox or .label")

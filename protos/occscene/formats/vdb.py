"""Grids as OpenVDB's `.vdb`, for Houdini and for Blender's own volumes, through the `openvdb` module that Blender has.

Written are `class` (the labels) and `density` (fog, 1 where something is), both float, since not every build of the
module has integer grids. Of other programs' files the labels are taken from an integer grid; level sets and fogs are
materials, known by their names. A voxel's index is at its middle, as in OpenVDB.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import ByteReader, read_bounded
from occscene.formats.materials import Material, MaterialGrid, label_material, looked_up
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid, check_grid_shape, check_labels
from occscene.rigid import Float64Array
from occscene.taxonomy import taxonomy_named

_LABELS = "class"
_KNOWN = "occscene"
"""Metadata of OccScene's own grids: JSON with shape, voxel_size, world_from_grid and taxonomy."""

_KINDS = {
    "BoolGrid": np.bool_,
    "FloatGrid": np.float32,
    "DoubleGrid": np.float64,
    "Int32Grid": np.int32,
    "Int64Grid": np.int64,
}

_OLDEST_VERSION = 222

_THRESHOLD = 0.5
"""A voxel of a fog is full where its density is larger."""


def write_vdb(path: Path, grid: SemanticGrid) -> None:
    """Writes the labels and a fog.

    Objects are not stored.

    Raises:
        ValueError: this Python has no `openvdb`.
    """
    openvdb = _openvdb()
    known = {"shape": grid.shape, "voxel_size": grid.voxel_size, "taxonomy": grid.taxonomy}
    known["world_from_grid"] = grid.world_from_grid.tolist()
    world_from_index = grid.world_from_grid @ np.diag([*[grid.voxel_size] * 3, 1.0])
    world_from_index[:3, 3] = grid.voxel_centers(np.zeros(3, np.int64))
    transform = openvdb.createLinearTransform(world_from_index.T.tolist())  # OpenVDB's points are rows
    labels = openvdb.FloatGrid(float(EMPTY))
    labels.copyFromArray(grid.labels.astype(np.float32))
    labels.name, labels.transform, labels[_KNOWN] = _LABELS, transform, json.dumps(known)
    fog = openvdb.FloatGrid(0.0)
    fog.copyFromArray(((grid.labels != EMPTY) & (grid.labels != UNKNOWN)).astype(np.float32))
    fog.name, fog.transform, fog.gridClass = "density", transform, openvdb.GridClass.FOG_VOLUME
    openvdb.write(str(path), [labels, fog])


def read_vdb(path: Path) -> SemanticGrid | MaterialGrid:
    """Reads OccScene's own labels, else an integer grid of labels, else all fogs and level sets as materials.

    Raises:
        ValueError: this Python has no `openvdb`, not such a file, nothing to read in it, or larger than a grid may be.
        OSError: the file cannot be read.
    """
    openvdb = _openvdb()
    try:
        _check_whole(read_bounded(path))
        heads = openvdb.readAllGridMetadata(str(path))
        names = [(item.name, type(item).__name__) for item in heads]
        own = [item.name for item in heads if _KNOWN in item.metadata]
        whole = [name for name, kind in names if kind.startswith(("Int32", "Int64"))]
        real = [name for name, kind in names if kind.startswith(("Float", "Double", "Bool"))]
        chosen = own[:1] or whole[:1] or real
        if not chosen:
            held = ", ".join(f"{name} ({kind})" for name, kind in names) or "no grid"
            raise ValueError(f"it holds {held[:200]}; an integer grid of classes, a fog or a level set is needed")
        grids = [openvdb.read(str(path), name) for name in chosen]
        return _own(grids[0]) if own else _foreign(grids, bool(whole))
    except FileNotFoundError:
        raise
    except (ValueError, OSError, LookupError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _check_whole(data: bytes) -> None:
    """Raises a ValueError unless every grid's data ends within the file; OpenVDB itself reads on, and takes memory.

    Source: OpenVDB's `Archive::readHeader` and `GridDescriptor::read`, of file versions since 2013.
    """
    reader = ByteReader(data)
    if reader.take(8) != b" BDV\0\0\0\0":
        raise ValueError("not a VDB file")
    version = reader.int32()
    if version < _OLDEST_VERSION:
        raise ValueError(f"its file version is {version}; OpenVDB 1.1 and later write {_OLDEST_VERSION} and more")
    reader.take(8)  # of the library
    if not reader.number("b"):
        raise ValueError("it was written as a stream, which does not say how long its grids are; write it as a file")
    reader.take(36)  # a unique name
    for _ in range(reader.count(12)):
        for _ in range(3):  # name, type and value
            reader.view(reader.int32())
    for _ in range(reader.count(36)):
        for _ in range(3):  # name, type and instance
            reader.view(reader.int32())
        start, blocks, end = reader.number("q"), reader.number("q"), reader.number("q")
        if not len(data) - reader.left <= start <= blocks <= end <= len(data):
            raise ValueError(f"the file is damaged or cut off: a grid ends at byte {end} of {len(data)}")
        reader.view(end - (len(data) - reader.left))


def _own(grid: Any) -> SemanticGrid:
    try:
        known = json.loads(grid[_KNOWN])
        shape, pose = tuple(int(side) for side in known["shape"]), np.array(known["world_from_grid"], np.float64)
        size, taxonomy = float(known["voxel_size"]), taxonomy_named(str(known["taxonomy"]), "taxonomy")
    except (TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"its metadata {_KNOWN!r} is damaged: {error}") from error
    check_grid_shape(shape, "shape")
    low, high = (np.array(corner) for corner in grid.evalActiveVoxelBoundingBox())
    if grid.activeVoxelCount() and ((low < 0).any() or (high >= shape).any()):
        raise ValueError(f"its voxels {low.tolist()} to {high.tolist()} lie outside its shape {shape}")
    labels = _labels(_dense(grid, (0, 0, 0), shape))
    check_labels(labels, taxonomy, _LABELS)
    return SemanticGrid(labels, size, pose, taxonomy.name)


def _foreign(grids: list[Any], are_labels: bool) -> MaterialGrid:
    grids = [grid for grid in grids if grid.activeVoxelCount()]
    if not grids:
        raise ValueError("no voxel of it is active")
    size, pose = _placed(grids[0])
    boxes = np.array([grid.evalActiveVoxelBoundingBox() for grid in grids], np.int64)
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    shape = tuple((high - low + 1).tolist())
    check_grid_shape(shape, "the volume")
    first = tuple(low.tolist())
    pose[:3, 3] += pose[:3, :3] @ ((low - 0.5) * size)
    if are_labels:
        labels = _labels(_dense(grids[0], first, shape))
        present = [label for label in np.flatnonzero(_counts(labels)).tolist() if label != EMPTY]
        number_of = np.zeros(256, np.uint8)
        number_of[present] = np.arange(1, len(present) + 1)
        return MaterialGrid("vdb", looked_up(number_of, labels), tuple(map(label_material, present)), size, pose)
    filled = np.zeros(shape, np.uint16)
    for number, grid in enumerate(grids, 1):
        if not np.allclose(_placed(grid)[1], _placed(grids[0])[1]) or _placed(grid)[0] != size:
            raise ValueError(f"{grid.name!r} has other voxels than {grids[0].name!r}; resample them alike")
        is_level_set = str(grid.gridClass).lower().replace(" ", "_").endswith("level_set")
        values = _dense(grid, first, shape)
        filled[values < 0 if is_level_set else values > _THRESHOLD] = number
    return MaterialGrid("vdb", filled, tuple(Material(f"volume {g.name}", g.name) for g in grids), size, pose)


def _counts(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each label occurs, layer by layer, since numpy takes eight bytes for a voxel."""
    return np.sum([np.bincount(layer.reshape(-1), minlength=256) for layer in labels], axis=0)


def _labels(values: NDArray[Any]) -> NDArray[np.uint8]:
    if not (values.min() >= 0 and values.max() <= UNKNOWN and (values == np.rint(values)).all()):
        raise ValueError(f"its classes are {values.min()} to {values.max()}; they must be 0 to {UNKNOWN}, and whole")
    return values.astype(np.uint8)


def _dense(grid: Any, first: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of a box as an array, in the kind of number that the grid has."""
    values: NDArray[Any] = np.zeros(shape, _KINDS[type(grid).__name__])
    grid.copyToArray(values, ijk=first)
    return values


def _placed(grid: Any) -> tuple[float, Float64Array]:
    """The side of a voxel in metres and the rigid pose of index 0, from a transform without shear."""
    origin, *ends = (
        np.array(grid.transform.indexToWorld(place)) for place in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    axes = np.column_stack([end - origin for end in ends])
    size = float(np.linalg.norm(axes[:, 0]))
    if not (size > 0 and np.allclose(axes.T @ axes, np.eye(3) * size**2, rtol=1e-4, atol=1e-4 * size**2)):
        raise ValueError(f"{grid.name!r} has no cubic voxels: its transform stretches, shears or is a frustum")
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = axes / size, origin
    return size, pose


def _openvdb() -> ModuleType:
    try:
        return import_module("openvdb")
    except ImportError as error:
        raise ValueError(
            "this Python has no module openvdb, which .vdb files need: Blender from blender.org has it; for a "
            "Linux distribution's Blender install the distribution's package (Debian: python3-openvdb)"
        ) from error

"""Voxels as the points of a `.ply` file: a point in the middle of each voxel, with its class and color.

`x y z` are metres of the world, `label` the class (255 unknown), `red green blue` the class's color. Comments say what
points cannot: `occscene {"shape": ..., "voxel_size": ..., "world_from_grid": ..., "taxonomy": ...}`. Files of other
programs have a point for each voxel at even distances; their colors or labels are materials.
Source: "The PLY Polygon File Format" (G. Turk).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import read_bounded
from occscene.formats.materials import Material, MaterialGrid, color_key, label_material
from occscene.grid import EMPTY, SemanticGrid, check_grid_shape, check_labels
from occscene.limits import MAX_GRID_VOXELS
from occscene.rigid import transform_points
from occscene.taxonomy import taxonomy_named

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
_LABELS = ("label", "class", "semantic", "scalar_label", "scalar_Label")
_MAX_HEADER = 2**16
_MAX_POINTS = 2**23
_COMMENT = "comment occscene "


def write_ply(path: Path, grid: SemanticGrid) -> None:
    """Writes a point for each voxel that is not empty.

    Objects are not stored.

    Raises:
        ValueError: every voxel is empty, or more than 8 million are not.
    """
    filled = np.count_nonzero(grid.labels != EMPTY)
    if not 1 <= filled <= _MAX_POINTS:
        raise ValueError(f"the grid has {filled:,} voxels that are not empty; a .ply file holds 1 to {_MAX_POINTS:,}")
    cells = np.argwhere(grid.labels != EMPTY)
    labels = grid.labels[tuple(cells.T)]
    colors = np.full((256, 3), 128, np.uint8)
    classes = taxonomy_named(grid.taxonomy, "taxonomy").classes
    colors[: len(classes)] = [entry.color for entry in classes]
    points = np.empty(len(cells), [("place", "<f8", 3), ("color", "u1", 3), ("label", "u1")])
    points["place"] = grid.voxel_centers(cells)
    points["color"], points["label"] = colors[labels], labels
    pose = grid.world_from_grid.tolist()
    known = {"shape": grid.shape, "voxel_size": grid.voxel_size, "world_from_grid": pose, "taxonomy": grid.taxonomy}
    properties = ["double x", "double y", "double z", "uchar red", "uchar green", "uchar blue", "uchar label"]
    header = ["ply", "format binary_little_endian 1.0", _COMMENT + json.dumps(known), f"element vertex {len(points)}"]
    header += [f"property {item}" for item in properties]
    path.write_bytes("\n".join([*header, "end_header\n"]).encode() + points.tobytes())


def read_ply(path: Path) -> SemanticGrid | MaterialGrid:
    """Reads the points of a file as voxels.

    Raises:
        ValueError: not such a file, damaged, a mesh, or points at uneven distances.
        OSError: the file cannot be read.
    """
    try:
        points, known = _points(read_bounded(path))
        places = np.column_stack([points[axis].astype(np.float64) for axis in "xyz"])
        return _own(places, points["label"], known) if known else _foreign(places, points)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _points(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The properties of the vertices by name, and what OccScene's comment says."""
    end = data.find(b"end_header", 0, _MAX_HEADER)
    start = data.find(b"\n", end) + 1 if end >= 0 else 0
    lines = [line.strip() for line in data[:end].decode("ascii", "replace").splitlines()]
    if not start or lines[0] != "ply":
        raise ValueError("not a .ply file: it begins with 'ply' and has an 'end_header'")
    order, count, fields, element = "", -1, [], ""
    known: dict[str, Any] = {}
    for line in lines[1:]:
        words = line.split()
        if line.startswith(_COMMENT):
            known = _own_comment(line.removeprefix(_COMMENT))
        elif words[:1] == ["format"] and len(words) == 3:
            order = _ORDERS.get(words[1], "")
        elif words[:1] == ["element"] and len(words) == 3 and words[2].isdecimal():
            element = words[1]
            if count < 0 and element != "vertex":
                raise ValueError(f"the element {element[:50]} comes before the vertices; only points are read")
            if element == "vertex":
                count = int(words[2])
            elif element == "face" and int(words[2]):
                raise ValueError("it is a mesh; open it by Blender's File > Import, give it a class and voxelize it")
        elif words[:1] == ["property"] and element == "vertex":
            if len(words) != 3 or words[1] not in _TYPES:
                raise ValueError(f"the vertex property {line[:50]!r} is no single number")
            fields.append((words[2], f"{order or '<'}{_TYPES[words[1]]}"))
    if not order or count < 1 or not {"x", "y", "z"} <= {name for name, _ in fields}:
        raise ValueError("it has no points with x, y and z")
    if len({name for name, _ in fields}) < len(fields):
        raise ValueError("it has a vertex property twice")
    if known and "label" not in {name for name, _ in fields}:
        raise ValueError("its points have no label")
    if count > _MAX_POINTS:
        raise ValueError(f"it has {count} points; the limit is {_MAX_POINTS}")
    return _columns(data[start:], fields, count, order == "="), known


def _columns(data: bytes, fields: list[tuple[str, str]], count: int, is_text: bool) -> dict[str, NDArray[Any]]:
    if is_text:
        needed = count * len(fields)
        if len(data) < 2 * needed - 1:
            raise ValueError(f"the file is cut off: {count} points take more than {len(data)} bytes")
        try:
            numbers = np.array(data.split(maxsplit=needed)[:needed], np.float64)
        except ValueError as error:
            raise ValueError(f"the file is damaged: {error}") from error
        if numbers.size < needed:
            raise ValueError(f"the file is cut off: it has {numbers.size} numbers of {needed}")
        return {name: column for (name, _), column in zip(fields, numbers.reshape(count, -1).T, strict=True)}
    dtype = np.dtype(fields)
    if len(data) < count * dtype.itemsize:
        raise ValueError(f"the file is cut off: {count} points take {count * dtype.itemsize} bytes, it has {len(data)}")
    rows = np.frombuffer(data, dtype, count)
    return {name: rows[name] for name, _ in fields}


def _own_comment(text: str) -> dict[str, Any]:
    try:
        known = json.loads(text)
        shape, pose = [int(side) for side in known["shape"]], np.array(known["world_from_grid"], np.float64)
        known = {"shape": shape, "pose": pose, "size": float(known["voxel_size"]), "taxonomy": str(known["taxonomy"])}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"the comment that says what the points are is damaged: {error}") from error
    check_grid_shape(tuple(shape), "shape")
    return known


def _own(places: NDArray[np.float64], classes: NDArray[Any], known: dict[str, Any]) -> SemanticGrid:
    """The grid of a file that `write_ply` wrote."""
    labels = np.zeros(known["shape"], np.uint8)
    grid = SemanticGrid(labels, known["size"], known["pose"], known["taxonomy"])
    taxonomy = taxonomy_named(grid.taxonomy, "taxonomy")
    with np.errstate(over="ignore", invalid="ignore"):
        inside = transform_points(np.linalg.inv(grid.world_from_grid), places) / grid.voxel_size
    if not (np.isfinite(inside).all() and (inside >= 0).all() and (inside < grid.shape).all()):
        raise ValueError(f"a point lies outside the grid of {grid.shape} voxels")
    if not (classes == classes.astype(np.uint8)).all():
        raise ValueError("a label is no whole number from 0 to 255")
    labels[tuple(inside.astype(np.int64).T)] = classes
    check_labels(labels, taxonomy, "label")
    return grid


def _foreign(places: NDArray[np.float64], points: dict[str, NDArray[Any]]) -> MaterialGrid:
    """The grid of another program's points, which lie at even distances along the axes."""
    low = places.min(axis=0)
    size = _distance(places)
    steps = (places - low) / size
    if not np.isfinite(steps).all() or np.abs(steps - np.rint(steps)).max() > 0.05:
        raise ValueError(f"its points do not lie at even distances of {size:g}, as voxels do; voxelize a mesh instead")
    high = steps.max(axis=0)
    if high.max() >= MAX_GRID_VOXELS:
        raise ValueError(f"its points reach over {high.max():.0f} voxels of {size:g}")
    cells = np.rint(steps).astype(np.int64)
    shape = tuple((cells.max(axis=0) + 1).tolist())
    check_grid_shape(shape, "the scene")
    numbers, materials = _materials(points)
    indices = np.zeros(shape, np.uint16)
    indices[tuple(cells.T)] = numbers
    pose = np.eye(4)
    pose[:3, 3] = low - size / 2
    return MaterialGrid("ply", indices, materials, size, pose)


def _distance(places: NDArray[np.float64]) -> float:
    """The least distance of points along an axis; a metre where there is but one."""
    gaps = [np.diff(np.unique(column)) for column in places.T]
    extent = float(np.ptp(places, axis=0).max())
    steps = np.concatenate([gap[gap > 1e-4 * extent / 512] for gap in gaps])
    return float(steps.min()) if steps.size else 1.0


def _materials(points: dict[str, NDArray[Any]]) -> tuple[NDArray[np.int64], tuple[Material, ...]]:
    """The number of each point's material, counted from 1: its label, else its color, else all are one."""
    label = next((name for name in _LABELS if name in points), None)
    if label is not None:
        values, numbers = np.unique(points[label], return_inverse=True)
        materials = tuple(map(label_material, values.tolist()))
    elif {"red", "green", "blue"} <= points.keys():
        colors = [_color(points[name]) for name in ("red", "green", "blue")]
        values, numbers = np.unique(colors[0] << 16 | colors[1] << 8 | colors[2], return_inverse=True)
        rgb = [(value >> 16, value >> 8 & 255, value & 255) for value in values.tolist()]
        materials = tuple(Material(color_key(color), "", color) for color in rgb)
    else:
        numbers, materials = np.zeros(len(points["x"]), np.int64), (Material("points", ""),)
    if len(materials) >= 2**16:
        raise ValueError(f"its points have {len(materials)} colors; the limit is {2**16 - 1}")
    return numbers.reshape(-1) + 1, materials


def _color(values: NDArray[Any]) -> NDArray[np.int64]:
    """0 .. 255, from bytes or from fractions of 1."""
    scaled = values * 255.0 if values.dtype.kind == "f" and values.max(initial=0) <= 1 else values
    return np.clip(np.nan_to_num(np.asarray(scaled, np.float64)), 0, 255).astype(np.int64)

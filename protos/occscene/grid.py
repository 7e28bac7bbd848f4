"""A semantic occupancy grid and the `.npz` file that holds one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.limits import (
    MAX_GRID_SIDE,
    MAX_GRID_VOXELS,
    MAX_NAME_LENGTH,
    MAX_OBJECTS,
    MAX_VOXEL_SIZE,
    MIN_VOXEL_SIZE,
)
from occscene.mesh import TriangleMesh, mesh_members
from occscene.npz import NpzReader
from occscene.rigid import Float64Array, rigid_transform, transform_points
from occscene.taxonomy import Taxonomy, taxonomy_named

EMPTY = 0
UNKNOWN = 255
_PART = 2**20  # voxels checked at a time


@dataclass(frozen=True)
class GridObject:
    """One object of a grid's instance table.

    Args:
        id: 1 .. 65535, the value in `SemanticGrid.instances`.
        name: what the artist calls it.
        hint: the colour that it should have, linear RGB in [0, 1]; None leaves it to the prompt.
        prompt: what it looks like, in words of its own ("a red velvet armchair"); "" leaves it to the scene's prompt.
    """

    id: int
    name: str
    hint: tuple[float, float, float] | None = None
    prompt: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.id <= MAX_OBJECTS:
            raise ValueError(f"object id is {self.id}; it must be 1 to {MAX_OBJECTS}")
        for field, text in (("name", self.name), ("prompt", self.prompt)):
            if len(text) > MAX_NAME_LENGTH:
                raise ValueError(
                    f"object {self.id}: {field} has {len(text)} characters; the limit is {MAX_NAME_LENGTH}"
                )
        if self.hint is not None and not (len(self.hint) == 3 and all(0.0 <= c <= 1.0 for c in self.hint)):
            raise ValueError(f"object {self.id}: hint is {self.hint}; it must be three linear RGB values in [0, 1]")


@dataclass(frozen=True, eq=False)
class GridVolume:
    """Where a grid lies, without what is in it.

    Args:
        shape: voxels along x, y and z.
        voxel_size: metres.
        world_from_grid: rigid 4x4 to metres, at the corner of voxel (0, 0, 0).

    Raises:
        ValueError: a field is outside its limits; the message names the field, the value and the limit.
    """

    shape: tuple[int, int, int]
    voxel_size: float
    world_from_grid: Float64Array

    def __post_init__(self) -> None:
        check_grid_shape(self.shape, "shape")
        check_voxel_size(self.voxel_size, "voxel_size")
        object.__setattr__(self, "world_from_grid", rigid_transform(self.world_from_grid, "world_from_grid"))


@dataclass(frozen=True, eq=False)
class SemanticGrid:
    """A grid of cubic voxels, each with a semantic class and optionally an object.

    Args:
        labels: (X, Y, Z) uint8, C order; 0 is empty, 255 is unknown, else a class of `taxonomy`.
        voxel_size: metres.
        world_from_grid: rigid 4x4 to metres, at the corner of voxel (0, 0, 0); voxel i's centre is (i + 0.5) *
            voxel_size along each axis.
        taxonomy: the taxonomy's name.
        instances: (X, Y, Z) uint16, 0 is none, else the id of one of `objects`.
        objects: the table that `instances` refers to.

    Raises:
        ValueError: a field is outside its limits; the message names the field, the value and the limit.
    """

    labels: NDArray[np.uint8]
    voxel_size: float
    world_from_grid: Float64Array
    taxonomy: str
    instances: NDArray[np.uint16] | None = None
    objects: tuple[GridObject, ...] = ()

    def __post_init__(self) -> None:
        check_grid_shape(self.labels.shape, "labels")
        check_voxel_size(self.voxel_size, "voxel_size")
        if self.labels.dtype != np.uint8:
            raise ValueError(f"labels has dtype {self.labels.dtype}; it must be uint8")
        object.__setattr__(self, "labels", np.ascontiguousarray(self.labels))
        object.__setattr__(self, "world_from_grid", rigid_transform(self.world_from_grid, "world_from_grid"))
        ids = [item.id for item in self.objects]
        if self.instances is None:
            check_instances(None, ids)
            return
        if self.instances.dtype != np.uint16 or self.instances.shape != self.labels.shape:
            raise ValueError(
                f"instances is {self.instances.dtype} of shape {self.instances.shape}; "
                f"it must be uint16 of the labels' shape {self.labels.shape}"
            )
        object.__setattr__(self, "instances", np.ascontiguousarray(self.instances))
        check_instances(self.instances, ids)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = self.labels.shape
        return x, y, z

    @property
    def volume(self) -> GridVolume:
        """Where the grid lies."""
        return GridVolume(self.shape, self.voxel_size, self.world_from_grid)

    def voxel_centers(self, indices: NDArray[np.integer[Any]]) -> Float64Array:
        """World coordinates in metres of voxel indices (..., 3)."""
        return transform_points(self.world_from_grid, (indices + 0.5) * self.voxel_size)

    def without_instances(self) -> SemanticGrid:
        """The same grid with only its classes."""
        return replace(self, instances=None, objects=())


def occupied(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Voxels that hold something: neither empty nor unknown."""
    result: NDArray[np.bool_] = (labels != EMPTY) & (labels != UNKNOWN)
    return result


def check_grid_shape(shape: tuple[int, ...], field: str) -> None:
    """Raises a ValueError that names `field` unless `shape` is three sides within the limits."""
    if len(shape) != 3:
        raise ValueError(f"{field} has {len(shape)} dimensions; it must have 3 (x, y, z)")
    for axis, side in zip("xyz", shape, strict=True):
        if not 1 <= side <= MAX_GRID_SIDE:
            raise ValueError(f"{field} has {side} voxels along {axis}; it must have 1 to {MAX_GRID_SIDE}")
    voxels = shape[0] * shape[1] * shape[2]
    if voxels > MAX_GRID_VOXELS:
        raise ValueError(f"{field} has {voxels:,} voxels; the limit is {MAX_GRID_VOXELS:,}: use a larger voxel size")


def check_labels(labels: NDArray[np.uint8], taxonomy: Taxonomy, field: str) -> None:
    """Raises a ValueError that names `field` if a label is not of the taxonomy."""
    present = np.zeros(256, np.bool_)
    flat = labels.reshape(-1)
    for start in range(0, flat.size, _PART):
        present[flat[start : start + _PART]] = True
    present[: len(taxonomy)] = present[UNKNOWN] = False
    if present.any():
        raise ValueError(
            f"{field} has the class {present.argmax()}; taxonomy {taxonomy.name!r} has 0 to {len(taxonomy) - 1}, and "
            f"{UNKNOWN} for unknown"
        )


def check_instances(instances: NDArray[np.uint16] | None, ids: Sequence[int]) -> None:
    """Raises a ValueError unless a table with these ids names every object of `instances` once."""
    if instances is None:
        if ids:
            raise ValueError(f"objects has {len(ids)} entries but there are no instances to use them")
        return
    if len(set(ids)) < len(ids):
        raise ValueError("objects has an id twice; ids must be unique")
    used = np.zeros(MAX_OBJECTS + 1, np.bool_)
    flat = instances.reshape(-1)
    for start in range(0, flat.size, _PART):  # counting all at once would take eight bytes a voxel
        used[flat[start : start + _PART]] = True
    used[[0, *ids]] = False
    if used.any():
        raise ValueError(f"instances uses id {used.argmax()}, which objects does not list")


def check_voxel_size(voxel_size: float, field: str) -> None:
    """Raises a ValueError that names `field` unless `voxel_size` lies within the limits."""
    if not MIN_VOXEL_SIZE <= voxel_size <= MAX_VOXEL_SIZE:
        raise ValueError(f"{field} is {voxel_size}; it must be {MIN_VOXEL_SIZE} to {MAX_VOXEL_SIZE} metres")


def save_grid(path: Path, grid: SemanticGrid, mesh: TriangleMesh | None = None) -> None:
    """Writes a grid file (`.npz`), with the triangles of the grid's objects if they are given.

    Members: `labels`, `voxel_size`, `world_from_grid`, `taxonomy`, and with instances also `instances`, `object_ids`,
    `object_names`, `object_hints` (N x 4: linear RGB and 1 where a hint is given, else 0) and `object_prompts`; with a
    mesh those of `mesh.mesh_members`.
    """
    members: dict[str, NDArray[np.generic]] = {
        "labels": grid.labels,
        "voxel_size": np.array(grid.voxel_size, np.float64),
        "world_from_grid": grid.world_from_grid,
        "taxonomy": np.array(grid.taxonomy),
    }
    if grid.instances is not None:
        members["instances"] = grid.instances
        members["object_ids"] = np.array([item.id for item in grid.objects], np.uint16)
        members["object_names"] = np.array([item.name for item in grid.objects], dtype=np.str_)
        members["object_hints"] = np.array(
            [(*item.hint, 1.0) if item.hint else (0.0, 0.0, 0.0, 0.0) for item in grid.objects], np.float32
        ).reshape(-1, 4)
        members["object_prompts"] = np.array([item.prompt for item in grid.objects], dtype=np.str_)
    if mesh is not None:
        members |= mesh_members(mesh)
    with path.open("wb") as file:
        np.savez_compressed(file, **members)


def load_grid(path: Path) -> SemanticGrid:
    """Reads a grid file written by `save_grid` or by hand; its mesh, if it has one, is read by `mesh.load_mesh`.

    Raises:
        ValueError: not such a file, or a member outside its limits (checked before the arrays are read).
        OSError: the file cannot be opened.
    """
    with NpzReader(path) as members:
        members.require("labels", "voxel_size", "world_from_grid", "taxonomy")
        for name in ("labels", "instances"):
            if name in members:
                check_grid_shape(members.shape(name), f"{path}: {name}")
        labels = members.read("labels", "u", MAX_GRID_VOXELS)
        voxel_size = members.read("voxel_size", "fiu", 8)
        pose = members.read("world_from_grid", "fiu", 16 * 8)
        taxonomy = members.read("taxonomy", "U", 4 * MAX_NAME_LENGTH)
        instances, table = None, None
        if "instances" in members:
            members.require("object_ids", "object_names", "object_hints")
            instances = members.read("instances", "u", 2 * MAX_GRID_VOXELS)
            names = members.read("object_names", "U", 4 * MAX_NAME_LENGTH * MAX_OBJECTS)
            prompts = np.full(names.shape, "")  # files of before there were any have none
            if "object_prompts" in members:
                prompts = members.read("object_prompts", "U", 4 * MAX_NAME_LENGTH * MAX_OBJECTS)
            ids = members.read("object_ids", "iu", 8 * MAX_OBJECTS)
            table = ids, names, members.read("object_hints", "f", 4 * 8 * MAX_OBJECTS), prompts
    try:
        if voxel_size.size != 1 or taxonomy.size != 1:
            raise ValueError("voxel_size and taxonomy must be single values")
        check_labels(labels, taxonomy_named(str(taxonomy.item()), "taxonomy"), "labels")
        objects = _object_table(*table) if table else ()
        return SemanticGrid(labels, float(voxel_size.item()), pose, str(taxonomy.item()), instances, objects)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _object_table(
    ids: NDArray[Any], names: NDArray[Any], hints: NDArray[Any], prompts: NDArray[Any]
) -> tuple[GridObject, ...]:
    """The table of objects of a grid file, one row of each array an object."""
    count = ids.shape
    if ids.ndim != 1 or names.shape != count or hints.shape != (*count, 4) or prompts.shape != count:
        raise ValueError(
            "object_ids, object_names, object_hints and object_prompts have the shapes "
            f"{ids.shape}, {names.shape}, {hints.shape} and {prompts.shape}; they must be (N,), (N,), (N, 4) and (N,)"
        )
    rows = zip(ids.tolist(), names.tolist(), hints.tolist(), prompts.tolist(), strict=True)
    return tuple(
        GridObject(id_, name, tuple(hint[:3]) if hint[3] > 0 else None, prompt) for id_, name, hint, prompt in rows
    )

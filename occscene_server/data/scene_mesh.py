"""A rendered scene's triangles on disk: what mesh-exact buffers are drawn from.

`meshes.npz` holds the meshes "true" and "blockout", each as `<name>_vertices` (V, 3) uint16 in steps of
`<name>_step` metres from `<name>_origin`, `<name>_triangles` (T, 3) uint16 or uint32, `<name>_object_ids` (T,) uint16,
and for the true mesh `true_surface` (V, 3) int32 in steps of half a millimetre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MESHES_FILE = "meshes.npz"
_STEPS = 65535
_SURFACE_STEP = 0.0005


@dataclass(frozen=True, eq=False)
class SceneMesh:
    """All triangles of a scene with their objects.

    Args:
        vertices: (V, 3) world coordinates in metres.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.
        object_ids: (T,) the object of each triangle, as in the scene's grids.
        surface: (V, 3) where a vertex lies in its part's own texture frame, in metres; None where the mesh has none.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.integer[Any]]
    object_ids: NDArray[np.uint16]
    surface: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class SceneMeshes:
    """The detailed meshes that were rendered, and the boxes that an artist would block them out with."""

    true: SceneMesh
    blockout: SceneMesh


def write_meshes(folder: Path, meshes: SceneMeshes) -> None:
    """Writes `meshes.npz` into a scene's folder; positions keep a 65,535th of the scene's longest side."""
    members = _members("true", meshes.true) | _members("blockout", meshes.blockout)
    np.savez_compressed(folder / MESHES_FILE, allow_pickle=False, **members)


def read_meshes(folder: Path) -> SceneMeshes:
    """Reads what `write_meshes` wrote.

    Raises:
        FileNotFoundError: the scene was stored without its meshes.
    """
    with np.load(folder / MESHES_FILE, allow_pickle=False) as members:
        return SceneMeshes(_mesh(members, "true"), _mesh(members, "blockout"))


def _members(name: str, mesh: SceneMesh) -> dict[str, NDArray[Any]]:
    vertices = mesh.vertices if len(mesh.vertices) else np.zeros((1, 3))
    origin = vertices.min(axis=0)
    step = float(np.ptp(vertices, axis=0).max()) / _STEPS or 1.0
    index = np.uint16 if len(mesh.vertices) <= _STEPS else np.uint32
    members: dict[str, NDArray[Any]] = {
        f"{name}_origin": origin,
        f"{name}_step": np.array(step),
        f"{name}_vertices": np.rint((mesh.vertices - origin) / step).astype(np.uint16),
        f"{name}_triangles": mesh.triangles.astype(index),
        f"{name}_object_ids": mesh.object_ids,
    }
    if mesh.surface is not None:
        members[f"{name}_surface"] = np.rint(mesh.surface / _SURFACE_STEP).astype(np.int32)
    return members


def _mesh(members: Mapping[str, NDArray[Any]], name: str) -> SceneMesh:
    vertices = members[f"{name}_origin"] + members[f"{name}_vertices"] * float(members[f"{name}_step"])
    surface = members[f"{name}_surface"] * _SURFACE_STEP if f"{name}_surface" in members else None
    return SceneMesh(vertices, members[f"{name}_triangles"], members[f"{name}_object_ids"], surface)

"""A rendered scene's triangles on disk: what mesh-exact buffers are drawn from.

`meshes.npz` holds the meshes "true" and "blockout", each as `<name>_vertices` (V, 3) uint16 in steps of
`<name>_step` metres from `<name>_origin`, `<name>_triangles` (T, 3) uint16 or uint32, `<name>_object_ids` (T,) uint16,
`<name>_classes` (T,) uint8, and for the true mesh `true_surface` (V, 3) int32 in steps of half a millimetre, and of
newer files `true_materials` (T,) uint8 into the names `true_material_names`. In files
without classes the class of an object is what the scene's `scene.json` says; of one that no view shows, what its name
in `scene.npz` says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR

from occscene_server.geometry.materials import MATERIALS, material_rows

MESHES_FILE = "meshes.npz"
_STEPS = 65535
_SURFACE_STEP = 0.0005


@dataclass(frozen=True, eq=False)
class SceneMeshes:
    """The detailed meshes that were rendered, and the boxes that an artist would block them out with."""

    true: TriangleMesh
    blockout: TriangleMesh


def write_meshes(folder: Path, meshes: SceneMeshes) -> None:
    """Writes `meshes.npz` into a scene's folder; positions keep a 65,535th of the scene's longest side."""
    members = _members("true", meshes.true) | _members("blockout", meshes.blockout)
    np.savez_compressed(folder / MESHES_FILE, allow_pickle=False, **members)


def read_meshes(folder: Path) -> SceneMeshes:
    """Reads both meshes of a finished scene's folder.

    Raises:
        FileNotFoundError: the scene was stored without its meshes.
    """
    return SceneMeshes(read_mesh(folder, "true"), read_mesh(folder, "blockout"))


def check_meshes(folders: Sequence[Path]) -> None:
    """Raises a ValueError that says what to do if some scenes have no triangles."""
    if without := [folder for folder in folders if not (folder / MESHES_FILE).exists()]:
        raise ValueError(
            f"{len(without)} scenes have no triangles, among them {without[0]}; add them with `occscene-server studio "
            "meshes`, and move scenes that get none to another folder"
        )


def read_mesh(folder: Path, name: str) -> TriangleMesh:
    """Reads the mesh "true" or "blockout" of a finished scene's folder.

    Raises:
        FileNotFoundError: the scene was stored without its meshes.
    """
    with np.load(folder / MESHES_FILE, allow_pickle=False) as members:
        vertices = members[f"{name}_origin"] + members[f"{name}_vertices"] * float(members[f"{name}_step"])
        triangles, object_ids = members[f"{name}_triangles"], members[f"{name}_object_ids"]
        surface = members[f"{name}_surface"] * _SURFACE_STEP if f"{name}_surface" in members else None
        stored = members.get(f"{name}_classes")
        materials = None
        if f"{name}_materials" in members:
            materials = material_rows(members[f"{name}_material_names"].tolist())[members[f"{name}_materials"]]
    classes = _classes(folder)[object_ids] if stored is None else stored
    return TriangleMesh(vertices, triangles, classes, object_ids, surface, materials)


def _classes(folder: Path) -> NDArray[np.uint8]:
    """(65536,) class of each object id of an indoor scene whose file does not say it."""
    classes = np.zeros(1 << 16, np.uint8)
    for item in json.loads((folder / "scene.json").read_text(encoding="utf-8"))["items"]:
        classes[item["id"]] = INDOOR.index_of(item["class"])
    with np.load(folder / "scene.npz", allow_pickle=False) as members:
        for number, name in zip(members["object_ids"].tolist(), members["object_names"].tolist(), strict=True):
            if classes[number] == 0:
                guess = INDOOR.guess(name)
                classes[number] = INDOOR.index_of("objs") if guess is None else guess.index
    return classes


def _members(name: str, mesh: TriangleMesh) -> dict[str, NDArray[Any]]:
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
        f"{name}_classes": mesh.labels,
    }
    if mesh.surface is not None:
        members[f"{name}_surface"] = np.rint(mesh.surface / _SURFACE_STEP).astype(np.int32)
    if mesh.materials is not None:
        rows, members[f"{name}_materials"] = np.unique(mesh.materials, return_inverse=True)
        members[f"{name}_materials"] = members[f"{name}_materials"].astype(np.uint8)
        members[f"{name}_material_names"] = np.array([MATERIALS[row] for row in rows.tolist()])
    return members

"""A scene's triangles with their objects: what mesh-exact buffers are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.limits import MAX_MESH_TRIANGLES
from occscene.npz import NpzReader


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """All triangles of a scene.

    Args:
        vertices: (V, 3) float64 world coordinates, metres.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.
        labels: (T,) uint8 class of each triangle, never 0 (empty) nor 255 (unknown).
        object_ids: (T,) uint16 object of each triangle, as in the table of the scene's grid; 0 is none.
        surface: (V, 3) where a vertex lies in its part's own texture frame, metres; None where the mesh has none.
        materials: (T,) uint8 what each triangle is made of, a row of `MATERIALS` of the server's geometry; None where
            that is not known.

    Raises:
        ValueError: shapes do not fit together, or an index is out of range.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.integer[Any]]
    labels: NDArray[np.uint8]
    object_ids: NDArray[np.uint16]
    surface: NDArray[np.float64] | None = None
    materials: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        count = len(self.triangles)
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise ValueError(f"vertices has the shape {self.vertices.shape}; it must be (V, 3)")
        if self.triangles.shape != (count, 3):
            raise ValueError(f"triangles has the shape {self.triangles.shape}; it must be (T, 3)")
        for name, values in (("labels", self.labels), ("object_ids", self.object_ids)):
            if values.shape != (count,):
                raise ValueError(f"{name} has the shape {values.shape}; {count} triangles need ({count},)")
        if count and not 0 <= int(self.triangles.min()) <= int(self.triangles.max()) < len(self.vertices):
            raise ValueError(f"triangles has an index outside of the {len(self.vertices)} vertices")
        if self.materials is not None and self.materials.shape != (count,):
            raise ValueError(f"materials has the shape {self.materials.shape}; {count} triangles need ({count},)")
        if self.surface is not None and self.surface.shape != self.vertices.shape:
            raise ValueError(f"surface has the shape {self.surface.shape}; it must be {self.vertices.shape}")

    @property
    def is_too_large(self) -> bool:
        """Whether it has more triangles or vertices than a request may carry."""
        return max(len(self.triangles), len(self.vertices)) > MAX_MESH_TRIANGLES

    def object_vertices(self) -> dict[int, NDArray[np.float64]]:
        """The vertices (V, 3) of each object by its id, metres; those of no object are left out."""
        order = np.argsort(self.object_ids, kind="stable")
        ids, starts = np.unique(self.object_ids[order], return_index=True)
        groups = np.split(self.triangles[order], starts[1:])
        return {
            int(id_): self.vertices[np.unique(group)] for id_, group in zip(ids.tolist(), groups, strict=True) if id_
        }


def mesh_members(mesh: TriangleMesh) -> dict[str, NDArray[np.generic]]:
    """The members of a grid file that hold a mesh.

    `mesh_vertices` (float64, V x 3: world metres), `mesh_triangles` (uint32, T x 3), `mesh_labels` (uint8, T) and
    `mesh_object_ids` (uint16, T: as in the grid's table, 0 is none).
    """
    return {
        "mesh_vertices": mesh.vertices.astype(np.float64),
        "mesh_triangles": mesh.triangles.astype(np.uint32),
        "mesh_labels": mesh.labels,
        "mesh_object_ids": mesh.object_ids,
    }


def load_mesh(path: Path) -> TriangleMesh | None:
    """Reads the mesh of a grid file; None where it has none.

    Raises:
        ValueError: not such a file, or a member outside its limits (checked before the arrays are read).
        OSError: the file cannot be opened.
    """
    with NpzReader(path) as members:
        if "mesh_vertices" not in members:
            return None
        members.require("mesh_triangles", "mesh_labels", "mesh_object_ids")
        vertices = members.read("mesh_vertices", "f", 24 * MAX_MESH_TRIANGLES)
        triangles = members.read("mesh_triangles", "iu", 24 * MAX_MESH_TRIANGLES)
        labels = members.read("mesh_labels", "iu", 8 * MAX_MESH_TRIANGLES)
        object_ids = members.read("mesh_object_ids", "iu", 8 * MAX_MESH_TRIANGLES)
    for name, values, most in (("labels", labels, 255), ("object_ids", object_ids, 65535)):
        if values.size and not 0 <= int(values.min()) <= int(values.max()) <= most:
            raise ValueError(f"{path}: mesh_{name} has {values.min()} to {values.max()}; it must be 0 to {most}")
    try:
        return TriangleMesh(
            vertices.astype(np.float64), triangles, labels.astype(np.uint8), object_ids.astype(np.uint16)
        )
    except ValueError as error:
        raise ValueError(f"{path}: mesh_{error}") from error

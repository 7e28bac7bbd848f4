"""A triangle mesh as a message's head fields and body, little-endian: vertices, triangles, labels, object ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from occscene.mesh import TriangleMesh


def mesh_head(mesh: TriangleMesh) -> dict[str, Any]:
    """The JSON fields of a mesh."""
    return {"vertices": len(mesh.vertices), "triangles": len(mesh.triangles)}


def mesh_body(mesh: TriangleMesh) -> bytes:
    """Float64 vertices, uint32 triangles, uint8 labels and uint16 object ids."""
    return b"".join(
        (
            mesh.vertices.astype("<f8").tobytes(),
            mesh.triangles.astype("<u4").tobytes(),
            mesh.labels.tobytes(),
            mesh.object_ids.astype("<u2").tobytes(),
        )
    )


def mesh_from_message(head: dict[str, Any], body: bytes) -> TriangleMesh:
    """Rebuilds a mesh from `mesh_head` and `mesh_body`."""
    vertices, count = head["vertices"], head["triangles"]
    begin = 24 * vertices
    return TriangleMesh(
        np.frombuffer(body, "<f8", 3 * vertices).reshape(-1, 3),
        np.frombuffer(body, "<u4", 3 * count, begin).reshape(-1, 3),
        np.frombuffer(body, np.uint8, count, begin + 12 * count),
        np.frombuffer(body, "<u2", count, begin + 13 * count),
    )

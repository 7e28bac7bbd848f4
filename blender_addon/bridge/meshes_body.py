"""Raw meshes as a message's head fields and body: for each its vertices, corners, faces and slots, little-endian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..geometry.raw_mesh import RawMesh


def meshes_head(meshes: Mapping[str, RawMesh]) -> list[list[Any]]:
    """A row for each: its key, and the lengths of its arrays."""
    return [[key, *(len(array) for array in mesh.arrays)] for key, mesh in meshes.items()]


def meshes_body(meshes: Mapping[str, RawMesh]) -> bytes:
    """Float32 positions, and int32 corners, faces and slots of each, in the order of the head's rows."""
    return b"".join(
        array.astype("<f4" if array is mesh.positions else "<i4", copy=False).tobytes()
        for mesh in meshes.values()
        for array in mesh.arrays
    )


def meshes_from_message(rows: list[list[Any]], body: bytes) -> dict[str, RawMesh]:
    """Rebuilds meshes from `meshes_head` and `meshes_body`."""
    meshes, begin = {}, 0
    for key, vertices, *lengths in rows:
        positions = np.frombuffer(body, "<f4", 3 * vertices, begin).reshape(-1, 3)
        begin += 12 * vertices
        arrays = []
        for length in lengths:
            arrays.append(np.frombuffer(body, "<i4", length, begin))
            begin += 4 * length
        meshes[key] = RawMesh(positions, *arrays)
    return meshes

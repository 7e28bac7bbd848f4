"""Triangle meshes to messages of `occscene.v1` and back; what arrives is checked as in `occscene.codec`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.codec import pack_block, unpack_bytes
from occscene.field_errors import FieldError
from occscene.grid import GridVolume
from occscene.limits import MAX_MESH_TRIANGLES, MAX_OBJECTS
from occscene.mesh import TriangleMesh
from occscene.rigid import transform_points
from occscene.taxonomy import Taxonomy
from occscene.v1 import grid_pb2, mesh_pb2

STEPS_PER_METER = 8192
"""A power of two: what artists type, such as 0.75 or 0.125 m, stays exact."""

_ROW_BYTES = 12  # three integers of 32 bits
_MOST_STEPS = 2**31 - 1


def mesh_to_message(mesh: TriangleMesh, volume: GridVolume) -> mesh_pb2.TriangleMesh:
    """The message of a grid's mesh, packed; its triangles sorted by object and class, `surface` left out.

    Raises:
        ValueError: it has too many triangles or vertices, or one that is not finite or too far away.
    """
    for name, rows in (("triangles", mesh.triangles), ("vertices", mesh.vertices)):
        if len(rows) > MAX_MESH_TRIANGLES:
            raise ValueError(f"the mesh has {len(rows):,} {name}; the limit is {MAX_MESH_TRIANGLES:,}")
    grid_from_world = np.linalg.inv(volume.world_from_grid)  # exact also for a pose that is only nearly rigid
    with np.errstate(all="ignore"):  # of what is not finite
        steps = np.rint(transform_points(grid_from_world, mesh.vertices) * STEPS_PER_METER)
    if not (np.abs(steps) <= _MOST_STEPS).all():
        raise ValueError(
            f"the mesh has vertices that are not finite, or further than {_MOST_STEPS // STEPS_PER_METER:,} m from the "
            "grid; clean up the mesh, or leave it out"
        )
    keys = mesh.object_ids.astype(np.int64) << 8 | mesh.labels
    order = np.argsort(keys, kind="stable")
    kinds, counts = np.unique(keys, return_counts=True)
    if len(kinds) > MAX_OBJECTS:
        raise ValueError(f"the mesh has {len(kinds):,} runs of one object and class; the limit is {MAX_OBJECTS:,}")
    runs = [
        mesh_pb2.MeshRun(object_id=key >> 8, label=key & 255, triangles=count)
        for key, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]
    vertices = pack_block(delta_coded(steps.T.astype(np.int32)))
    return mesh_pb2.TriangleMesh(vertices=vertices, triangles=pack_block(delta_coded(mesh.triangles[order])), runs=runs)


def mesh_from_message(
    message: mesh_pb2.TriangleMesh,
    volume: GridVolume,
    taxonomy: Taxonomy,
    object_ids: Collection[int],
    field: str = "mesh",
) -> TriangleMesh:
    """The mesh of a message.

    Args:
        message: untrusted.
        volume: of the grid that it is sent with.
        taxonomy: of that grid.
        object_ids: of that grid's table.
        field: the message's path.

    Raises:
        FieldError: a field is outside its limits.
    """
    labels, ids = _unpack_runs(message.runs, taxonomy, set(object_ids), f"{field}.runs")
    triangles = _unpack_rows(message.triangles, f"{field}.triangles", "triangles").reshape(-1, 3)
    vertices = _unpack_rows(message.vertices, f"{field}.vertices", "vertices").view(np.int32).reshape(3, -1).T
    if len(triangles) != len(labels):
        raise FieldError(f"{field}.triangles", f"has {len(triangles):,} triangles, but runs have {len(labels):,}")
    if (highest := int(triangles.max())) >= len(vertices):
        raise FieldError(f"{field}.triangles", f"has the index {highest}; there are {len(vertices):,} vertices")
    world = transform_points(volume.world_from_grid, vertices / STEPS_PER_METER)
    return TriangleMesh(world, triangles, labels, ids)


def _unpack_runs(
    runs: Sequence[mesh_pb2.MeshRun], taxonomy: Taxonomy, known: set[int], field: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class and object of each triangle; nothing is allocated for more triangles than there may be."""
    if len(runs) > MAX_OBJECTS:
        raise FieldError(field, f"has {len(runs):,} entries; the limit is {MAX_OBJECTS:,}")
    total = 0
    for index, run in enumerate(runs):
        at = f"{field}[{index}]"
        if not 1 <= run.label < len(taxonomy):
            text = f"taxonomy {taxonomy.name!r} has 1 to {len(taxonomy) - 1} for triangles"
            raise FieldError(f"{at}.label", f"is {run.label}; {text}")
        if run.object_id and run.object_id not in known:
            raise FieldError(f"{at}.object_id", f"is {run.object_id}, which the grid's objects do not list")
        total += run.triangles
        if run.triangles == 0 or total > MAX_MESH_TRIANGLES:
            text = f"a run has 1 or more, all together at most {MAX_MESH_TRIANGLES:,}"
            raise FieldError(f"{at}.triangles", f"is {run.triangles}; {text}: simplify the mesh, or send none")
    counts = [run.triangles for run in runs]
    return (
        np.repeat(np.array([run.label for run in runs], np.uint8), counts),
        np.repeat(np.array([run.object_id for run in runs], np.uint16), counts),
    )


def _unpack_rows(block: grid_pb2.VoxelBlock, field: str, what: str) -> NDArray[np.uint32]:
    most = _ROW_BYTES * MAX_MESH_TRIANGLES
    if not 0 < block.raw_size <= most or block.raw_size % _ROW_BYTES:
        raise FieldError(
            f"{field}.raw_size",
            f"is {block.raw_size}; it must be {_ROW_BYTES} bytes for each of 1 to {MAX_MESH_TRIANGLES:,} {what}",
        )
    try:
        return delta_decoded(unpack_bytes(block))
    except ValueError as error:
        raise FieldError(field, f"cannot be unpacked: {error}") from error


def delta_coded(values: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The bytes (4, N) of integers of 32 bits as a mesh's blocks hold them: small differences give planes of zeros."""
    flat = np.ascontiguousarray(values).reshape(-1).astype(np.uint32)
    difference = np.diff(flat, prepend=np.uint32(0)).view(np.int32)
    zigzag = ((difference << 1) ^ (difference >> 31)).astype("<u4")
    return np.ascontiguousarray(zigzag.view(np.uint8).reshape(-1, 4).T)


def delta_decoded(planes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The integers modulo 2^32 of what `delta_coded` made of them; any bytes are some."""
    zigzag = np.ascontiguousarray(planes.reshape(4, -1).T).view("<u4").reshape(-1).astype(np.uint32, copy=False)
    difference = (zigzag >> 1) ^ (0 - (zigzag & 1))
    return np.cumsum(difference, dtype=np.uint32)

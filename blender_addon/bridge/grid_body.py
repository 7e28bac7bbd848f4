"""A semantic grid as a message's head fields and body: labels, then instances if there are any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from occscene.grid import GridObject, GridVolume, SemanticGrid


def grid_head(grid: SemanticGrid) -> dict[str, Any]:
    """The JSON fields of a grid."""
    return {
        "shape": list(grid.shape),
        "voxel_size": grid.voxel_size,
        "world_from_grid": grid.world_from_grid.tolist(),
        "taxonomy": grid.taxonomy,
        "objects": [[item.id, item.name, item.hint, item.prompt] for item in grid.objects],
        "has_instances": grid.instances is not None,
    }


def volume_head(volume: GridVolume) -> dict[str, Any]:
    """The JSON fields of a volume."""
    return {
        "shape": list(volume.shape),
        "voxel_size": volume.voxel_size,
        "world_from_grid": volume.world_from_grid.tolist(),
    }


def volume_from_head(head: dict[str, Any]) -> GridVolume:
    """Rebuilds a volume from `volume_head`."""
    x, y, z = head["shape"]
    return GridVolume((x, y, z), head["voxel_size"], np.array(head["world_from_grid"]))


def grid_body(grid: SemanticGrid) -> bytes:
    """The voxels: uint8 labels, then uint16 little-endian instances, in C order."""
    instances = b"" if grid.instances is None else grid.instances.astype("<u2").tobytes()
    return grid.labels.tobytes() + instances


def grid_bytes(head: dict[str, Any]) -> int:
    """The length of `grid_body`, by `grid_head`."""
    return math.prod(head["shape"]) * (3 if head["has_instances"] else 1)


def grid_from_message(head: dict[str, Any], body: bytes) -> SemanticGrid:
    """Rebuilds a grid from `grid_head` and `grid_body`."""
    shape = tuple(head["shape"])
    voxels = math.prod(shape)
    instances = None
    if head["has_instances"]:
        instances = np.frombuffer(body, "<u2", voxels, voxels).reshape(shape).astype(np.uint16)
    return SemanticGrid(
        np.frombuffer(body, np.uint8, voxels).reshape(shape),
        head["voxel_size"],
        np.array(head["world_from_grid"]),
        head["taxonomy"],
        instances,
        tuple(
            GridObject(id_, name, None if hint is None else tuple(hint), prompt)
            for id_, name, hint, prompt in head["objects"]
        ),
    )

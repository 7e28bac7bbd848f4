"""Stored scenes as G-buffers: from what was rendered, or from what an artist would have sent of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.mesh import TriangleMesh
from torch import Tensor

from occscene_server.data.dataset import read_cameras, read_grids
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer

Source = Literal["true", "blockout", "parts", "voxels"]
DrawParts = Callable[[SemanticGrid, TriangleMesh], Mapping[int, LayoutObject]]
"""From a blockout's grid and mesh to its objects that have parts, by id, in the world's axes."""


@dataclass(frozen=True, eq=False)
class SceneBuffers:
    """What the cameras of one scene see, and what is said of what they see.

    Args:
        maps: a batch of one scene.
        phrases: what a prompt calls each row of the table of objects, "a mustard velvet sofa"; row 0 is "".
        hints: (N + 1, 4) float32 the blockout's colour hints, as in `GridTensors`.
    """

    maps: GBuffer
    phrases: tuple[str, ...]
    hints: Tensor


def read_scene_buffers(
    folder: Path, source: Source, size: tuple[int, int], draw_parts: DrawParts | None = None
) -> SceneBuffers:
    """Draws the G-buffers of all views of a stored scene.

    Args:
        folder: of a finished indoor scene.
        source: "true" for the meshes that were rendered, "blockout" for the boxes of its blockout, "parts" for these
            with parts in place of boxes, "voxels" for the blockout's grid.
        size: rows and columns of the maps.
        draw_parts: for "parts".

    Raises:
        FileNotFoundError: the scene was stored without its meshes.
    """
    _, grid = read_grids(folder)
    cameras = CameraTensors.from_cameras([read_cameras(folder)])
    tensors = GridTensors.from_grids([grid])
    if source == "voxels":
        maps = voxel_gbuffer(tensors, cameras, size)
    else:
        mesh = read_mesh(folder, "true" if source == "true" else "blockout")
        if source == "parts":
            assert draw_parts is not None
            mesh = mesh_with_parts(mesh, grid, draw_parts(grid, mesh))
        maps = mesh_gbuffer([RayScene(mesh, grid)], cameras, size)
    return SceneBuffers(maps, read_phrases(folder, grid), tensors.hints[0])


def read_phrases(folder: Path, grid: SemanticGrid) -> tuple[str, ...]:
    """What a prompt calls each row of a stored grid's table of objects, what no view shows by its name; row 0 is ""."""
    items = json.loads((folder / "scene.json").read_text(encoding="utf-8"))["items"]
    said = {item["id"]: item["phrase"] for item in items}
    return ("", *(said.get(obj.id, obj.name.rstrip(" 0123456789")) for obj in grid.objects))

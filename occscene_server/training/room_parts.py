"""Blockouts of stored rooms with the parts that the parts prior gives them, drawn once and kept on disk."""

from __future__ import annotations

import json
from pathlib import Path

from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject, layout_from_json, layout_to_json
from occscene.mesh import TriangleMesh

from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.pipelines.blockout_parts import BlockoutParts


class RoomParts:
    """Meshes of blockouts as the product draws them: with the likeliest parts in place of plain boxes.

    Args:
        folder: where the parts of each room are kept.
        parts: that are asked for what is not there.
    """

    def __init__(self, folder: Path, parts: BlockoutParts) -> None:
        self.folder, self.parts = folder, parts

    def mesh(self, name: str, grid: SemanticGrid, blockout: TriangleMesh, prompt: str) -> TriangleMesh:
        """The mesh of a blockout with parts.

        Args:
            name: of the room, by which its parts are kept.
            grid, blockout: of the same blockout.
            prompt: of the room.
        """
        path = self.folder / f"{name}.json"
        if not path.exists():
            made = self.parts.refine(grid, prompt, corners=blockout.object_vertices())[1]
            layout = layout_to_json(Layout(grid.taxonomy, None, tuple(made.values())))
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps({"ids": list(made), "layout": layout}), encoding="utf-8")
            partial.replace(path)
        kept = json.loads(path.read_text(encoding="utf-8"))
        objects: tuple[LayoutObject, ...] = layout_from_json(kept["layout"]).objects
        return mesh_with_parts(blockout, grid, dict(zip(kept["ids"], objects, strict=True)))

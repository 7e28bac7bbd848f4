"""Collecting 5,000 objects: `python -m tests.benchmarks.collect`, against Blender's own exporters on the same scene."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

import blender_addon
from blender_addon.scene.collect import collect_blockout
from blender_addon.scene.tagging import class_counts
from tests.benchmarks.table import Row, best_ms, print_table
from tests.blender.build_scenes import add_box, add_material

OBJECTS = 5000
HIDDEN = 50
BUDGET_MS = 2000.0


def fill_scene() -> None:
    """Boxes in 20 collections, half of them tagged, the rest by their collection."""
    rng = np.random.default_rng(0)
    collections = [bpy.data.collections.new(f"collection {number}") for number in range(20)]
    for collection in collections:
        collection.occscene.class_name = "furn"
        bpy.context.scene.collection.children.link(collection)
    for number in range(OBJECTS):
        size, place = rng.uniform(0.1, 1.0, 3), rng.uniform(-10.0, 10.0, 3)
        box = add_box(f"box {number}", tuple(size), tuple(place), collections[number % 20])
        box.occscene.class_name = "sofa" if number % 2 else ""
    bpy.context.view_layer.update()


def main() -> None:
    """Measures and prints."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    fill_scene()
    context = bpy.context
    with tempfile.TemporaryDirectory() as folder:
        peers = {
            "Blender's STL exporter": lambda: bpy.ops.wm.stl_export(filepath=str(Path(folder, "scene.stl"))),
            "Blender's USD exporter": lambda: bpy.ops.wm.usd_export(filepath=str(Path(folder, "scene.usdc"))),
        }
        ours = best_ms(lambda: collect_blockout(context))
        rows = [
            Row(f"{OBJECTS:,} objects", ours, peer, best_ms(export, runs=1), BUDGET_MS)
            for peer, export in peers.items()
        ]
    for obj in list(context.view_layer.objects)[:HIDDEN]:
        obj.hide_set(True)
    rows.append(Row(f"the same, {HIDDEN} hidden in the viewport", best_ms(lambda: collect_blockout(context))))
    for obj in context.view_layer.objects:
        add_material(obj, "plaster", "wall")
        add_material(obj, "glass", "window")
        obj.data.polygons[0].material_index = 1
        obj.occscene.class_name = ""
    rows.append(Row("the same, two classes each by material", best_ms(lambda: collect_blockout(context))))
    rows.append(Row("counting classes for the panel", best_ms(lambda: class_counts(context.scene))))
    print_table("Collecting a blockout", rows)
    blender_addon.unregister()


if __name__ == "__main__":
    main()

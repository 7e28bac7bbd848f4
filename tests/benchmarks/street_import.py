"""Importing a predicted street of 256 x 256 x 32 voxels: `python -m tests.benchmarks.street_import`.

The grid is a studio street's true one, roughened as predictions are. The budget is two seconds of processor time, undo
step included: for so long the interface would stand still.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy
import numpy as np
from occscene.grid import SemanticGrid, save_grid
from occscene.rig import street_rig

import blender_addon
from blender_addon.scene.meshes import grid_object
from blender_addon.scene.projection import Projector
from blender_addon.scene.view_colors import add_view_colors
from occscene_server.studio.streets.grids import street_grids
from occscene_server.studio.streets.street import build_street
from tests.benchmarks.table import Row, best_cpu_ms, print_table

SEED = 20
ROUGH = 0.05
"""Share of the voxels on either side of a surface that change sides."""
BUDGET_MS = 2000.0


def predicted_street() -> SemanticGrid:
    """A street whose surfaces have holes and bumps."""
    grid = street_grids(build_street(SEED))[0].without_instances()
    labels, rng = grid.labels.copy(), np.random.default_rng(0)
    for axis in range(3):
        low, high = (np.moveaxis(labels, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        border = ((low == 0) != (high == 0)) & (rng.random(low.shape) < ROUGH)
        low[border], high[border] = high[border], low[border]
    return replace(grid, labels=labels)


def main() -> None:
    """Measures and prints."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path, grid = str(Path(folder, "street.npz")), predicted_street()
        save_grid(Path(path), grid)
        for surface in ("BLOCKS", "MERGED", "SMOOTH"):
            for separate in (False, True):
                faces = 0

                def work(surface: str = surface, separate: bool = separate) -> None:
                    nonlocal faces
                    before = set(bpy.data.objects)
                    bpy.ops.occscene.import_occupancy(
                        "EXEC_DEFAULT", True, filepath=path, surface=surface, separate=separate
                    )
                    made = set(bpy.data.objects) - before
                    faces = sum(len(obj.data.polygons) for obj in made)
                    for obj in made:
                        bpy.data.meshes.remove(obj.data)

                (time,) = best_cpu_ms([work], runs=3)
                each = ", an object for each class" if separate else ""
                rows.append(Row(f"{surface.lower()}{each} ({faces:,} faces)", time, budget_ms=BUDGET_MS))
    for surface in ("BLOCKS", "MERGED"):
        obj = grid_object(bpy.context.scene, grid, "Street", surface)
        (time,) = best_cpu_ms([partial(add_view_colors, bpy.context.scene, [obj], _projectors(grid))], runs=2)
        rows.append(Row(f"colors of {len(street_rig(grid.volume))} views on {surface.lower()}", time))
    print_table("Importing a predicted street", rows)


def _projectors(grid: SemanticGrid) -> list[Projector]:
    """Views of noise from the street's default cameras."""
    rng = np.random.default_rng(1)
    projectors = []
    for camera in street_rig(grid.volume):
        image = bpy.data.images.new(camera.name, camera.width, camera.height)
        image.pixels.foreach_set(rng.random(4 * camera.width * camera.height, np.float32))
        projectors.append(Projector(camera, image))
    return projectors


if __name__ == "__main__":
    main()

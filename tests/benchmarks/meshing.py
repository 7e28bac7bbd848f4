"""Grid to mesh, against trimesh's boxes, scikit-image's marching cubes and VTK's surface nets on the same grids."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np
from occscene.grid import SemanticGrid, occupied
from skimage.measure import marching_cubes
from trimesh.voxel import VoxelGrid

from blender_addon.geometry.merged import merged_polygons
from blender_addon.geometry.surface import culled_quads
from blender_addon.geometry.surface_nets import surface_nets
from tests.benchmarks.table import Row, best_ms, print_table
from tests.blender_addon.geometry.grids import room, street

HAS_VTK = find_spec("vtkmodules") is not None
"""A large package that only this comparison needs."""


def meshing_rows() -> list[Row]:
    """Culled, merged and smooth surfaces of a street and a room."""
    rows = []
    for name, grid, culled_budget, greedy_budget in (
        ("street 256x256x32", street(), 40.0, 120.0),
        ("room 60x60x36", room(), None, None),
    ):
        solid = occupied(grid.labels)
        boxes = best_ms(VoxelGrid(solid).as_boxes, 2)
        labels = marching_cubes_ms(grid)
        culled, greedy = (
            best_ms(partial(culled_quads, grid), 15),
            best_ms(partial(merged_polygons, grid), 15),
        )
        counts = [len(make(grid).sizes) for make in (culled_quads, merged_polygons)]
        rows.append(Row(f"{name}, culled ({counts[0]:,} quads)", culled, "trimesh as_boxes", boxes, culled_budget))
        rows.append(Row(f"{name}, merged ({counts[1]:,} polygons)", greedy, "trimesh as_boxes", boxes, greedy_budget))
        smooth = best_ms(partial(surface_nets, grid), 15)
        rows.append(Row(f"{name}, smooth", smooth, "scikit-image marching cubes of each class", labels))
        if HAS_VTK:
            between = best_ms(partial(surface_nets, grid, between_classes=True), 15)
            for iterations in (8, 16):  # 8 steps of its half-way go as far as our 6; 16 is its default
                peer = f"VTK SurfaceNets3D, one thread, {iterations} iterations"
                rows.append(Row(f"{name}, smooth, all borders", between, peer, vtk_ms(grid, iterations)))
    return rows


def marching_cubes_ms(grid: SemanticGrid) -> float:
    """Milliseconds for one surface of each class."""
    padded = np.pad(np.where(occupied(grid.labels), grid.labels, 0), 1)
    present = np.unique(padded)[1:]
    return best_ms(lambda: [marching_cubes((padded == label).astype(np.float32), 0.5) for label in present], 3)


def vtk_ms(grid: SemanticGrid, iterations: int) -> float:
    """Milliseconds for shared surfaces of all classes as quads."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkSMPTools
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkSurfaceNets3D

    vtkSMPTools.Initialize(1)
    padded = np.pad(np.where(occupied(grid.labels), grid.labels, 0), 1)
    image = vtkImageData()
    image.SetDimensions(padded.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))

    def work() -> None:
        nets = vtkSurfaceNets3D()
        nets.SetInputData(image)
        for position, label in enumerate(np.unique(padded)[1:]):
            nets.SetValue(position, float(label))
        nets.SetOutputMeshTypeToQuads()
        nets.GetSmoother().SetNumberOfIterations(iterations)
        nets.Update()

    return best_ms(work, 15)


if __name__ == "__main__":
    print_table("Grid to mesh", meshing_rows())

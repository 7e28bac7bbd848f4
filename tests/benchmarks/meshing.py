"""Grid to mesh, against what trimesh, scikit-image, VTK, sparse-cubes, zmesh and PyMCubes make of the same grids.

sparse-cubes, zmesh and PyMCubes are measured where they are installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from occscene.grid import occupied
from skimage.measure import marching_cubes
from trimesh.voxel import VoxelGrid

from blender_addon.geometry.merged import merged_polygons
from blender_addon.geometry.surface import class_surfaces, culled_quads
from blender_addon.geometry.surface_nets import surface_nets
from tests.benchmarks.table import Row, best_cpu_ms, print_table
from tests.blender_addon.geometry.grids import room, street

Works = dict[str, Callable[[], object]]


def meshing_rows() -> list[Row]:
    """Culled, merged and smooth surfaces of a street and a room, processor time on one thread."""
    rows = []
    for name, grid, culled_budget, merged_budget in (
        ("street 256x256x32", street(), 40.0, 120.0),
        ("room 60x60x36", room(), None, None),
    ):
        labels = np.where(occupied(grid.labels), grid.labels, 0)
        counts = [len(make(grid).sizes) for make in (culled_quads, merged_polygons)]
        culled = f"{name}, culled ({counts[0]:,} quads)"
        rows += _rows(culled, partial(culled_quads, grid), _boxes(labels, "culled_faces"), culled_budget)
        merged = f"{name}, merged ({counts[1]:,} polygons)"
        rows += _rows(merged, partial(merged_polygons, grid), _boxes(labels, "greedy_faces"), merged_budget)
        rows += _rows(f"{name}, smooth, outside only", partial(surface_nets, grid), _one_label_nets(labels))
        between = partial(surface_nets, grid, between_classes=True)
        rows += _rows(f"{name}, smooth, all borders", between, _vtk_nets(labels))
        each_class = _closed_classes(labels)
        rows += _rows(f"{name}, smooth, each class closed", lambda make=between: class_surfaces(make()), each_class)
    return rows


def _rows(case: str, ours: Callable[[], object], peers: Works, budget_ms: float | None = None) -> list[Row]:
    times = best_cpu_ms([ours, *peers.values()])
    return [Row(case, times[0], peer, time, budget_ms) for peer, time in zip(peers, times[1:], strict=True)]


def _boxes(labels: NDArray[np.uint8], method: str) -> Works:
    """Blocks of what is occupied, in one color: less than ours, which keep classes apart."""
    works: Works = {"trimesh as_boxes": VoxelGrid(labels > 0).as_boxes}
    if find_spec("sparsecubes"):
        import sparsecubes

        places = np.argwhere(labels)
        works[f"sparse-cubes {method}, one label"] = lambda: getattr(sparsecubes, method)(places)
    return works


def _one_label_nets(labels: NDArray[np.uint8]) -> Works:
    """Smooth surfaces of what is occupied, in one color: less than ours, which keep classes apart."""
    works = _vtk_nets((labels > 0).astype(np.uint8), ", one label")
    if find_spec("sparsecubes"):
        import sparsecubes

        places = np.argwhere(labels)
        works["sparse-cubes surface_nets, one label, unsmoothed"] = lambda: sparsecubes.surface_nets(places)
    return works


def _vtk_nets(labels: NDArray[np.uint8], note: str = "") -> Works:
    """Shared surfaces of all labels as quads; 8 steps of VTK's half-way go as far as our 6, and 16 is its default."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkSMPTools
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkSurfaceNets3D

    vtkSMPTools.Initialize(1)
    padded = np.pad(labels, 1)
    image = vtkImageData()
    image.SetDimensions(padded.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))

    def work(iterations: int) -> None:
        nets = vtkSurfaceNets3D()
        nets.SetInputData(image)
        for position, label in enumerate(np.unique(padded)[1:]):
            nets.SetValue(position, float(label))
        nets.SetOutputMeshTypeToQuads()
        nets.GetSmoother().SetNumberOfIterations(iterations)
        nets.Update()

    return {f"VTK SurfaceNets3D, {steps} iterations{note}": partial(work, steps) for steps in (8, 16)}


def _closed_classes(labels: NDArray[np.uint8]) -> Works:
    """One closed surface of each class, unsmoothed."""
    padded = np.pad(labels, 1)
    masks = [padded == label for label in np.unique(padded)[1:]]
    works: Works = {
        "scikit-image marching_cubes of each": lambda: [marching_cubes(mask.astype(np.float32), 0.5) for mask in masks]
    }
    if find_spec("mcubes"):
        import mcubes

        works["PyMCubes of each"] = lambda: [mcubes.marching_cubes(mask, 0.5) for mask in masks]
    if find_spec("zmesh"):
        import zmesh

        def meshes() -> None:
            mesher = zmesh.Mesher((1, 1, 1))
            mesher.mesh(padded, close=True)
            for label in mesher.ids():
                mesher.get(label, normals=False, reduction_factor=0)

        works["zmesh"] = meshes
    return works


if __name__ == "__main__":
    print_table("Grid to mesh", meshing_rows())

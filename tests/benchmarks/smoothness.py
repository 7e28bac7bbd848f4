"""How smooth nets are and how true: `python -m tests.benchmarks.smoothness`, against VTK's on the same labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import trimesh
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from rich.console import Console
from rich.table import Table
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkSurfaceNets3D

from blender_addon.geometry.surface_nets import surface_nets

Floats = NDArray[np.float64]
Labels = NDArray[np.uint8]
Net = tuple[Floats, NDArray[np.int64]]
SIDE = 64
POLES = {"pole of one voxel": 1, "pole of two": 2, "pole of three": 3}


def bodies() -> dict[str, trimesh.Trimesh]:
    """What the labels stand for, turned and in the middle of 64 voxels."""
    shapes = {
        "ball": trimesh.creation.icosphere(6, 20),
        "box": trimesh.creation.box((36, 28, 20)),
        "torus": trimesh.creation.torus(18, 7, major_sections=400, minor_sections=200),
    }
    for mesh in shapes.values():
        mesh.apply_transform(trimesh.transformations.random_rotation_matrix(np.array([0.2, 0.6, 0.4])))
        mesh.apply_translation((32.1, 31.7, 32.3))
    return shapes


def net_of_ours(labels: Labels) -> Net:
    """Vertices in voxels, and quads."""
    surface = surface_nets(SemanticGrid(labels, 1.0, np.eye(4), "outdoor"))
    return surface.vertices.astype(np.float64), surface.quads.astype(np.int64)


def net_of_vtk(labels: Labels) -> Net:
    """The same of vtkSurfaceNets3D with 8 iterations, which move vertices as far as our 6."""
    padded = np.pad(labels, 1)
    image = vtkImageData()
    image.SetDimensions(padded.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))
    nets = vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.SetValue(0, 1.0)
    nets.SetOutputMeshTypeToQuads()
    nets.GetSmoother().SetNumberOfIterations(8)
    nets.Update()
    places = vtk_to_numpy(nets.GetOutput().GetPoints().GetData())[:, ::-1].astype(np.float64) - 0.5
    return places, vtk_to_numpy(nets.GetOutput().GetPolys().GetConnectivityArray()).reshape(-1, 4)[:, ::-1]


def main() -> None:
    """Prints degrees between faces and the truth, voxels between vertices and the truth, and what is left of poles."""
    table = Table("labels of", "nets", "normals off, degrees", "vertices off, voxels", "volume kept")
    for peer, make in (("ours", net_of_ours), ("VTK", net_of_vtk)):
        for name, mesh in bodies().items():
            centers = np.stack(np.indices((SIDE,) * 3), axis=-1).reshape(-1, 3) + 0.5
            labels = mesh.contains(centers).reshape((SIDE,) * 3).astype(np.uint8)
            table.add_row(name, peer, *_measured(make, labels, mesh))
        for name, width in POLES.items():
            labels = np.zeros((8, 8, 50), np.uint8)
            labels[2 : 2 + width, 2 : 2 + width, 5:45] = 1
            table.add_row(name, peer, "", "", f"{_volume(*make(labels)) / labels.sum():.2f}")
    Console(width=120).print(table)


def _measured(make: Callable[[Labels], Net], labels: Labels, mesh: trimesh.Trimesh) -> list[str]:
    places, quads = make(labels)
    at = places[quads]
    normals = np.cross(at[:, 2] - at[:, 0], at[:, 3] - at[:, 1])
    areas = np.linalg.norm(normals, axis=1)
    nearest = trimesh.proximity.ProximityQuery(mesh)
    triangle = nearest.on_surface(at.mean(axis=1))[2]
    cosine = (normals * mesh.face_normals[triangle]).sum(axis=1) / areas
    degrees = np.average(np.degrees(np.arccos(cosine.clip(-1, 1))), weights=areas)
    off = nearest.on_surface(places)[1].mean()
    return [f"{degrees:.1f}", f"{off:.3f}", f"{_volume(places, quads) / labels.sum():.3f}"]


def _volume(places: Floats, quads: NDArray[np.int64]) -> float:
    at = places[quads]
    return float((at.mean(axis=1) * np.cross(at[:, 2] - at[:, 0], at[:, 3] - at[:, 1])).sum() / 6)


if __name__ == "__main__":
    main()

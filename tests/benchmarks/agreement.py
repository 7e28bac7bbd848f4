"""Voxels beside libigl's winding numbers, pyvista and trimesh: `python -m tests.benchmarks.agreement`."""

from __future__ import annotations

from collections.abc import Callable

import igl
import numpy as np
import pyvista
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from blender_addon.geometry.voxelize import TriangleObject, voxelize

Mask = NDArray[np.bool_]
CHAIR = INDOOR.index_of("chair")
SIDE = 48
VOXEL = 0.08
THIN_DIRECTIONS = 60


def ours(mesh: trimesh.Trimesh, side: int, size: float = 1.0) -> Mask:
    """What an artist gets in a cube of `side` voxels, with the automatic filling."""
    volume = GridVolume((side,) * 3, size, np.eye(4))
    grid = voxelize([TriangleObject("body", CHAIR, np.asarray(mesh.triangles))], volume, INDOOR)
    found: Mask = grid.labels > 0
    return found


def of_pyvista(mesh: trimesh.Trimesh, side: int, size: float = 1.0) -> Mask:
    """Its solid mask of the same voxels."""
    reference = pyvista.ImageData(dimensions=(side,) * 3, spacing=(size,) * 3, origin=(size / 2,) * 3)
    mask = pyvista.wrap(mesh).voxelize_binary_mask(reference_volume=reference)["mask"]
    found: Mask = np.asarray(mask).reshape((side,) * 3, order="F") > 0
    return found


def of_trimesh(mesh: trimesh.Trimesh, side: int, size: float = 1.0) -> Mask:
    """The voxels that its surface touches, which trimesh centers on whole numbers of voxels."""
    found = np.zeros((side,) * 3, bool)
    centered = mesh.copy()
    centered.apply_translation((-size / 2,) * 3)
    places = np.rint(centered.voxelized(size).points / size).astype(int)
    found[tuple(places[((places >= 0) & (places < side)).all(axis=1)].T)] = True
    return found


def bodies() -> dict[str, trimesh.Trimesh]:
    """Closed ones, and ones that people leave open, in a cube of 48 voxels, turned."""
    ball, box = trimesh.creation.icosphere(4, 19.3), trimesh.creation.box((31, 26, 17))
    shapes = {
        "ball": ball,
        "box": box,
        "torus": trimesh.creation.torus(14, 5.5, 96, 48),
        "capsule": trimesh.creation.capsule(14, 8),
        "ring": trimesh.creation.annulus(7, 16, 12),
        "bracket": trimesh.util.concatenate(
            [trimesh.creation.box((30, 8, 8)), trimesh.creation.box((8, 20, 8)).apply_translation((-11, 14, 0))]
        ),
        "ball without a face": _without(ball, 500),
        "box without its bottom": _without(box, *np.flatnonzero(box.face_normals[:, 2] < -0.5)),
    }
    for name, mesh in shapes.items():
        if "bottom" not in name:
            mesh.apply_transform(trimesh.transformations.random_rotation_matrix(np.array([0.3, 0.8, 0.1])))
        mesh.apply_translation((24.11, 23.87, 24.23))
    return shapes


def _without(mesh: trimesh.Trimesh, *faces: int) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.delete(mesh.faces, faces, axis=0), process=False)


def print_bodies() -> None:
    """Voxels set, those that libigl has and ours miss, and those that neither hold nor touch the body."""
    table = Table("body", "ours", "missing", "stray", "pyvista", "missing", "trimesh fill", "libigl", title="Solids")
    centers = np.stack(np.indices((SIDE,) * 3), axis=-1).reshape(-1, 3) + 0.5
    for name, mesh in bodies().items():
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
        winding = np.abs(igl.fast_winding_number(vertices, faces, centers)) > 0.5
        away = np.sqrt(igl.point_mesh_squared_distance(centers, vertices, faces)[0])
        inside, far = (winding & (away > 0.001)).reshape((SIDE,) * 3), (away > np.sqrt(0.75)).reshape((SIDE,) * 3)
        found, stencil = ours(mesh, SIDE), of_pyvista(mesh, SIDE)
        stray = found & ~winding.reshape((SIDE,) * 3) & far
        filled = mesh.voxelized(1.0).fill().filled_count
        numbers = found.sum(), (inside & ~found).sum(), stray.sum(), stencil.sum(), (inside & ~stencil).sum()
        table.add_row(name, *(f"{number:,}" for number in (*numbers, filled, winding.sum())))
    Console(width=140).print(table)


def reports() -> dict[str, tuple[trimesh.Trimesh, float, int]]:
    """Public bug reports of voxelisers: a mesh, the voxel size, and how many voxels are right."""

    def cube(low: tuple[float, ...], high: tuple[float, ...]) -> trimesh.Trimesh:
        return trimesh.creation.box(bounds=[low, high])

    wall = trimesh.Trimesh([(2.4, 0, 0), (2.4, 2.4, 0), (2.4, 2.4, 2.4), (2.4, 0, 2.4)], [(0, 1, 2), (0, 2, 3)])
    stack = trimesh.util.concatenate([cube((0.4, 0.4, 0.4), (1.2, 1.2, 1.2)), cube((0.4, 0.4, 1.2), (1.2, 1.2, 2.0))])
    return {
        "pyvista 7036: cube of 1 m in voxels of .25": (cube((1, 1, 1), (2, 2, 2)), 0.25, 64),
        "pyvista 7035: cubes on each other": (stack, 0.08, 2000),
        "open3d 5704: cube of 4 voxels": (cube((0.8, 0.8, 0.8), (1.12, 1.12, 1.12)), 0.08, 64),
        "imagej-ops 603: box as large as the grid": (cube((0, 0, 0), (2.4, 2.4, 2.4)), 0.08, 27_000),
        "imagej-ops 603: wall on the grid's far side": (wall, 0.08, 900),
        "FluidX3D 160: fin of 1 cm": (cube((0.4, 1.21, 0.4), (2.0, 1.22, 2.0)), 0.08, 400),
    }


def print_reports() -> None:
    """How many voxels each peer gives."""
    table = Table("report", "right", "ours", "pyvista", "trimesh surface, filled", title="Public reports")
    for name, (mesh, size, right) in reports().items():
        found, stencil = ours(mesh, 30, size).sum(), of_pyvista(mesh, 30, size).sum()
        filled = mesh.voxelized(size).fill().filled_count
        table.add_row(name, *(f"{number:,}" for number in (right, found, stencil, filled)))
    Console(width=140).print(table)


def print_thin() -> None:
    """Of straight cables in all directions, how many are one piece, and voxels per voxel of length."""
    title = f"Cables in voxels of 8 cm, {THIN_DIRECTIONS} directions"
    table = Table("thickness", "peer", "in one piece", "voxels per voxel of length", title=title)
    peers: dict[str, Callable[[trimesh.Trimesh, int, float], Mask]] = {
        "ours": ours,
        "pyvista": of_pyvista,
        "trimesh surface": of_trimesh,
    }
    for radius in (0.01, 0.02, 0.035):
        rng = np.random.default_rng(0)
        ways = rng.normal(size=(THIN_DIRECTIONS, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        middles = 1.2 + rng.uniform(-0.1, 0.1, ways.shape)
        for peer, mask in peers.items():
            whole, voxels = 0, 0
            for way, middle in zip(ways, middles, strict=True):
                segment = [middle - 0.8 * way, middle + 0.8 * way]
                found = mask(trimesh.creation.cylinder(radius, segment=segment, sections=12), 30, VOXEL)
                whole += ndimage.label(found, np.ones((3, 3, 3)))[1] == 1
                voxels += int(found.sum())
            share = f"{100 * whole / THIN_DIRECTIONS:.0f} %"
            table.add_row(f"{200 * radius:.0f} cm", peer, share, f"{voxels * VOXEL / 1.6 / THIN_DIRECTIONS:.2f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    print_bodies()
    print_reports()
    print_thin()

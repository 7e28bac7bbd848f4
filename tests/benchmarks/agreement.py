"""Voxels against libigl's winding numbers, pyvista and trimesh: `python -m tests.benchmarks.agreement`.

`--meshes FOLDER` takes the meshes in a folder too; `foreign_meshes` says where there are some.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import igl
import numpy as np
import trimesh
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from tests.benchmarks.foreign_meshes import print_foreign_meshes
from tests.benchmarks.reports import print_counted_reports, print_trials
from tests.benchmarks.solids import Mask, differences, of_pyvista, of_trimesh, ours

SIDE = 48
VOXEL = 0.08
THIN_DIRECTIONS = 60


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
        found, stencil = ours(mesh, SIDE), of_pyvista(mesh, SIDE)
        filled = mesh.voxelized(1.0).fill().filled_count
        numbers = found.sum(), *differences(mesh, found), stencil.sum(), differences(mesh, stencil)[0]
        table.add_row(name, *(f"{number:,}" for number in (*numbers, filled, winding.sum())))
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
    parser = ArgumentParser(description="Voxels against those of others.")
    parser.add_argument("--meshes", type=Path, metavar="FOLDER", help="meshes to take besides those of packages")
    folder = parser.parse_args().meshes
    print_bodies()
    print_counted_reports()
    print_trials()
    print_thin()
    print_foreign_meshes(folder)

"""Foreign meshes against libigl's winding numbers: `python -m tests.benchmarks.agreement --meshes FOLDER`.

Without a folder there are Blender's primitives, Suzanne among them, and pyvista's examples. Hundreds more (robots,
bunny, duck, teddy, mugs) come with pybullet: `pip download --no-deps --no-binary :all: pybullet` and unpack it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pyvista
import trimesh
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tests.benchmarks.solids import differences, ours

SUFFIXES = {".obj", ".stl", ".ply", ".off", ".glb"}
SIDES = (20, 48, 90)  # the first with faces on voxel planes, the others turned and moved at random
LARGEST_FILE = 4 << 20


def of_blender() -> Iterator[tuple[str, trimesh.Trimesh]]:
    """Suzanne, whose eye sockets are open, the same with these filled, and a cone."""
    add = bpy.ops.mesh
    for name, make in (("Suzanne", add.primitive_monkey_add), ("Blender's cone", add.primitive_cone_add)):
        make()
        mesh = bpy.context.object.data
        yield name, _of_blender_mesh(mesh)
        if name == "Suzanne":
            yield "Suzanne, holes filled", _of_blender_mesh(_filled(mesh))


def _filled(mesh: bpy.types.Mesh) -> bpy.types.Mesh:
    import bmesh  # only there once bpy is imported

    body = bmesh.new()
    body.from_mesh(mesh)
    bmesh.ops.holes_fill(body, edges=body.edges)
    body.to_mesh(mesh)
    body.free()
    return mesh


def _of_blender_mesh(mesh: bpy.types.Mesh) -> trimesh.Trimesh:
    mesh.calc_loop_triangles()
    vertices = [tuple(vertex.co) for vertex in mesh.vertices]
    faces = [tuple(triangle.vertices) for triangle in mesh.loop_triangles]
    return trimesh.Trimesh(vertices, faces, process=False)


def of_folder(folder: Path) -> Iterator[tuple[str, trimesh.Trimesh]]:
    """The meshes of all files below a folder that trimesh reads, equal corners welded; larger ones than 4 MB not."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.stat().st_size <= LARGEST_FILE:
            try:
                mesh = trimesh.load(path, force="mesh")
            except Exception as error:
                print(f"{path} cannot be read: {error}")
                continue
            if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
                continue
            mesh.merge_vertices(merge_tex=True, merge_norm=True)
            yield str(path.relative_to(folder)), mesh


def placed(mesh: trimesh.Trimesh, side: int, turned: bool) -> trimesh.Trimesh:
    """The mesh in a cube of `side` voxels of 1: its corner on a corner of voxels, or anyhow."""
    body = mesh.copy()
    if turned:
        rng = np.random.default_rng(side)
        body.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    low, high = body.bounds
    body.apply_translation(-low)
    body.apply_scale((side - 3 if turned else side - 2) / (high - low).max())
    body.apply_translation(1 + (rng.random(3) if turned else np.zeros(3)))
    return body


def openness(mesh: trimesh.Trimesh) -> str:
    """Whether every edge has as many faces in one direction as in the other."""
    edges = mesh.edges.astype(np.int64)
    forth = np.where(edges[:, 0] < edges[:, 1], 1, -1)
    _, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    if not np.bincount(which.reshape(-1), forth).any():
        return "closed"
    odd = (np.bincount(which.reshape(-1)) % 2 == 1).sum()
    return f"{odd:,} open edges" if odd else "turned faces"


def print_foreign_meshes(folder: Path | None) -> None:
    """A row for each mesh, and the sums of closed and of other ones."""
    columns = [f"{side}: voxels, missing, stray" for side in SIDES]
    table = Table("mesh", "triangles", "surface", *columns, title="Foreign meshes against libigl")
    sums: dict[bool, NDArray[np.int64]] = {}
    count = {True: 0, False: 0}
    meshes = [*of_blender(), *of_folder(Path(pyvista.__file__).parent / "examples")]
    for name, mesh in [*meshes, *(of_folder(folder) if folder else ())]:
        surface, numbers = openness(mesh), []
        for side in SIDES:
            body = placed(mesh, side, turned=side != SIDES[0])
            found = ours(body, side)
            numbers.append((int(found.sum()), *differences(body, found)))
        closed = surface == "closed"
        sums[closed] = sums.get(closed, np.zeros((len(SIDES), 3), np.int64)) + numbers
        count[closed] += 1
        table.add_row(name, f"{len(mesh.faces):,}", surface, *map(_listed, numbers))
    for closed, total in sums.items():
        table.add_row(f"all {count[closed]} {'closed' if closed else 'others'}", "", "", *map(_listed, total))
    Console(width=160).print(table)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)

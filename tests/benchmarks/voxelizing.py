"""Voxelising against pyvista (VTK's stencil, C++) and trimesh on the same meshes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyvista
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy
from vtkmodules.vtkCommonCore import vtkSMPTools

from blender_addon.geometry.voxelization.occupancy import FillRules, occupy
from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from tests.benchmarks.table import Row, best_cpu_ms, print_table


def voxelizing_rows() -> list[Row]:
    """The budgets' three cases, each against every peer that finishes it in reasonable time."""
    indoor = furniture(np.random.default_rng(1)), GridVolume((60, 60, 36), 0.08, np.eye(4)), INDOOR, 15.0
    street = street_scene(np.random.default_rng(2)), GridVolume((256, 256, 32), 0.2, np.eye(4)), OUTDOOR, 150.0
    vtkSMPTools.Initialize(1)
    rows = [*scene_rows(*indoor), *scene_rows(*street)]
    for side, budget in ((128, None), (256, None), (512, 600.0)):
        rows += mesh_rows("one torus", one_torus(side), side, budget)
    for side in (300, 60):
        rows += mesh_rows("one ball", one_ball(side), side, None)
    return rows


def scene_rows(
    meshes: Sequence[trimesh.Trimesh], volume: GridVolume, taxonomy: Taxonomy, budget_ms: float
) -> list[Row]:
    """A scene of many objects, as an artist's grid with classes and instances."""
    objects = tagged(meshes, taxonomy)
    triangles = sum(len(mesh.faces) for mesh in meshes)
    case = f"{sides(volume.shape)}, {len(objects):,} objects, {triangles:,} triangles"
    ours, stencil = best_cpu_ms(
        [
            lambda: voxelize(objects, volume, taxonomy),
            lambda: painted_by_pyvista(meshes, volume.shape, volume.voxel_size),
        ],
        2,
    )
    rows = [Row(case, ours, "pyvista voxelize_binary_mask, solid", stencil, budget_ms)]
    if len(objects) <= 100:  # a thousand objects take trimesh a minute
        filled = best_cpu_ms([lambda: filled_by_trimesh(meshes, volume.voxel_size)], 1)[0]
        rows.append(Row(case, ours, "trimesh voxelized().fill()", filled, budget_ms))
    return rows


def mesh_rows(case: str, mesh: trimesh.Trimesh, side: int, budget_ms: float | None) -> list[Row]:
    """One large mesh in a cube of `side` voxels of 1 m, processor time on one thread.

    pyvista's mask is x-fastest as VTK makes it; the grid that both have in the end is z-fastest, as ours is at once.
    """
    corners = np.ascontiguousarray(np.asarray(mesh.triangles).transpose(2, 1, 0))
    owner, shape = np.zeros(corners.shape[2], np.int64), (side, side, side)
    no = np.zeros(1, bool)
    rules = FillRules(no, no, no, no, np.eye(3))
    surface = pyvista.wrap(mesh)
    reference = pyvista.ImageData(dimensions=shape, spacing=(1.0,) * 3, origin=(0.5,) * 3)

    def mask() -> NDArray[np.uint8]:
        return np.asarray(surface.voxelize_binary_mask(reference_volume=reference)["mask"])

    times = best_cpu_ms(
        [
            lambda: occupy(corners, owner, rules, shape).painted(np.array([0, 1], np.uint8)),
            mask,
            lambda: np.ascontiguousarray(mask().reshape(shape, order="F")),
        ],
        3,
    )
    case = f"{sides(shape)}, {case}, {len(mesh.faces):,} triangles"
    rows = [
        Row(case, times[0], "pyvista voxelize_binary_mask, x-fastest mask only", times[1], budget_ms),
        Row(case, times[0], "the same as a z-fastest grid", times[2], budget_ms),
    ]
    if side <= 128 and len(mesh.faces) < 10**5:  # trimesh takes minutes for more
        filled = best_cpu_ms([lambda: filled_by_trimesh([mesh], 1.0)], 1)[0]
        rows.append(Row(case, times[0], "trimesh voxelized().fill()", filled, budget_ms))
    return rows


def sides(shape: tuple[int, int, int]) -> str:
    """A shape as a reader writes it."""
    return "x".join(map(str, shape))


def tagged(meshes: Sequence[trimesh.Trimesh], taxonomy: Taxonomy) -> list[TriangleObject]:
    """Every mesh as an object of some class."""
    classes = len(taxonomy.classes) - 1
    return [
        TriangleObject(f"object {index}", 1 + index % classes, np.asarray(mesh.triangles))
        for index, mesh in enumerate(meshes)
    ]


def painted_by_pyvista(
    meshes: Sequence[trimesh.Trimesh], shape: tuple[int, int, int], voxel_size: float
) -> NDArray[np.uint16]:
    """Instance ids by one stencil per object over the object's bounds; later objects win."""
    grid = np.zeros(shape, np.uint16)
    for index, mesh in enumerate(meshes):
        low = np.clip(np.floor(mesh.bounds[0] / voxel_size).astype(int), 0, shape)
        high = np.clip(np.ceil(mesh.bounds[1] / voxel_size).astype(int), 0, shape)
        if (high <= low).any():
            continue
        reference = pyvista.ImageData(dimensions=high - low, spacing=(voxel_size,) * 3, origin=(low + 0.5) * voxel_size)
        mask = pyvista.wrap(mesh).voxelize_binary_mask(reference_volume=reference)["mask"]
        inside = np.asarray(mask).reshape(high - low, order="F") > 0
        grid[low[0] : high[0], low[1] : high[1], low[2] : high[2]][inside] = index + 1
    return grid


def filled_by_trimesh(meshes: Sequence[trimesh.Trimesh], voxel_size: float) -> list[trimesh.voxel.VoxelGrid]:
    """Every mesh's own voxel grid, filled; without the work of laying them over each other."""
    return [mesh.voxelized(voxel_size).fill() for mesh in meshes]


def furniture(rng: np.random.Generator) -> list[trimesh.Trimesh]:
    """A room of 4.8 x 4.8 x 2.88 m: shell, furniture with legs, lamps."""
    meshes = [
        trimesh.creation.box(bounds=[(0, 0, 0), (4.8, 4.8, 0.1)]),
        trimesh.creation.box(bounds=[(0, 0, 0), (0.1, 4.8, 2.88)]),
        trimesh.creation.box(bounds=[(0, 0, 0), (4.8, 0.1, 2.88)]),
    ]
    while len(meshes) < 50:
        x, y = rng.uniform(0.4, 4.4, 2)
        kind = len(meshes) % 4
        if kind == 0:
            width, depth, height = rng.uniform((0.4, 0.4, 0.4), (1.2, 0.9, 1.8))
            mesh = trimesh.creation.box((width, depth, height))
            mesh.apply_transform(trimesh.transformations.rotation_matrix(rng.uniform(0, 6), (0, 0, 1)))
        elif kind == 1:
            top = trimesh.creation.box((1.0, 0.6, 0.04))
            top.apply_translation((0, 0, 0.7))
            legs = [trimesh.creation.box((0.05, 0.05, 0.7)) for _ in range(4)]
            for leg, (side, end) in zip(legs, ((-1, -1), (-1, 1), (1, -1), (1, 1)), strict=True):
                leg.apply_translation((0.45 * side, 0.25 * end, 0.35))
            mesh = trimesh.util.concatenate([top, *legs])
        elif kind == 2:
            mesh = trimesh.creation.cylinder(rng.uniform(0.1, 0.3), rng.uniform(0.3, 1.5), sections=24)
        else:
            mesh = trimesh.creation.icosphere(subdivisions=2, radius=rng.uniform(0.1, 0.4))
        mesh.apply_translation((x, y, 0.1 - mesh.bounds[0, 2]))
        meshes.append(mesh)
    return meshes


def street_scene(rng: np.random.Generator) -> list[trimesh.Trimesh]:
    """51.2 x 51.2 x 6.4 m of street: ground, buildings, cars, trees, poles; 1,000 objects."""
    meshes = [trimesh.creation.box(bounds=[(0, 0, 0), (51.2, 51.2, 0.4)])]
    crown = trimesh.creation.icosphere(subdivisions=2)
    for index in range(999):
        kind = index % 10
        if kind == 0:
            mesh = trimesh.creation.box(rng.uniform((3, 3, 3), (7, 7, 8)))
        elif kind < 4:
            body, cabin = trimesh.creation.box((4.2, 1.8, 0.8)), trimesh.creation.box((2.2, 1.6, 0.7))
            cabin.apply_translation((0, 0, 0.7))
            mesh = trimesh.util.concatenate([body, cabin])
        elif kind < 6:
            mesh = crown.copy()
            mesh.apply_scale(rng.uniform(0.4, 1.5))
        else:
            mesh = trimesh.creation.cylinder(rng.uniform(0.05, 0.2), rng.uniform(2, 5), sections=16)
        mesh.apply_transform(trimesh.transformations.rotation_matrix(rng.uniform(0, 6), (0, 0, 1)))
        mesh.apply_translation((*rng.uniform(1, 50, 2), 0.4 - mesh.bounds[0, 2]))
        meshes.append(mesh)
    return meshes


def one_torus(side: int) -> trimesh.Trimesh:
    """A torus of 70,000 triangles that fills a cube of `side` voxels of 1 m, at an angle."""
    mesh = trimesh.creation.torus(0.3 * side, 0.13 * side, major_sections=350, minor_sections=100)
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(np.array([0.3, 0.5, 0.7])))
    mesh.apply_translation([side / 2] * 3)
    return mesh


def one_ball(side: int) -> trimesh.Trimesh:
    """A ball of 1.3 million triangles that fills a cube of `side` voxels of 1 m: a sculpt."""
    mesh = trimesh.creation.icosphere(subdivisions=8, radius=0.45 * side)
    mesh.apply_translation([side / 2 + 0.13, side / 2 + 0.07, side / 2 + 0.31])
    return mesh


if __name__ == "__main__":
    print_table("Voxelising", voxelizing_rows())

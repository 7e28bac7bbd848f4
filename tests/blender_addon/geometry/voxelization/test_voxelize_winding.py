"""The voxeliser against libigl's winding numbers on random closed meshes at random poses."""

from __future__ import annotations

import igl
import numpy as np
import pytest
import trimesh
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize

SHAPE = (30, 27, 24)
VOXEL = 0.1


def placed(mesh: trimesh.Trimesh, rng: np.random.Generator, spread: float) -> trimesh.Trimesh:
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    mesh.apply_translation(rng.uniform(-spread, spread, 3))
    return mesh


def sphere(rng: np.random.Generator) -> trimesh.Trimesh:
    return placed(trimesh.creation.icosphere(subdivisions=3, radius=rng.uniform(0.2, 1.1)), rng, 0.4)


def torus(rng: np.random.Generator) -> trimesh.Trimesh:
    return placed(trimesh.creation.torus(rng.uniform(0.5, 0.9), rng.uniform(0.08, 0.4)), rng, 0.3)


def box(rng: np.random.Generator) -> trimesh.Trimesh:
    return placed(trimesh.creation.box(rng.uniform(0.05, 1.8, 3)), rng, 0.5)


def boolean_union(rng: np.random.Generator) -> trimesh.Trimesh:
    return trimesh.boolean.union([box(rng), sphere(rng), torus(rng)], engine="manifold")


def overlapping_shells(rng: np.random.Generator) -> trimesh.Trimesh:
    return trimesh.util.concatenate([box(rng), sphere(rng), torus(rng)])


def hollow_sphere(rng: np.random.Generator) -> trimesh.Trimesh:
    outer = sphere(rng)
    inner = outer.copy()
    inner.apply_transform(trimesh.transformations.scale_matrix(0.6, outer.center_mass))
    inner.invert()
    return trimesh.util.concatenate([outer, inner])


def largely_outside(rng: np.random.Generator) -> trimesh.Trimesh:
    mesh = sphere(rng)
    mesh.apply_translation(rng.choice([-1.4, 1.4], 3))
    return mesh


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "make", [sphere, torus, box, boolean_union, overlapping_shells, hollow_sphere, largely_outside]
)
def test_filling_agrees_with_winding_numbers(make: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mesh = make(rng)  # type: ignore[operator]
    pose = trimesh.transformations.random_rotation_matrix(rng.random(3))
    pose[:3, 3] = pose[:3, :3] @ (-VOXEL * np.array(SHAPE) / 2)
    item = TriangleObject("object", 1, np.asarray(mesh.triangles))
    grid = voxelize([item], GridVolume(SHAPE, VOXEL, pose), INDOOR)
    centers = grid.voxel_centers(np.indices(SHAPE).reshape(3, -1).T)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)
    inside = np.abs(igl.winding_number(vertices, faces, centers)) > 0.5
    distance = np.sqrt(igl.point_mesh_squared_distance(centers, vertices, faces)[0]) / VOXEL
    shown = grid.labels.reshape(-1) > 0
    # a centre decides, unless it lies on the surface to within what corners are snapped by
    assert not (inside & ~shown)[distance > 1e-3].any()
    # what is kept besides that touches the surface
    assert (distance[shown & ~inside] < np.sqrt(3) / 2 + 1e-3).all()
    # and it is little: edges of what is thick, or what is thin
    assert (shown & ~inside).sum() <= 0.08 * (distance < 1).sum()

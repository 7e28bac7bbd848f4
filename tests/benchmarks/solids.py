"""Bodies as voxels, ours and of peers, and how they differ from libigl's winding numbers."""

from __future__ import annotations

import igl
import numpy as np
import pyvista
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize

Mask = NDArray[np.bool_]
CHAIR = INDOOR.index_of("chair")


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


def differences(mesh: trimesh.Trimesh, found: Mask, size: float = 1.0) -> tuple[int, int]:
    """Voxels that the mesh holds by libigl and `found` misses, and those that it neither holds nor touches.

    Missing is what is inside by more than a thousandth of a voxel, stray what is outside by more than half a diagonal.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    centers = (np.stack(np.indices(found.shape), axis=-1).reshape(-1, 3) + 0.5) * size
    winding = np.abs(igl.fast_winding_number(vertices, faces, centers)) > 0.5
    (differ,) = (winding != found.reshape(-1)).nonzero()
    if not len(differ):
        return 0, 0
    centers = centers[differ]
    inside = np.abs(igl.winding_number(vertices, faces, centers)) > 0.5  # the fast ones are no more than near
    away = np.sqrt(igl.point_mesh_squared_distance(centers, vertices, faces)[0]) / size
    set_here = found.reshape(-1)[differ]
    missing, stray = inside & ~set_here & (away > 0.001), ~inside & set_here & (away > np.sqrt(0.75))
    return int(missing.sum()), int(stray.sum())

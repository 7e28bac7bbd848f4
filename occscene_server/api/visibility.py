"""Whether a camera sees anything of a volume."""

from __future__ import annotations

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from occscene.rigid import transform_points

_TOLERANCE = 1e-9  # of the sizes at hand: bodies that touch are not apart


def sees_volume(camera: PinholeCamera, volume: GridVolume) -> bool:
    """Whether any part of a volume, however small, lies within a camera's field of view.

    Exact, by the separating axis theorem (Gottschalk, Lin and Manocha 1996, section 4): two convex polyhedra are apart
    if and only if a face normal of one, or the cross product of an edge of each, separates them. The view is the
    pyramid from the camera to the depth of the volume's farthest corner.
    """
    if _is_plain(camera, volume):  # told in a tenth of the time
        return True
    unit_corners = np.stack(np.meshgrid(*[(0.0, 1.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    in_world = transform_points(volume.world_from_grid, unit_corners * np.array(volume.shape) * volume.voxel_size)
    box = transform_points(camera.camera_from_world, in_world)
    farthest = float(box[:, 2].max())
    if farthest <= 0.0:
        return False
    left, right = (0.0 - camera.cx) / camera.fx, (camera.width - camera.cx) / camera.fx
    top, bottom = (0.0 - camera.cy) / camera.fy, (camera.height - camera.cy) / camera.fy
    rays = np.array([[left, top, 1.0], [right, top, 1.0], [right, bottom, 1.0], [left, bottom, 1.0]])
    pyramid = np.vstack([np.zeros(3), farthest * rays])

    box_edges = camera.camera_from_world[:3, :3] @ volume.world_from_grid[:3, :3]  # columns; its face normals as well
    pyramid_edges = np.vstack([rays, np.eye(3)[:2]])
    pyramid_normals = np.vstack([np.cross(rays, np.roll(rays, -1, axis=0)), np.eye(3)[2]])
    products = np.cross(box_edges.T[:, None], pyramid_edges[None]).reshape(-1, 3)
    axes = np.vstack([box_edges.T, pyramid_normals, products])
    lengths = np.linalg.norm(axes, axis=1)
    axes = axes[lengths > 1e-12] / lengths[lengths > 1e-12, None]

    on_box, on_pyramid = box @ axes.T, pyramid @ axes.T  # (corners, axes)
    gap = np.maximum(on_box.min(axis=0) - on_pyramid.max(axis=0), on_pyramid.min(axis=0) - on_box.max(axis=0))
    return bool((gap <= _TOLERANCE * max(np.abs(box).max(), 1.0)).all())


def _is_plain(camera: PinholeCamera, volume: GridVolume) -> bool:
    """Whether the volume's middle is in the picture, or the camera stands within the volume."""
    size = np.array(volume.shape) * volume.voxel_size
    axes, corner = volume.world_from_grid[:3, :3], volume.world_from_grid[:3, 3]
    eye = camera.world_from_camera[:3, 3]
    x, y, z = (corner + axes @ (size / 2) - eye) @ camera.world_from_camera[:3, :3]
    if z > 0 and 0 < camera.fx * x / z + camera.cx < camera.width and 0 < camera.fy * y / z + camera.cy < camera.height:
        return True
    inside = (eye - corner) @ axes
    return bool((inside > 0).all() and (inside < size).all())

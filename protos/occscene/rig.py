"""The cameras that look at a scene for which nobody has placed any: the default rig of text to scene."""

from __future__ import annotations

import math

import numpy as np

from occscene.camera import PinholeCamera
from occscene.grid import GridVolume

FIELD_OF_VIEW = 72.0
"""Degrees, along the image's longer side."""
EYE_HEIGHT = 1.45
"""Metres above the volume's lowest layer, at most half of the volume's height."""
_OUT = 0.3
"""Of the volume's sides, how far from the middle the cameras stand."""


def default_rig(volume: GridVolume, views: int = 4, width: int = 256, height: int = 256) -> tuple[PinholeCamera, ...]:
    """Level cameras at eye height around the volume's middle, each looking across it, named "1", "2" and so on.

    Args:
        volume: stands in the world as `world_from_grid` says; its z axis is up.
        views: at least 1; four stand in the four corners.
        width, height: pixels.
    """
    sides = np.array(volume.shape) * volume.voxel_size
    focal = max(width, height) / (2 * math.tan(math.radians(FIELD_OF_VIEW) / 2))
    floor = volume.voxel_size
    target = np.array([sides[0] / 2, sides[1] / 2, floor + min(0.85, 0.3 * sides[2])])
    cameras = []
    for view in range(views):
        angle = math.pi / 4 + math.tau * view / views
        reach = math.sqrt(2) * _OUT * np.array([math.cos(angle), math.sin(angle)])
        eye = np.array([*((0.5 + reach) * sides[:2]), floor + min(EYE_HEIGHT, 0.5 * sides[2])])
        forward = (target - eye) / np.linalg.norm(target - eye)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(forward, right), forward, eye], axis=1)
        pose = volume.world_from_grid @ pose
        cameras.append(PinholeCamera(str(view + 1), width, height, focal, focal, width / 2, height / 2, pose))
    return tuple(cameras)

"""Cameras for a scene that has none: the default rig of text to scene."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from occscene.layout import LayoutObject
from occscene.limits import IMAGE_SIDE
from occscene.placed_layout import PlacedLayout
from occscene.rigid import Float64Array, looking_at

FIELD_OF_VIEW = 72.0
"""Degrees, along the image's longer side."""
EYE_HEIGHT = 1.45
"""Metres above the floor, at most half of the room's height."""
_OUT = 0.3
"""Of the volume's sides, how far from the middle the cameras stand."""
_FROM_WALLS = (0.35, 0.6, 0.9, 1.2)
"""Metres from the walls of a room, along x and y: the first that nothing stands in the way of."""
_STREET_SIDES = (51.2, 51.2, 6.4)
_STREET_VIEWS = (
    ((2.0, -1.5, 1.6), (20.0, -1.0, 1.4)),
    ((18.0, -1.5, 1.6), (36.0, -0.5, 1.4)),
    ((8.0, 5.5, 1.7), (24.0, -6.0, 1.6)),
    ((10.0, -5.5, 1.7), (26.0, 6.0, 1.6)),
    ((1.0, 0.0, 6.0), (16.0, 0.0, 0.5)),
)
"""Eye and target of each camera of `street_rig`: metres along the street, to its left, above the road."""
_CLEARANCE = 0.15
"""Metres around a camera in which nothing stands."""


def default_rig(
    volume: GridVolume, views: int = 4, width: int = IMAGE_SIDE, height: int = IMAGE_SIDE
) -> tuple[PinholeCamera, ...]:
    """Level cameras at eye height around the volume's middle, each looking across it, named "1", "2" and so on.

    Args:
        volume: stands in the world as `world_from_grid` says; its z axis is up, its lowest layer the floor.
        views: at least 1; four stand in the four corners.
        width, height: pixels.
    """
    sides = np.array(volume.shape) * volume.voxel_size
    pose = volume.world_from_grid.copy()
    pose[:3, 3] += pose[:3, :3] @ (sides[0] / 2, sides[1] / 2, volume.voxel_size)
    eyes = [math.sqrt(2) * _OUT * sides[:2] * _direction(view, views) for view in range(views)]
    return tuple(_camera(view, eye, sides[2], pose, width, height) for view, eye in enumerate(eyes))


def street_rig(volume: GridVolume, width: int = IMAGE_SIDE, height: int = IMAGE_SIDE) -> tuple[PinholeCamera, ...]:
    """The default rig outdoors, five cameras for a street along the volume's x axis, named "1" to "5".

    Two look along the road, one from its beginning and one from farther on; one looks from either pavement across it;
    one looks down it from above.

    Args:
        volume: stands in the world as `world_from_grid` says; its z axis is up, its lowest layer the road.
        width, height: pixels.
    """
    sides = np.array(volume.shape) * volume.voxel_size
    pose = volume.world_from_grid.copy()
    pose[:3, 3] += pose[:3, :3] @ (0.0, sides[1] / 2, volume.voxel_size)
    focal = max(width, height) / (2 * math.tan(math.radians(FIELD_OF_VIEW) / 2))
    # Metres in a volume of SemanticKITTI's size; in another one the places keep their shares of its sides.
    scale = sides / _STREET_SIDES
    cameras = []
    for index, (eye, target) in enumerate(_STREET_VIEWS):
        own = looking_at(np.array(eye) * scale, np.array(target) * scale)
        name = str(index + 1)
        cameras.append(PinholeCamera(name, width, height, focal, focal, width / 2, height / 2, pose @ own))
    return tuple(cameras)


def room_rig(
    placed: PlacedLayout, views: int = 4, width: int = IMAGE_SIDE, height: int = IMAGE_SIDE
) -> tuple[PinholeCamera, ...]:
    """The default rig within a layout's room: in its corners, out of what stands there.

    Args:
        placed: a layout with a room.
        views: at least 1; four stand in the four corners.
        width, height: pixels.
    """
    assert placed.layout.room is not None
    sides = np.array(placed.layout.room.size)
    cameras = []
    for view in range(views):
        corner = math.sqrt(2) * _direction(view, views)
        eyes = [corner * np.maximum(sides[:2] / 2 - margin, 0.0) for margin in _FROM_WALLS]
        level = _eye_height(sides[2])
        eye = next((eye for eye in eyes if _is_free(eye, level, placed.layout.objects)), eyes[-1])
        cameras.append(_camera(view, eye, sides[2], placed.world_from_layout, width, height))
    return tuple(cameras)


def _direction(view: int, views: int) -> Float64Array:
    angle = math.pi / 4 + math.tau * view / views
    return np.array([math.cos(angle), math.sin(angle)])


def _eye_height(height: float) -> float:
    return min(EYE_HEIGHT, 0.5 * height)


def _is_free(eye: Float64Array, level: float, objects: Sequence[LayoutObject]) -> bool:
    """Whether no box comes near a point (2,) at a level."""
    for obj in objects:
        if not obj.bottom - _CLEARANCE < level < obj.top + _CLEARANCE:
            continue
        own = (eye - obj.center[:2]) @ obj.axes[:2, :2]
        if (np.abs(own) < np.array(obj.size[:2]) / 2 + _CLEARANCE).all():
            return False
    return True


def _camera(view: int, place: Float64Array, tall: float, pose: Float64Array, width: int, height: int) -> PinholeCamera:
    """A camera at a place (2,) that looks at the middle of axes `pose`, whose floor is at z = 0."""
    focal = max(width, height) / (2 * math.tan(math.radians(FIELD_OF_VIEW) / 2))
    eye = np.array([*place, _eye_height(tall)])
    target = np.array([0.0, 0.0, min(0.85, 0.3 * tall)])
    own = looking_at(eye, target)
    return PinholeCamera(str(view + 1), width, height, focal, focal, width / 2, height / 2, pose @ own)

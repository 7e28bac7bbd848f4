"""A pinhole camera and the JSON file that holds several."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.limits import MAX_IMAGE_SIDE, MAX_NAME_LENGTH, MAX_VIEWS, MIN_IMAGE_SIDE
from occscene.rigid import Float64Array, invert_rigid, rigid_transform, transform_points


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """A pinhole camera in the OpenCV convention: x right, y down, z forward.

    Args:
        name: unique within a request; becomes part of a file's name.
        width, height: pixels.
        fx, fy, cx, cy: pixels; the origin is the image's top-left corner and pixel centres lie at +0.5.
        world_from_camera: rigid 4x4, metres.

    Raises:
        ValueError: a size, a focal length or the pose is outside the limits; the message names the field.
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    world_from_camera: Float64Array

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > MAX_NAME_LENGTH:
            raise ValueError(f"name has {len(self.name)} characters; it must have 1 to {MAX_NAME_LENGTH}")
        for field in ("width", "height"):
            side = getattr(self, field)
            if not MIN_IMAGE_SIDE <= side <= MAX_IMAGE_SIDE:
                raise ValueError(f"{field} is {side}; it must be {MIN_IMAGE_SIDE} to {MAX_IMAGE_SIDE} pixels")
        for field in ("fx", "fy", "cx", "cy"):
            if not math.isfinite(getattr(self, field)):
                raise ValueError(f"{field} is {getattr(self, field)}; it must be finite")
        for field in ("fx", "fy"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be greater than 0 pixels")
        object.__setattr__(self, "world_from_camera", rigid_transform(self.world_from_camera, "world_from_camera"))

    @property
    def intrinsics(self) -> Float64Array:
        """The 3x3 matrix that takes camera coordinates to homogeneous pixels."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def camera_from_world(self) -> Float64Array:
        """The inverse pose, 4x4."""
        return invert_rigid(self.world_from_camera)

    def project(self, points: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Projects world points (..., 3) in metres to pixels (..., 2) and depths (...) along z in metres.

        Points at or behind the camera's plane have a depth <= 0 and meaningless pixels.
        """
        local = transform_points(self.camera_from_world, points)
        depth = local[..., 2]
        safe = np.where(np.abs(depth) < 1e-12, 1e-12, depth)
        pixels = np.stack([self.fx * local[..., 0] / safe + self.cx, self.fy * local[..., 1] / safe + self.cy], axis=-1)
        return pixels, depth

    def pixel_directions(self) -> NDArray[np.float32]:
        """World directions through the pixel centres, (height, width, 3), with z-depth 1 (not unit length)."""
        x = (np.arange(self.width) + 0.5 - self.cx) / self.fx
        y = (np.arange(self.height) + 0.5 - self.cy) / self.fy
        local = np.stack([*np.meshgrid(x, y), np.ones((self.height, self.width))], axis=-1)
        return (local @ self.world_from_camera[:3, :3].T).astype(np.float32)

    def resized(self, width: int, height: int) -> PinholeCamera:
        """The same camera with its image scaled to `width` x `height` pixels."""
        sx, sy = width / self.width, height / self.height
        return PinholeCamera(
            self.name, width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, self.world_from_camera
        )


_FILE_FIELDS = ("name", "width", "height", "fx", "fy", "cx", "cy", "world_from_camera")


def save_cameras(path: Path, cameras: Sequence[PinholeCamera]) -> None:
    """Writes a cameras file: a JSON list of objects with the fields of `PinholeCamera`, poses row-major."""
    path.write_text(json.dumps(cameras_to_rows(cameras), indent=1) + "\n", encoding="utf-8")


def load_cameras(path: Path) -> list[PinholeCamera]:
    """Reads a cameras file written by `save_cameras` or by hand.

    Raises:
        ValueError: the file is not such a list, has too many cameras, a name twice, or a field outside its limits.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return cameras_from_rows(rows, str(path))


def cameras_to_rows(cameras: Sequence[PinholeCamera]) -> list[dict[str, Any]]:
    """The JSON list of a cameras file."""
    return [
        {field: getattr(camera, field) for field in _FILE_FIELDS[:-1]}
        | {"world_from_camera": camera.world_from_camera.tolist()}
        for camera in cameras
    ]


def cameras_from_rows(rows: object, where: str) -> list[PinholeCamera]:
    """The cameras of such a list.

    Raises:
        ValueError: as of `load_cameras`; the message begins with `where`.
    """
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_VIEWS:
        raise ValueError(f"{where} must hold a list of 1 to {MAX_VIEWS} cameras")
    cameras = [_camera_from_row(row, f"{where}: camera {index}") for index, row in enumerate(rows)]
    names = [camera.name for camera in cameras]
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: a camera's name is used twice ({', '.join(names)}); names must be unique")
    return cameras


def _camera_from_row(row: object, where: str) -> PinholeCamera:
    if not isinstance(row, dict):
        raise ValueError(f"{where} is not an object with the fields {', '.join(_FILE_FIELDS)}")
    missing = [field for field in _FILE_FIELDS if field not in row]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    try:
        if not isinstance(row["name"], str):
            raise ValueError(f"name is {row['name']!r}; it must be text")
        width, height = (int(_number(row, field, is_whole=True)) for field in ("width", "height"))
        fx, fy, cx, cy = (float(_number(row, field)) for field in ("fx", "fy", "cx", "cy"))
        return PinholeCamera(row["name"], width, height, fx, fy, cx, cy, row["world_from_camera"])
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _number(row: dict[str, Any], field: str, is_whole: bool = False) -> int | float:
    value = row[field]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (is_whole and isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"{field} is {value!r}; it must be a {'whole ' if is_whole else ''}number of pixels")
    return value

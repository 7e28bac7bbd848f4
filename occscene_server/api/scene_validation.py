"""Checks of the parts of a scene: grids, meshes, cameras, images; each limit before the memory that it bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from occscene.camera import PinholeCamera
from occscene.codec import (
    camera_from_message,
    object_from_message,
    unpack_block,
    volume_from_message,
)
from occscene.grid import UNKNOWN, GridVolume, check_instances, check_labels
from occscene.limits import (
    MAX_CENTER_SIDES,
    MAX_COORDINATE,
    MAX_FOCAL_SIDES,
    MAX_IMAGE_SIDE,
    MAX_NAME_LENGTH,
    MAX_OBJECTS,
    MAX_VIEWS,
    MIN_FOCAL_SIDES,
    MIN_IMAGE_SIDE,
)
from occscene.mesh_codec import mesh_from_message
from occscene.rigid import Float64Array, rigid_transform
from occscene.taxonomy import TAXONOMIES, taxonomy_named
from occscene.v1 import camera_pb2, grid_pb2, mesh_pb2

from occscene_server.api.violations import Violations
from occscene_server.engine.task import decode_image

_MAX_REPORTED = 10  # wrong entries of one table
_ROWS = 1024  # of a table between two checks for a cancelled call
_SOUND_CAMERA: dict[str, Any] = {
    "name": "camera", "width": 64, "height": 64, "fx": 64.0, "fy": 64.0, "cx": 32.0, "cy": 32.0,
    "world_from_camera": np.eye(4),
}  # fmt: skip


def check_volume(message: grid_pb2.GridVolume, at: str, violations: Violations) -> GridVolume | None:
    """The volume, if nothing is wrong with it; each wrong field is violations by itself."""
    count = len(violations)
    sizes = ("size_x", "size_y", "size_z")
    for axis, field in enumerate(sizes):
        shape = [1, 1, 1]
        shape[axis] = getattr(message, field)
        violations.attempt(f"{at}.{field}", lambda s=shape: GridVolume((s[0], s[1], s[2]), 1.0, np.eye(4)))  # type: ignore[misc]
    if len(violations) == count:
        x, y, z = (getattr(message, field) for field in sizes)
        violations.attempt(at, lambda: GridVolume((x, y, z), 1.0, np.eye(4)))  # the product
    violations.attempt(f"{at}.voxel_size", lambda: GridVolume((1, 1, 1), message.voxel_size, np.eye(4)))
    _check_pose(message.world_from_grid, f"{at}.world_from_grid", violations)
    return volume_from_message(message, at) if len(violations) == count else None


def check_grid(message: grid_pb2.SemanticGrid, at: str, violations: Violations) -> GridVolume | None:
    """Where a grid lies, if its volume is right; its voxels are unpacked only then."""
    volume = check_volume(message.volume, f"{at}.volume", violations)
    count = len(violations)
    taxonomy = violations.attempt(f"{at}.taxonomy", lambda: taxonomy_named(message.taxonomy, f"{at}.taxonomy"))
    ids = _check_objects(message.objects, f"{at}.objects", violations)
    if volume is None:
        return None
    labels = violations.attempt(f"{at}.labels", lambda: unpack_block(message.labels, volume.shape, np.uint8))
    if labels is not None and taxonomy is not None:
        violations.attempt(f"{at}.labels", lambda: check_labels(labels, taxonomy, "labels"))
    if labels is not None and not ((labels != 0) & (labels != UNKNOWN)).any():
        text = "labels has no voxel with a class; put an object with a class into the volume, or send no grid"
        violations.add(f"{at}.labels", text)
    instances = None
    if message.HasField("instances"):
        instances = violations.attempt(
            f"{at}.instances", lambda: unpack_block(message.instances, volume.shape, np.uint16)
        )
    if len(violations) == count and labels is not None:
        violations.attempt(f"{at}.objects", lambda: check_instances(instances, ids))
    return volume


def check_mesh(
    message: mesh_pb2.TriangleMesh,
    grid: grid_pb2.SemanticGrid,
    volume: GridVolume | None,
    at: str,
    violations: Violations,
) -> None:
    """Checks the mesh of a grid, if that grid says where the mesh lies and what its classes are."""
    if volume is None or grid.taxonomy not in TAXONOMIES:
        return  # violations of the grid already
    ids = {item.id for item in grid.objects}
    violations.attempt(at, lambda: mesh_from_message(message, volume, TAXONOMIES[grid.taxonomy], ids, at))


def _check_objects(messages: Sequence[grid_pb2.GridObject], at: str, violations: Violations) -> list[int]:
    """The ids of an object table; checks each row once, and none after `_MAX_REPORTED` wrong ones."""
    if len(messages) > MAX_OBJECTS:
        violations.add(at, f"objects has {len(messages)} entries; the limit is {MAX_OBJECTS}")
        return []
    ids, wrong = [], 0
    for index, message in enumerate(messages):
        if index % _ROWS == 0:
            violations.go_on()
        ids.append(message.id)
        plain = 1 <= message.id <= MAX_OBJECTS and max(len(message.name), len(message.prompt)) <= MAX_NAME_LENGTH
        if plain and not message.HasField("hint"):
            continue  # most rows are, and a table may have many
        path = f"{at}[{index}]"
        row = violations.attempt(path, lambda m=message, p=path: object_from_message(m, p))  # type: ignore[misc]
        wrong += row is None
        if wrong == _MAX_REPORTED:
            break
    return ids


def check_cameras(
    messages: Sequence[camera_pb2.PinholeCamera], at: str, violations: Violations
) -> list[PinholeCamera | None]:
    """The cameras, None for each invalid one; if there are too many, none is checked."""
    if not 1 <= len(messages) <= MAX_VIEWS:
        violations.add(at, f"there are {len(messages)} cameras; there must be 1 to {MAX_VIEWS}")
        return []
    cameras = [_check_camera(message, f"{at}[{i}]", violations) for i, message in enumerate(messages)]
    size = (messages[0].width, messages[0].height)
    for index, message in enumerate(messages):
        allowed = all(MIN_IMAGE_SIDE <= side <= MAX_IMAGE_SIDE for side in (*size, message.width, message.height))
        if allowed and (message.width, message.height) != size:  # a side out of its range is a violation already
            sizes = f"{message.width} x {message.height}, the first camera {size[0]} x {size[1]}"
            violations.add(f"{at}[{index}]", f"it has {sizes} pixels; all views of a request have one size")
    names = [message.name for message in messages]
    for name in sorted({name for name in names if names.count(name) > 1}):
        violations.add(at, f"the name {name[:50]!r} is used {names.count(name)} times; names must be unique")
    return cameras


def _check_camera(message: camera_pb2.PinholeCamera, at: str, violations: Violations) -> PinholeCamera | None:
    count = len(violations)
    try:
        camera = camera_from_message(message, at)
        _check_position(camera.world_from_camera, f"{at}.world_from_camera", violations)
    except ValueError:  # which reports one field; here each is tried by itself
        for field in ("name", "width", "height", "fx", "fy", "cx", "cy"):
            changed = _SOUND_CAMERA | {field: getattr(message, field)}
            violations.attempt(f"{at}.{field}", lambda c=changed: PinholeCamera(**c))  # type: ignore[misc]
        _check_pose(message.world_from_camera, f"{at}.world_from_camera", violations)
    side = max(message.width, message.height)
    for field in ("fx", "fy"):
        value, least, most = getattr(message, field), MIN_FOCAL_SIDES * side, MAX_FOCAL_SIDES * side
        if 0.0 < value < math.inf and not least <= value <= most:
            violations.add(
                f"{at}.{field}", f"{field} is {value:g}; it must be {least:g} to {most:g} pixels for this image"
            )
    for field in ("cx", "cy"):
        value, most = getattr(message, field), MAX_CENTER_SIDES * side
        if math.isfinite(value) and abs(value) > most:
            violations.add(
                f"{at}.{field}", f"{field} is {value:g}; it must be -{most:g} to {most:g} pixels for this image"
            )
    return camera if len(violations) == count else None


def check_image(
    image: camera_pb2.EncodedImage, camera: camera_pb2.PinholeCamera, at: str, violations: Violations
) -> None:
    """Checks that an image is a whole PNG of its camera's size; it is decoded only if that size is allowed."""
    if (image.width, image.height) != (camera.width, camera.height):
        sizes = f"{image.width} x {image.height} pixels; its camera has {camera.width} x {camera.height}"
        violations.add(at, f"the image has {sizes}")
    elif max(image.width, image.height) <= MAX_IMAGE_SIDE:  # else the camera is a violation already
        violations.attempt(at, lambda: decode_image(image, at))


def _check_pose(numbers: Sequence[float], at: str, violations: Violations) -> None:
    if len(numbers) != 16:
        violations.add(at, f"there are {len(numbers)} numbers; there must be 16, a row-major 4x4 matrix")
        return
    matrix: Float64Array = np.array(numbers, np.float64).reshape(4, 4)
    pose = violations.attempt(at, lambda: rigid_transform(matrix, at))
    if pose is not None:
        _check_position(pose, at, violations)


def _check_position(pose: Float64Array, at: str, violations: Violations) -> None:
    if np.abs(pose[:3, 3]).max() > MAX_COORDINATE:
        text = f"the position is {pose[:3, 3].tolist()}; each coordinate must be within {MAX_COORDINATE:g} metres"
        violations.add(at, f"{text}: move the scene to the world's origin")

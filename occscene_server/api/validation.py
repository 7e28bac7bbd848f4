"""Checks of requests: every violation at once, each limit before the memory that it bounds is allocated."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from occscene.camera import PinholeCamera
from occscene.codec import camera_from_message, grid_from_message, taxonomy_named, volume_from_message
from occscene.grid import GridVolume, SemanticGrid
from occscene.limits import MAX_IMAGE_SIDE, MAX_PROMPT_LENGTH, MAX_STEPS, MAX_VIEWS
from occscene.rigid import transform_points
from occscene.v1 import camera_pb2, grid_pb2, job_pb2, scene_service_pb2
from occscene.volumes import default_volume

from occscene_server.engine.task import decode_image

Value = TypeVar("Value")

MAX_GUIDANCE_SCALE = 30.0
IMAGE_SIDE_MULTIPLE = 8
"""Width and height must be multiples: the autoencoder's scale."""


@dataclass(frozen=True)
class FieldViolation:
    """One thing that is wrong with a request.

    Args:
        field: path from the request's root, for example `generate_scene.cameras[2].fx`.
        description: what is wrong, what the limit is, what to do.
    """

    field: str
    description: str


class Violations(list[FieldViolation]):
    """Collects violations."""

    def add(self, field: str, description: str) -> None:
        """Adds one."""
        self.append(FieldViolation(field, description))

    def attempt(self, field: str, build: Callable[[], Value]) -> Value | None:
        """Runs `build`; its ValueError becomes a violation at the path that its text begins with, or at `field`."""
        try:
            return build()
        except ValueError as error:
            path = re.match(r"[\w.\[\]]+", str(error))
            self.add(path.group() if path and path.group().startswith(field) else field, str(error))
            return None


def check_request(
    request: scene_service_pb2.SubmitJobRequest, model: scene_service_pb2.ModelInfo | None = None
) -> list[FieldViolation]:
    """All that is wrong with a request; an empty list if it can run.

    Args:
        request: untrusted.
        model: what is to run it, if that is known yet.
    """
    found = Violations()
    if request.request_id:
        try:
            uuid.UUID(request.request_id)
        except ValueError:
            found.add("request_id", f"request_id is {request.request_id[:50]!r}; it must be a UUID, or empty")
    task = request.WhichOneof("task")
    if task == "generate_scene":
        _check_generate_scene(request.generate_scene, found)
    elif task == "predict_occupancy":
        _check_predict_occupancy(request.predict_occupancy, found)
    else:
        found.add("task", "task is not set; it must be generate_scene or predict_occupancy")
    if model is not None and not found:
        _check_model(request, model, found)
    return found


def _check_model(
    request: scene_service_pb2.SubmitJobRequest, model: scene_service_pb2.ModelInfo, found: Violations
) -> None:
    """Checks what the model cannot do, in a request that is right in itself."""
    at = str(request.WhichOneof("task"))
    task: job_pb2.GenerateScene | job_pb2.PredictOccupancy = getattr(request, at)
    grid = task.grid if isinstance(task, job_pb2.GenerateScene) else task.blockout
    taxonomy = task.taxonomy or grid.taxonomy
    if taxonomy not in model.taxonomies:
        text = f"taxonomy is {taxonomy!r}; the model {model.name} knows {', '.join(model.taxonomies)}"
        found.add(f"{at}.taxonomy", text)
    for side in ("width", "height"):
        pixels = getattr(task.cameras[0], side)
        if pixels % model.image_multiple:
            text = f"{side} is {pixels}; the model {model.name} needs a multiple of {model.image_multiple} pixels"
            found.add(f"{at}.cameras[0].{side}", text)


def _check_generate_scene(task: job_pb2.GenerateScene, found: Violations) -> None:
    at = "generate_scene"
    cameras = _check_cameras(task.cameras, at, found)
    volume = _check_place(task, "grid", at, found)
    if volume is not None:
        _check_views(cameras, volume, at, found)
    for field in ("prompt", "negative_prompt"):
        length = len(getattr(task, field))
        if length > MAX_PROMPT_LENGTH:
            found.add(f"{at}.{field}", f"{field} has {length} characters; the limit is {MAX_PROMPT_LENGTH}")
    if task.HasField("steps") and not 1 <= task.steps <= MAX_STEPS:
        found.add(f"{at}.steps", f"steps is {task.steps}; it must be 1 to {MAX_STEPS}, or absent for the default")
    for field in ("text_guidance_scale", "occupancy_guidance_scale"):
        value = getattr(task, field)
        if not (math.isfinite(value) and 0.0 <= value <= MAX_GUIDANCE_SCALE):
            found.add(f"{at}.{field}", f"{field} is {value}; it must be 0 to {MAX_GUIDANCE_SCALE:g}")


def _check_predict_occupancy(task: job_pb2.PredictOccupancy, found: Violations) -> None:
    at = "predict_occupancy"
    cameras = _check_cameras(task.cameras, at, found)
    volume = _check_place(task, "blockout", at, found)
    if volume is not None:
        _check_views(cameras, volume, at, found)
    if len(task.images) != len(task.cameras):
        found.add(f"{at}.images", f"there are {len(task.images)} images for {len(task.cameras)} cameras; send one each")
    if len(task.images) > MAX_VIEWS:
        return  # told by the cameras or by the line above; nothing is decoded
    for index, (image, camera) in enumerate(zip(task.images, task.cameras, strict=False)):
        _check_image(image, camera, f"{at}.images[{index}]", found)


def _check_image(
    image: camera_pb2.EncodedImage, camera: camera_pb2.PinholeCamera, field: str, found: Violations
) -> None:
    if (image.width, image.height) != (camera.width, camera.height):
        text = f"{image.width} x {image.height} pixels; its camera has {camera.width} x {camera.height}"
        found.add(field, f"{field} has {text}")
    elif max(image.width, image.height) <= MAX_IMAGE_SIDE:  # else the camera is a violation already
        found.attempt(field, lambda: decode_image(image, field))


def _check_cameras(
    messages: Sequence[camera_pb2.PinholeCamera], at: str, found: Violations
) -> list[PinholeCamera | None]:
    field = f"{at}.cameras"
    if not 1 <= len(messages) <= MAX_VIEWS:
        found.add(field, f"there are {len(messages)} cameras; there must be 1 to {MAX_VIEWS}")
        return []
    cameras = []
    for index, message in enumerate(messages):
        path = f"{field}[{index}]"
        cameras.append(found.attempt(path, lambda m=message, p=path: camera_from_message(m, p)))  # type: ignore[misc]
        for side in ("width", "height"):
            if getattr(message, side) % IMAGE_SIDE_MULTIPLE:
                text = f"{side} is {getattr(message, side)}; it must be a multiple of {IMAGE_SIDE_MULTIPLE} pixels"
                found.add(f"{path}.{side}", text)
        if (message.width, message.height) != (messages[0].width, messages[0].height):
            sizes = f"{message.width} x {message.height}, the first camera {messages[0].width} x {messages[0].height}"
            found.add(path, f"it has {sizes} pixels; all views of a request have one size")
    names = [message.name for message in messages]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.add(field, f"the name {name[:50]!r} is used {names.count(name)} times; names must be unique")
    return cameras


def _check_place(
    task: job_pb2.GenerateScene | job_pb2.PredictOccupancy, grid_field: str, at: str, found: Violations
) -> GridVolume | None:
    """Checks the grid, or the volume and taxonomy that stand for it; returns where the scene lies if that is right."""
    if task.HasField(grid_field):
        message: grid_pb2.SemanticGrid = getattr(task, grid_field)
        path = f"{at}.{grid_field}"
        if task.HasField("volume"):
            found.add(f"{at}.volume", f"volume and {grid_field} are both given; leave volume away")
        if task.taxonomy not in ("", message.taxonomy):
            text = f"taxonomy is {task.taxonomy[:50]!r} but the {grid_field}'s is {message.taxonomy[:50]!r}"
            found.add(f"{at}.taxonomy", text)
        grid = found.attempt(path, lambda: _occupied_grid(message, path))
        return grid.volume if grid is not None else None
    taxonomy = found.attempt(f"{at}.taxonomy", lambda: taxonomy_named(task.taxonomy, f"{at}.taxonomy"))
    if task.HasField("volume"):
        return found.attempt(f"{at}.volume", lambda: volume_from_message(task.volume, f"{at}.volume"))
    return default_volume(taxonomy.name) if taxonomy else None


def _occupied_grid(message: grid_pb2.SemanticGrid, path: str) -> SemanticGrid:
    grid = grid_from_message(message, path)
    if not grid.labels.any():
        raise ValueError(f"{path}.labels is empty; put an object with a class into the volume, or send no grid")
    return grid


def _check_views(cameras: Sequence[PinholeCamera | None], volume: GridVolume, at: str, found: Violations) -> None:
    """Adds a violation for each camera that sees nothing of the volume."""
    lattice = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 17)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = transform_points(volume.world_from_grid, lattice * np.array(volume.shape) * volume.voxel_size)
    for index, camera in enumerate(cameras):
        if camera is None:
            continue
        pixels, depth = camera.project(points)
        inside = (pixels >= 0).all(axis=1) & (pixels <= (camera.width, camera.height)).all(axis=1)
        if not (inside & (depth > 0)).any():
            path = f"{at}.cameras[{index}]"
            found.add(path, f"{path} ({camera.name}) sees nothing of the volume; turn it towards the scene")

"""Checks of requests: every violation at once, each limit before the memory that it bounds is allocated."""

from __future__ import annotations

from collections.abc import Callable

from occscene.grid import GridVolume
from occscene.limits import MAX_TIMEOUT_SECONDS, MAX_VIEWS
from occscene.request_ids import canonical_request_id
from occscene.taxonomy import taxonomy_named
from occscene.v1 import job_pb2, scene_service_pb2
from occscene.volumes import default_volume

from occscene_server.api.layout_validation import check_composition, check_known, check_start
from occscene_server.api.quality_validation import check_quality
from occscene_server.api.scene_validation import check_cameras, check_grid, check_image, check_mesh, check_volume
from occscene_server.api.setting_validation import check_settings
from occscene_server.api.start_validation import check_start_views
from occscene_server.api.violations import FieldViolation, Violations
from occscene_server.api.visibility import sees_volume


def check_request(
    request: scene_service_pb2.SubmitJobRequest,
    model: scene_service_pb2.ModelInfo | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> list[FieldViolation]:
    """All that is wrong with a request; an empty list if it can run.

    Args:
        request: untrusted.
        model: what is to run it, that of its domain if there is one; None while that is not known.
        given_up: asked now and then; the check ends once it says so.

    Raises:
        GivenUpError: the check was given up.
    """
    violations = Violations(given_up)
    if request.request_id:
        violations.attempt("request_id", lambda: canonical_request_id(request.request_id))
    check_order(request, violations)
    at = request.WhichOneof("task")
    if at is None:
        violations.add("task", "task is not set; it must be generate_scene, predict_occupancy or compose_layout")
        return violations
    task: job_pb2.GenerateScene | job_pb2.PredictOccupancy | job_pb2.ComposeLayout = getattr(request, at)
    if isinstance(task, job_pb2.ComposeLayout):
        check_composition(task, model, at, violations)
        return violations
    _check_scene(task, model, at, violations)
    if isinstance(task, job_pb2.GenerateScene):
        check_settings(task, at, violations)
        check_start(task, model, at, violations)
        check_quality(task, model, at, violations)
        check_start_views(task, model, at, violations)
    else:
        _check_images(task, at, violations)
    return violations


def check_order(request: scene_service_pb2.SubmitJobRequest, violations: Violations) -> None:
    """Checks when a request wants to run: its priority and its timeout."""
    if request.priority not in job_pb2.JobPriority.values():
        known = f"0 to {max(job_pb2.JobPriority.values())}"
        violations.add("priority", f"priority is {request.priority}; it must be {known}")
    if request.HasField("timeout"):
        seconds = request.timeout.seconds + request.timeout.nanos / 1e9
        if not 0.0 < seconds <= MAX_TIMEOUT_SECONDS:
            text = f"timeout is {seconds:g} seconds; it must be above 0 and at most {MAX_TIMEOUT_SECONDS:,}, or absent"
            violations.add("timeout", text)


def _check_scene(
    task: job_pb2.GenerateScene | job_pb2.PredictOccupancy,
    model: scene_service_pb2.ModelInfo | None,
    at: str,
    violations: Violations,
) -> None:
    """Checks the cameras, the place, and that each camera sees something of it."""
    cameras = check_cameras(task.cameras, f"{at}.cameras", violations)
    volume = _check_place(task, model, at, violations)
    for index, camera in enumerate(cameras):
        if volume is not None and camera is not None and not sees_volume(camera, volume):
            text = f"camera {camera.name[:50]!r} sees nothing of the volume; turn it towards the scene or omit it"
            violations.add(f"{at}.cameras[{index}]", text)


def _check_place(
    task: job_pb2.GenerateScene | job_pb2.PredictOccupancy,
    model: scene_service_pb2.ModelInfo | None,
    at: str,
    violations: Violations,
) -> GridVolume | None:
    """Checks the grid, or the volume and taxonomy that stand for it; returns where the scene lies if that is right."""
    name = "grid" if isinstance(task, job_pb2.GenerateScene) else "blockout"
    if task.HasField(name):
        message = task.grid if isinstance(task, job_pb2.GenerateScene) else task.blockout
        if task.HasField("volume"):
            violations.add(f"{at}.volume", f"volume and {name} are both given; omit volume")
        if task.taxonomy not in ("", message.taxonomy):
            text = f"taxonomy is {task.taxonomy[:50]!r} but the {name}'s is {message.taxonomy[:50]!r}"
            violations.add(f"{at}.taxonomy", text)
        check_known(message.taxonomy, model, f"{at}.{name}.taxonomy", violations)
        volume = check_grid(message, f"{at}.{name}", violations)
        if isinstance(task, job_pb2.GenerateScene) and task.HasField("mesh"):
            check_mesh(task.mesh, message, volume, f"{at}.mesh", violations)
        return volume
    if isinstance(task, job_pb2.GenerateScene) and task.HasField("mesh"):
        violations.add(f"{at}.mesh", "mesh is given without a grid; send the grid that it belongs to, or omit mesh")
    path = f"{at}.taxonomy"
    taxonomy = violations.attempt(path, lambda: taxonomy_named(task.taxonomy, path))
    check_known(task.taxonomy, model, path, violations)
    if task.HasField("volume"):
        return check_volume(task.volume, f"{at}.volume", violations)
    return default_volume(taxonomy.name) if taxonomy else None


def _check_images(task: job_pb2.PredictOccupancy, at: str, violations: Violations) -> None:
    if len(task.images) != len(task.cameras):
        violations.add(
            f"{at}.images", f"there are {len(task.images)} images for {len(task.cameras)} cameras; send one each"
        )
    if len(task.images) > MAX_VIEWS:
        return  # reported above or by the cameras' check; nothing is decoded
    for index, (image, camera) in enumerate(zip(task.images, task.cameras, strict=False)):
        check_image(image, camera, f"{at}.images[{index}]", violations)

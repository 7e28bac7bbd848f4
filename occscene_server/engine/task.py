"""One job on a pipeline: a request message in, events with the results out."""

from __future__ import annotations

import inspect
import io
import time
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.codec import camera_from_message, grid_from_message, grid_to_message, volume_from_message
from occscene.field_errors import FieldError
from occscene.grid import GridVolume, SemanticGrid
from occscene.mesh_codec import mesh_from_message
from occscene.settings_codec import settings_from_message
from occscene.taxonomy import TAXONOMIES
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2
from occscene.volumes import default_volume
from PIL import Image, UnidentifiedImageError

from occscene_server.engine.interface import Emit
from occscene_server.engine.layout_task import composed_layout, layout_draft, layout_event
from occscene_server.geometry.connected_objects import with_connected_objects

if TYPE_CHECKING:  # it imports torch, which not every user of this module needs
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline

PREVIEW_SECONDS = 0.25
"""Least time between two rounds of previews."""

PREVIEW_COST_FACTOR = 10.0
"""Least time between two rounds of previews, in the time that a round takes: a slow device has few."""


class CancelledTaskError(Exception):
    """Raised out of the pipeline's step callback when the job was cancelled."""


def run_task(
    pipe: OccScenePipeline | ZeroShotPipeline,
    request: scene_service_pb2.SubmitJobRequest,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    priors: ScenePriors | None = None,
) -> None:
    """Runs a checked request; emits progress, previews, results, and last `succeeded` or `cancelled`.

    `cancelled` is asked before the model runs, after every denoising step, and before results are sent. An error of the
    pipeline is raised.
    """
    start = time.monotonic()
    try:
        emit(_progress(job_pb2.JOB_PHASE_PREPARING, 0, 1))
        if cancelled():
            raise CancelledTaskError
        if request.HasField("generate_scene"):
            _generate_scene(pipe, request.generate_scene, emit, cancelled, priors)
        elif request.HasField("compose_layout"):
            _compose_layout(priors, request.compose_layout, emit)
        else:
            _predict_occupancy(pipe, request.predict_occupancy, emit, cancelled)
    except CancelledTaskError:
        emit(job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
    else:
        emit(job_pb2.JobEvent(succeeded=job_pb2.JobSucceeded(seconds=time.monotonic() - start)))


def _generate_scene(
    pipe: OccScenePipeline | ZeroShotPipeline,
    task: job_pb2.GenerateScene,
    emit: Emit,
    cancelled: Callable[[], bool],
    priors: ScenePriors | None,
) -> None:
    cameras = [camera_from_message(message) for message in task.cameras]
    options: dict[str, Any] = {"seed": task.seed}
    grid = draft = None
    if task.HasField("grid"):
        grid = with_connected_objects(grid_from_message(task.grid))
        if task.HasField("mesh"):
            ids = [item.id for item in grid.objects]
            options["meshes"] = mesh_from_message(task.mesh, grid.volume, TAXONOMIES[grid.taxonomy], ids)
        if priors is not None and not task.without_prior:
            finer, mesh = priors.with_own_parts(grid, task.prompt, options.get("meshes"))
            options |= {"finer": finer, "meshes": mesh}
    else:
        draft, notes = layout_draft(priors, task, _volume(task), cameras)
        if draft is not None:
            options["drafts"] = [draft]
            emit(_progress(job_pb2.JOB_PHASE_COMPOSING, 1, 1))
    options |= {name: getattr(task, name) for name in _OF_THE_SUN if task.HasField(name)}
    kept = {item.view: item.image for item in task.start_views if item.keep}
    if task.quality == job_pb2.SCENE_QUALITY_DRAFT:
        output = pipe.draw_draft(task.prompt, cameras, grid, **options)
    else:
        watcher = _StepWatcher(cameras, task.previews, emit, cancelled, kept)
        options |= _sampling(task) | _start_options(task) | {"callback_on_step_end": watcher}
        output = pipe(task.prompt, cameras, grid, **options)
    if cancelled():
        raise CancelledTaskError
    emit(_progress(job_pb2.JOB_PHASE_ENCODING, 0, 1))
    if draft is not None:
        emit(layout_event(draft.placed, notes))
    for view, (camera, image) in enumerate(zip(cameras, output.images, strict=True)):
        encoded = kept.get(view) or encode_image(image, camera_pb2.IMAGE_FORMAT_PNG)
        emit(job_pb2.JobEvent(view=job_pb2.JobView(view=view, name=camera.name, image=encoded)))
    emit(_occupancy(output.grid, output.source))


_OF_THE_SUN = ("sun_elevation", "sun_azimuth")
"""Settings that drafts have, too."""

_OF_THE_TASK = frozenset({"prompt", "seed", "without_prior", "quality", *_OF_THE_SUN})
"""Settings that `_generate_scene` sees to itself."""

_PIPELINE_NAMES = {"steps": "num_inference_steps"}
"""What pipelines of diffusers call a setting, where that is not its own name."""


def _sampling(task: job_pb2.GenerateScene) -> dict[str, Any]:
    """How a scene of full quality is sampled, and where it lies if nothing else says it."""
    settings = settings_from_message(task).to_json()
    options = {
        _PIPELINE_NAMES.get(name, name): value
        for name, value in settings.items()
        if value is not None and name not in _OF_THE_TASK
    }
    if not task.HasField("grid"):
        options |= {"volume": _volume(task), "taxonomy": task.taxonomy}
    return options


def _start_options(task: job_pb2.GenerateScene) -> dict[str, Any]:
    """The views to begin at and those that stay, as the pipeline takes them."""
    images = {item.view: decode_image(item.image) for item in task.start_views}
    known = {item.view: images[item.view] for item in task.start_views if item.keep}
    options: dict[str, Any] = {"known": known} if known else {}
    if len(known) < len(images):
        options["start"] = np.stack([images[view] for view in range(len(task.cameras))])
    return options


def _predict_occupancy(
    pipe: OccScenePipeline | ZeroShotPipeline, task: job_pb2.PredictOccupancy, emit: Emit, cancelled: Callable[[], bool]
) -> None:
    cameras = [camera_from_message(message) for message in task.cameras]
    images = np.stack([decode_image(message) for message in task.images])
    options: dict[str, Any] = {}
    if task.HasField("blockout"):
        blockout = with_connected_objects(grid_from_message(task.blockout))
        options |= {"blockout": blockout, "taxonomy": blockout.taxonomy}
    else:
        options |= {"volume": _volume(task), "taxonomy": task.taxonomy}
    emit(_progress(job_pb2.JOB_PHASE_PREDICTING, 0, 1))
    grid = pipe.predict_occupancy(images, cameras, **options)
    if cancelled():
        raise CancelledTaskError
    emit(_progress(job_pb2.JOB_PHASE_PREDICTING, 1, 1))
    emit(_occupancy(grid, "views"))


def _compose_layout(priors: ScenePriors | None, task: job_pb2.ComposeLayout, emit: Emit) -> None:
    emit(_progress(job_pb2.JOB_PHASE_COMPOSING, 0, 1))
    event = composed_layout(priors, task, _volume(task))
    emit(_progress(job_pb2.JOB_PHASE_COMPOSING, 1, 1))
    emit(event)


def _volume(task: job_pb2.GenerateScene | job_pb2.PredictOccupancy | job_pb2.ComposeLayout) -> GridVolume:
    taxonomy = task.taxonomy or "indoor"
    return volume_from_message(task.volume) if task.HasField("volume") else default_volume(taxonomy)


class _StepWatcher:
    """The pipeline's step callback: reports progress, sends previews, and ends a cancelled job."""

    def __init__(
        self,
        cameras: Sequence[PinholeCamera],
        previews: bool,
        emit: Emit,
        cancelled: Callable[[], bool],
        kept: Container[int] = (),
    ) -> None:
        self._cameras = cameras
        self._kept = kept
        self._previews = previews
        self._emit = emit
        self._cancelled = cancelled
        self._next_preview = 0.0

    def __call__(self, pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if self._cancelled():
            raise CancelledTaskError
        event = _progress(job_pb2.JOB_PHASE_DENOISING, step + 1, pipe.num_timesteps)
        event.progress.drafting = getattr(pipe, "phase", "") == "drafting"
        self._emit(event)
        if self._previews and step + 1 < pipe.num_timesteps and time.monotonic() >= self._next_preview:
            begin = time.monotonic()
            self._send_previews(pipe.preview(tensors["denoised"]))
            cost = time.monotonic() - begin
            self._next_preview = begin + cost + max(PREVIEW_SECONDS, PREVIEW_COST_FACTOR * cost)
        return {}

    def _send_previews(self, images: NDArray[np.uint8]) -> None:
        for view, (camera, image) in enumerate(zip(self._cameras, images, strict=True)):
            if view in self._kept:
                continue
            encoded = encode_image(image, camera_pb2.IMAGE_FORMAT_JPEG)
            preview = job_pb2.JobPreview(view=view, name=camera.name, image=encoded)
            self._emit(job_pb2.JobEvent(preview=preview))


def pipeline_defaults(pipe: OccScenePipeline) -> dict[str, Any]:
    """The default of every option of the pipeline's own call, by name; the number of steps is the model's."""
    options = inspect.signature(pipe.__call__).parameters.items()
    return {key: parameter.default for key, parameter in options} | {"num_inference_steps": pipe.config.default_steps}


_BIT_DEPTH = 24  # where a PNG file says how many bits a channel has: in IHDR, its first chunk


def encode_image(image: NDArray[np.uint8], image_format: camera_pb2.ImageFormat) -> camera_pb2.EncodedImage:
    """The message of an image (H, W, 3) sRGB, as PNG or as JPEG of quality 85."""
    file = io.BytesIO()
    if image_format == camera_pb2.IMAGE_FORMAT_PNG:
        Image.fromarray(image).save(file, "PNG", compress_level=4)
    else:
        Image.fromarray(image).save(file, "JPEG", quality=85)
    height, width = image.shape[:2]
    return camera_pb2.EncodedImage(format=image_format, data=file.getvalue(), width=width, height=height)


def decode_image(message: camera_pb2.EncodedImage, field: str = "image") -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a PNG image, decoded only if its header agrees with the message's width and height.

    Raises:
        FieldError: not a PNG, another size than declared, more than 8 bits a channel, or damaged.
    """
    if message.format != camera_pb2.IMAGE_FORMAT_PNG:
        raise FieldError(f"{field}.format", f"is {message.format}; it must be PNG (1)")
    try:
        image = Image.open(io.BytesIO(message.data), formats=["PNG"])
        bits = message.data[_BIT_DEPTH]
        fits = image.size == (message.width, message.height)
        no_palette = image.mode == "P" and image.palette is None
        if fits and bits <= 8 and not no_palette:
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:  # whose text is an address in memory
        raise FieldError(f"{field}.data", "is not a PNG file") from None
    except Exception as error:  # Pillow's readers of chunks raise anything, IndexError too, on hostile files
        raise FieldError(f"{field}.data", f"is not a whole PNG file: {error}") from error
    if fits and no_palette:
        raise FieldError(f"{field}.data", "is not a whole PNG file: it has colors of a palette, but no palette")
    if fits:
        raise FieldError(f"{field}.data", f"has {bits} bits a channel; it must have 8: save it with 8 bits")
    raise FieldError(
        field,
        f"is declared as {message.width} x {message.height} pixels, but its file says {image.width} x {image.height}",
    )


def _occupancy(grid: SemanticGrid, source: str) -> job_pb2.JobEvent:
    message = grid_to_message(grid.without_instances())
    return job_pb2.JobEvent(occupancy=job_pb2.JobOccupancy(grid=message, source=f"OCCUPANCY_SOURCE_{source.upper()}"))


def _progress(phase: job_pb2.JobPhase, step: int, steps: int) -> job_pb2.JobEvent:
    return job_pb2.JobEvent(progress=job_pb2.JobProgress(phase=phase, step=step, steps=steps))

"""Running out of memory: what would have fitted."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from occscene.codec import camera_from_message, camera_to_message
from occscene.events import REASONS
from occscene.limits import MIN_IMAGE_SIDE
from occscene.v1 import camera_pb2, scene_service_pb2

from occscene_server.engine.task import encode_image, run_task
from occscene_server.models.device_memory import release_memory

if TYPE_CHECKING:  # it imports torch, which not every user of this module needs
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline

log = logging.getLogger(__name__)

_TRIAL_STEPS = 2  # the fewest in which the pipeline does everything once, the refinement of the occupancy too
_TRIAL_SECONDS = 30.0  # no further trial after so long: the client waits for its answer


class DeviceMemory:
    """The memory of the device that jobs run on; `device` is its name once it is known."""

    device = ""

    def now(self) -> tuple[int, int] | None:
        """Bytes that are used and bytes that there are: of a GPU by all programs, else of the machine by this process.

        None where the system does not say. A driver that hangs does not answer.
        """
        if self.device.startswith("cuda"):
            import torch

            free, total = torch.cuda.mem_get_info(self.device.split()[0])
            return total - free, total
        try:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None


def advice_on_memory(
    pipe: OccScenePipeline | ZeroShotPipeline,
    request: scene_service_pb2.SubmitJobRequest,
    cancelled: Callable[[], bool],
) -> str:
    """Names sizes at which a request that ran out of memory would have run, by trials of two steps."""
    if hasattr(pipe, "memory_advice"):  # it has tried fewer views at once already
        return str(pipe.memory_advice())
    if request.HasField("compose_layout"):
        return "End other programs on the server's machine, or send it again later."
    task = request.generate_scene if request.HasField("generate_scene") else request.predict_occupancy
    views, width, height = len(task.cameras), task.cameras[0].width, task.cameras[0].height
    deadline = time.monotonic() + _TRIAL_SECONDS

    def first_that_fits(sizes: Iterator[tuple[int, int, int]]) -> tuple[int, int, int] | None:
        for size in sizes:
            if cancelled() or time.monotonic() > deadline:
                return None
            if _fits(pipe, request, *size):
                return size
        return None

    fitting = []
    if fewer := first_that_fits((views >> n, width, height) for n in range(1, views.bit_length())):
        fitting.append(f"{fewer[0]} of the {views} views")
    if smaller := first_that_fits((views, *side) for side in _smaller_images(width, height)):
        fitting.append(f"all views at {smaller[1]} x {smaller[2]} instead of {width} x {height} pixels")
    if fitting:
        return f"It would fit with {', or with '.join(fitting)}."
    return REASONS["OUT_OF_MEMORY"].advice


def _smaller_images(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Halves, thirds ... of an image's sides."""
    seen = {(width, height)}
    for divisor in (1.5, 2, 3, 4, 6, 8):
        size = tuple(round(side / divisor) for side in (width, height))
        if min(size) >= MIN_IMAGE_SIDE and size not in seen:
            seen.add(size)  # type: ignore[arg-type]
            yield size[0], size[1]


def _fits(
    pipe: OccScenePipeline | ZeroShotPipeline,
    request: scene_service_pb2.SubmitJobRequest,
    views: int,
    width: int,
    height: int,
) -> bool:
    trial = scene_service_pb2.SubmitJobRequest()
    trial.CopyFrom(request)
    task = trial.generate_scene if trial.HasField("generate_scene") else trial.predict_occupancy
    cameras = [camera_from_message(camera).resized(width, height) for camera in task.cameras[:views]]
    del task.cameras[:]
    task.cameras.extend(map(camera_to_message, cameras))
    if trial.HasField("generate_scene"):
        trial.generate_scene.steps = _TRIAL_STEPS
    else:
        black = encode_image(np.zeros((height, width, 3), np.uint8), camera_pb2.IMAGE_FORMAT_PNG)
        del trial.predict_occupancy.images[:]
        trial.predict_occupancy.images.extend([black] * views)
    try:
        run_task(pipe, trial, lambda event: None)
    except Exception as error:
        log.info("%d views of %d x %d pixels do not fit either: %s", views, width, height, error)
        fits = False
    else:
        fits = True
    release_memory()
    return fits

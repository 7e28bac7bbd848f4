"""One small job before the first: what libraries load and choose at their first use is then done."""

from __future__ import annotations

import logging
import time

import numpy as np
from occscene.codec import camera_to_message, grid_to_message
from occscene.grid import GridObject, SemanticGrid
from occscene.rig import default_rig
from occscene.taxonomy import TAXONOMIES
from occscene.v1 import job_pb2, scene_service_pb2
from occscene.volumes import default_volume

from occscene_server.engine.pipeline_loader import LoadedPipeline
from occscene_server.engine.task import run_task
from occscene_server.models.device_memory import release_memory

log = logging.getLogger(__name__)

_STEPS = 2  # the fewest in which the pipeline does everything once


def warm_up(loaded: LoadedPipeline) -> None:
    """Runs a job whose result nobody sees; one that fails is logged, and the worker goes on."""
    begin = time.monotonic()
    try:
        run_task(loaded.pipe, small_request(loaded.model.taxonomies[0]), lambda event: None, priors=loaded.priors)
    except Exception:
        log.exception("the job that warms the model up failed; the first job may be slow, or fail as well")
        release_memory()
    else:
        log.info("the model was warmed up in %.1f s", time.monotonic() - begin)


def small_request(taxonomy: str) -> scene_service_pb2.SubmitJobRequest:
    """A floor, a wall and an object, seen by one camera."""
    volume = default_volume(taxonomy)
    labels = np.zeros(volume.shape, np.uint8)
    instances = np.zeros(volume.shape, np.uint16)
    x, y, z = (side // 4 for side in volume.shape)
    ground, wall, obj = 1, 2, len(TAXONOMIES[taxonomy]) // 2
    labels[:, :, 0], labels[:, -1, :] = ground, wall
    labels[x : 2 * x, y : 2 * y, 1:z], instances[x : 2 * x, y : 2 * y, 1:z] = obj, 1
    grid = SemanticGrid(
        labels, volume.voxel_size, volume.world_from_grid, taxonomy, instances, (GridObject(1, "object", prompt="red"),)
    )
    camera = default_rig(volume)[0]
    task = job_pb2.GenerateScene(
        grid=grid_to_message(grid), cameras=[camera_to_message(camera)], prompt="a red room", steps=_STEPS
    )
    return scene_service_pb2.SubmitJobRequest(generate_scene=task)

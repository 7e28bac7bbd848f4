"""The models of one worker: the one that it was started with, and those that requests of other domains have needed."""

from __future__ import annotations

import logging
import time

from occscene.client.abilities import model_for, required_taxonomy
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import is_device_lost
from occscene_server.engine.interface import Emit
from occscene_server.engine.model_info import unknown_domain
from occscene_server.engine.pipeline_loader import LoadedPipeline, OnDemand
from occscene_server.models.device_memory import is_out_of_memory, release_memory

log = logging.getLogger(__name__)


class ModelNotLoadedError(RuntimeError):
    """The model of a request's domain could not be loaded; it is tried again at the next one."""


class ServedModels:
    """Chooses the model of each request, and loads it first if need be: at most one for each domain.

    Args:
        first: what the worker was started with.
    """

    def __init__(self, first: LoadedPipeline) -> None:
        self.device = first.device
        self._loaded = [first]
        self._waiting = list(first.others)

    @property
    def models(self) -> list[scene_service_pb2.ModelInfo]:
        """The descriptions of all of them, loaded or not, the first one first."""
        return [each.model for each in self._loaded] + [each.model for each in self._waiting]

    def of(self, request: scene_service_pb2.SubmitJobRequest, emit: Emit) -> LoadedPipeline:
        """The model that runs a request; that it has to be loaded is told as progress.

        Raises:
            ValueError: none knows the request's domain.
            ModelNotLoadedError: the one that does cannot be loaded.
        """
        wanted = model_for(request, self.models)
        if wanted is None:
            raise ValueError(unknown_domain(required_taxonomy(request), self.models))
        for loaded in self._loaded:
            if loaded.model == wanted:
                return loaded
        (waiting,) = (each for each in self._waiting if each.model == wanted)
        emit(_loading(wanted.name, 0))
        loaded = _load(waiting)
        self._waiting.remove(waiting)
        self._loaded.append(loaded)
        emit(_loading(wanted.name, 1))
        return loaded


def _load(waiting: OnDemand) -> LoadedPipeline:
    begin = time.monotonic()
    try:
        loaded = waiting.load()
    except Exception as error:
        if is_device_lost(error):
            raise
        log.exception("the model %s could not be loaded", waiting.model.name)
        text = "there is too little memory for it" if is_out_of_memory(error) else str(error) or type(error).__name__
    else:
        log.info("the model %s was loaded in %.1f s", waiting.model.name, time.monotonic() - begin)
        return loaded
    release_memory()  # outside of `except`, whose frames hold the memory
    domain = " and ".join(waiting.model.taxonomies)
    raise ModelNotLoadedError(f"the model {waiting.model.name}, of the domain {domain}, could not be loaded: {text}")


def _loading(name: str, step: int) -> job_pb2.JobEvent:
    progress = job_pb2.JobProgress(phase=job_pb2.JOB_PHASE_LOADING, step=step, steps=1, model=name)
    return job_pb2.JobEvent(progress=progress)

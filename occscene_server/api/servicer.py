"""The methods of SceneService: requests checked, handed to the jobs, errors put into words."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from occscene import __version__, limits, tracing
from occscene.client.abilities import model_for
from occscene.request_ids import canonical_request_id
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.errors import abort, abort_invalid, retry_after
from occscene_server.api.tokens import Clients
from occscene_server.api.validation import check_request
from occscene_server.jobs.errors import (
    JobActiveError,
    JobNotFoundError,
    ModelNotLoadedError,
    QueueFullError,
    RequestIdUsedError,
    ShuttingDownError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
)
from occscene_server.jobs.service import JobService

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
_DEFAULT_LIST = 100
_MAX_LIST = 1000

_REFUSALS_AS_STATUS: dict[type[Exception], tuple[grpc.StatusCode, str, int]] = {
    JobNotFoundError: (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", 0),
    JobActiveError: (grpc.StatusCode.FAILED_PRECONDITION, "JOB_ACTIVE", 0),
    RequestIdUsedError: (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_USED", 0),
    QueueFullError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", 0),  # the error says when to try again
    StoreFullError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", 60),
    StoreDamagedError: (grpc.StatusCode.DATA_LOSS, "DATA_LOSS", 0),
    StoreError: (grpc.StatusCode.UNAVAILABLE, "STORE_FAILED", 60),
    ModelNotLoadedError: (grpc.StatusCode.UNAVAILABLE, "MODEL_NOT_LOADED", 30),
    ShuttingDownError: (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", 5),
}
"""Status code, reason, and the seconds after which a retry makes sense, by error."""

_REFUSALS: tuple[type[Exception], ...] = tuple(_REFUSALS_AS_STATUS)


class SceneServicer(scene_service_pb2_grpc.SceneServiceServicer):
    """SceneService over a JobService."""

    def __init__(self, jobs: JobService, clients: Clients) -> None:
        self._jobs = jobs
        self._caller = clients.caller
        # Two requests are unpacked at a time, whatever clients cancel: each takes a grid's and an image's memory.
        self.checks = ThreadPoolExecutor(2, "check-request")

    async def GetServerInfo(  # noqa: N802
        self, request: scene_service_pb2.GetServerInfoRequest, context: Context
    ) -> scene_service_pb2.GetServerInfoResponse:
        """What the server runs and accepts."""
        try:
            waiting, running = self._jobs.counts()
        except _REFUSALS as error:
            await _refuse(context, error)
        engine = self._jobs.engine_info()
        return scene_service_pb2.GetServerInfoResponse(
            version=__version__,
            state=engine.state,
            message=engine.message,
            device=engine.device,
            models=engine.models,
            limits=scene_service_pb2.ServerLimits(
                message_bytes=limits.MAX_MESSAGE_BYTES,
                grid_side=limits.MAX_GRID_SIDE,
                grid_voxels=limits.MAX_GRID_VOXELS,
                views=limits.MAX_VIEWS,
                image_side=limits.MAX_IMAGE_SIDE,
                steps=limits.MAX_STEPS,
                prompt_length=limits.MAX_PROMPT_LENGTH,
                mesh_triangles=limits.MAX_MESH_TRIANGLES,
                queued_jobs=self._jobs.max_queued,
                queued_jobs_each=self._jobs.max_queued_each,
            ),
            queue_length=waiting,
            running=running,
        )

    async def SubmitJob(  # noqa: N802
        self, request: scene_service_pb2.SubmitJobRequest, context: Context
    ) -> scene_service_pb2.SubmitJobResponse:
        """Checks, stores and queues a request."""
        request.request_id = _canonical(request.request_id)
        try:
            known = await self._jobs.repeated(request, self._caller(context))
        except _REFUSALS as error:
            await _refuse(context, error)
        if known is not None:
            return scene_service_pb2.SubmitJobResponse(job=known)
        engine = self._jobs.engine_info()
        if engine.state == scene_service_pb2.SERVER_STATE_FAILED:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "MODEL_NOT_LOADED", engine.message)
        model = model_for(request, engine.models) or next(iter(engine.models), None)
        loop = asyncio.get_running_loop()
        given_up = threading.Event()
        try:
            violations = await loop.run_in_executor(self.checks, check_request, request, model, given_up.is_set)
        finally:
            given_up.set()  # the client may have hung up, or the server stops
        if violations:
            del request  # the next one is sent as soon as the client gets this
            await abort_invalid(context, violations)
        carrier = {key: str(value) for key, value in context.invocation_metadata() or ()}
        try:
            with tracing.span("SubmitJob", carrier, "SERVER"):
                job = await self._jobs.submit(request, self._caller(context))
        except _REFUSALS as error:
            await _refuse(context, error)
        log.info("job %s: accepted, %d bytes", job.id, request.ByteSize(), extra={"job_id": job.id})
        return scene_service_pb2.SubmitJobResponse(job=job)

    async def WatchJob(  # noqa: N802
        self, request: scene_service_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[scene_service_pb2.WatchJobResponse]:
        """Replays and follows a job's events."""
        try:
            async for event in self._jobs.watch(request.job_id, request.after_sequence, self._caller(context)):
                yield scene_service_pb2.WatchJobResponse(event=event)
        except _REFUSALS as error:
            await _refuse(context, error)

    async def GetJob(  # noqa: N802
        self, request: scene_service_pb2.GetJobRequest, context: Context
    ) -> scene_service_pb2.GetJobResponse:
        """One job, and its request if it is asked for."""
        try:
            caller = self._caller(context)
            job = self._jobs.find(_canonical(request.request_id), caller) if request.request_id else None
            job = job or self._jobs.get(request.job_id or request.request_id, caller)
            response = scene_service_pb2.GetJobResponse(job=job)
            if request.with_request:
                response.request.MergeFromString(await self._jobs.request(job.id))
            return response
        except _REFUSALS as error:
            await _refuse(context, error)

    async def ListJobs(  # noqa: N802
        self, request: scene_service_pb2.ListJobsRequest, context: Context
    ) -> scene_service_pb2.ListJobsResponse:
        """The caller's jobs, newest first."""
        try:
            jobs = self._jobs.newest(min(request.limit or _DEFAULT_LIST, _MAX_LIST), self._caller(context))
        except _REFUSALS as error:
            await _refuse(context, error)
        return scene_service_pb2.ListJobsResponse(jobs=jobs)

    async def CancelJob(  # noqa: N802
        self, request: scene_service_pb2.CancelJobRequest, context: Context
    ) -> scene_service_pb2.CancelJobResponse:
        """Asks a job to end."""
        try:
            job = await self._jobs.cancel(request.job_id, self._caller(context))
            return scene_service_pb2.CancelJobResponse(job=job)
        except _REFUSALS as error:
            await _refuse(context, error)

    async def DeleteJob(  # noqa: N802
        self, request: scene_service_pb2.DeleteJobRequest, context: Context
    ) -> scene_service_pb2.DeleteJobResponse:
        """Deletes a job."""
        try:
            await self._jobs.delete(request.job_id, self._caller(context))
        except _REFUSALS as error:
            await _refuse(context, error)
        return scene_service_pb2.DeleteJobResponse()


def _canonical(request_id: str) -> str:
    """The id in its one form; as it is where it is none, which the check of the request reports."""
    try:
        return canonical_request_id(request_id)
    except ValueError:
        return request_id


async def _refuse(context: Context, error: Exception) -> NoReturn:
    code, reason, retry_seconds = _REFUSALS_AS_STATUS[type(error)]
    if isinstance(error, QueueFullError):
        retry_seconds = error.retry_seconds
    await abort(context, code, reason, str(error), *([retry_after(retry_seconds)] if retry_seconds else []))

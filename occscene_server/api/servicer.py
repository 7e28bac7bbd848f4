"""The methods of SceneService: requests checked, handed to the jobs, errors put into words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from occscene import __version__, limits
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.errors import abort, bad_request, retry_after
from occscene_server.api.validation import check_request
from occscene_server.engine.local import LocalEngine
from occscene_server.jobs.service import JobActiveError, JobNotFoundError, JobService, QueueFullError

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
_DEFAULT_LIST = 100
_MAX_LIST = 1000


class SceneServicer(scene_service_pb2_grpc.SceneServiceServicer):
    """SceneService over a JobService."""

    def __init__(self, jobs: JobService, engine: LocalEngine) -> None:
        self._jobs = jobs
        self._engine = engine
        self._checks = asyncio.Semaphore(2)  # requests unpacked at a time, each up to a grid's and its images' memory
        self.draining = False

    async def GetServerInfo(  # noqa: N802
        self, request: scene_service_pb2.GetServerInfoRequest, context: Context
    ) -> scene_service_pb2.GetServerInfoResponse:
        """What the server runs and accepts."""
        return scene_service_pb2.GetServerInfoResponse(
            version=__version__,
            state=self._engine.state,
            message=self._engine.message,
            device=self._engine.device,
            models=[self._engine.model] if self._engine.model else [],
            limits=scene_service_pb2.ServerLimits(
                message_bytes=limits.MAX_MESSAGE_BYTES,
                grid_side=limits.MAX_GRID_SIDE,
                grid_voxels=limits.MAX_GRID_VOXELS,
                views=limits.MAX_VIEWS,
                image_side=limits.MAX_IMAGE_SIDE,
                steps=limits.MAX_STEPS,
                prompt_length=limits.MAX_PROMPT_LENGTH,
                queued_jobs=self._jobs.max_queued,
            ),
            queue_length=self._jobs.queued,
            running=self._jobs.running,
        )

    async def SubmitJob(  # noqa: N802
        self, request: scene_service_pb2.SubmitJobRequest, context: Context
    ) -> scene_service_pb2.SubmitJobResponse:
        """Checks, stores and queues a request."""
        known = self._jobs.find(request.request_id)
        if known is not None:
            return scene_service_pb2.SubmitJobResponse(job=known)
        unavailable = grpc.StatusCode.UNAVAILABLE
        if self.draining:
            await abort(context, unavailable, "SHUTTING_DOWN", "the server is shutting down", retry_after(30))
        if self._engine.state == scene_service_pb2.SERVER_STATE_FAILED:
            await abort(context, unavailable, "MODEL_NOT_LOADED", self._engine.message)
        async with self._checks:
            violations = await asyncio.to_thread(check_request, request, self._engine.model)
        if violations:
            first = violations[0].description
            more = f" (and {len(violations) - 1} more, see the details)" if len(violations) > 1 else ""
            detail = bad_request(violations)
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", first + more, detail)
        try:
            job = self._jobs.submit(request)
        except QueueFullError as error:
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
            await abort(context, code, "QUEUE_FULL", f"{error}; try again later", retry_after(10))
        log.info("job %s: accepted, %d bytes", job.id, request.ByteSize())
        return scene_service_pb2.SubmitJobResponse(job=job)

    async def WatchJob(  # noqa: N802
        self, request: scene_service_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[scene_service_pb2.WatchJobResponse]:
        """Replays and follows a job's events."""
        try:
            async for event in self._jobs.watch(request.job_id, request.after_sequence):
                yield scene_service_pb2.WatchJobResponse(event=event)
        except JobNotFoundError as error:
            await _not_found(context, error)

    async def GetJob(  # noqa: N802
        self, request: scene_service_pb2.GetJobRequest, context: Context
    ) -> scene_service_pb2.GetJobResponse:
        """One job."""
        try:
            return scene_service_pb2.GetJobResponse(job=self._jobs.get(request.job_id))
        except JobNotFoundError as error:
            await _not_found(context, error)

    async def ListJobs(  # noqa: N802
        self, request: scene_service_pb2.ListJobsRequest, context: Context
    ) -> scene_service_pb2.ListJobsResponse:
        """The jobs, newest first."""
        return scene_service_pb2.ListJobsResponse(
            jobs=self._jobs.newest(min(request.limit or _DEFAULT_LIST, _MAX_LIST))
        )

    async def CancelJob(  # noqa: N802
        self, request: scene_service_pb2.CancelJobRequest, context: Context
    ) -> scene_service_pb2.CancelJobResponse:
        """Asks a job to end."""
        try:
            return scene_service_pb2.CancelJobResponse(job=self._jobs.cancel(request.job_id))
        except JobNotFoundError as error:
            await _not_found(context, error)

    async def DeleteJob(  # noqa: N802
        self, request: scene_service_pb2.DeleteJobRequest, context: Context
    ) -> scene_service_pb2.DeleteJobResponse:
        """Forgets a job."""
        try:
            self._jobs.delete(request.job_id)
        except JobNotFoundError as error:
            await _not_found(context, error)
        except JobActiveError as error:
            await abort(context, grpc.StatusCode.FAILED_PRECONDITION, "JOB_ACTIVE", str(error))
        return scene_service_pb2.DeleteJobResponse()


async def _not_found(context: Context, error: JobNotFoundError) -> NoReturn:
    await abort(context, grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", str(error))

"""Where the commands' tasks run: on a server, or in this process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.client import SceneClient, ServerError
from occscene_server.api.results import ProgressDisplay
from occscene_server.api.validation import check_request
from occscene_server.cli.console import connect
from occscene_server.engine.task import run_task
from occscene_server.weights import default_model

if TYPE_CHECKING:  # it imports torch, which a run on a server does not need
    from occscene_server.engine.pipeline_loader import LoadedPipeline

_LOADING_SECONDS = 120.0  # that a server may take to load its model

Server = Annotated[
    str | None, typer.Option(envvar="OCCSCENE_SERVER", help="host:port; runs in this process if absent.")
]
Model = Annotated[str | None, typer.Option(help="Model folder or hub id, without --server.")]
RequestId = Annotated[
    str | None,
    typer.Option(
        help="UUID of the job on a server; given again, it takes up that job instead of running another. Printed "
        "before it is sent.",
        show_default="a new one",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N, without --server.")]


class TaskRunner:
    """Runs requests on a server or in this process; used as a context manager.

    Args:
        server: host:port; None runs here.
        token_file, ca, identity: as of `connect`.
        model: folder or hub id, None for the bundled one; here alone.
        device: here alone.
    """

    def __init__(
        self,
        server: str | None,
        token_file: Path | None,
        ca: Path | None,
        identity: Path | None,
        model: str | None,
        device: str,
    ) -> None:
        self._server, self._token_file, self._ca, self._identity = server, token_file, ca, identity
        self._model, self._device = model, device
        self._client: SceneClient | None = None
        self._loaded: LoadedPipeline | None = None

    def __enter__(self) -> TaskRunner:
        if self._server is not None:
            self._client = connect(self._server, self._token_file, self._ca, self._identity)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._client is not None:
            self._client.__exit__()

    def has_layout_prior(self, display: ProgressDisplay) -> bool:
        """Whether layouts can be composed where the tasks run."""
        return any(model.layout_prior for model in self._models(display))

    def require_drafts(self, display: ProgressDisplay) -> None:
        """Raises a ServerError that says what to do where no drafts are drawn; old servers would do all instead."""
        models = self._models(display)
        if not any(model.drafts for model in models):
            names = ", ".join(model.name for model in models) or f"the server at {self._server}"
            raise ServerError(f"{names}: this model draws no drafts, it has no guided decoder; leave --quality away")

    def _models(self, display: ProgressDisplay) -> Sequence[scene_service_pb2.ModelInfo]:
        """The models where the tasks run; a server that still loads its own is waited for."""
        if self._client is None:
            return [self._load(display).model]
        display.describe("asking the server")
        give_up = time.monotonic() + _LOADING_SECONDS
        answer = self._client.info()
        while answer.state == scene_service_pb2.SERVER_STATE_LOADING and time.monotonic() < give_up:
            time.sleep(0.5)
            answer = self._client.info()
        return answer.models

    def require_layout_prior(self, display: ProgressDisplay) -> None:
        """Raises a ServerError that says what to do where no layouts can be composed."""
        if self.has_layout_prior(display):
            return
        where = f"the server at {self._server}" if self._client is not None else "the model"
        way_out = "update the server, or leave --server away" if self._client is not None else "leave --model away"
        raise ServerError(f"{where} has no layout prior, or is older than layouts are; {way_out}")

    def run(
        self, request: scene_service_pb2.SubmitJobRequest, display: ProgressDisplay, request_id: str | None = None
    ) -> None:
        """Runs a request and shows every event.

        Args:
            request: what to run.
            display: shows the events.
            request_id: of the job on a server, None for a new one.

        Raises:
            ValueError, ServerError: the request is wrong, or the server refused it.
        """
        if self._client is not None:
            self._run_on_server(self._client, request, display, request_id)
            return
        if request_id:
            raise ValueError(
                "--request-id is that of a job on a server, but there is no --server; give both or neither"
            )
        violations = check_request(request)
        if violations:
            raise ValueError("\n".join(violation.description for violation in violations))
        loaded = self._load(display)
        display.show(job_pb2.JobEvent(started=job_pb2.JobStarted(device=loaded.device)))
        run_task(loaded.pipe, request, display.show, priors=loaded.priors)

    def _run_on_server(
        self,
        client: SceneClient,
        request: scene_service_pb2.SubmitJobRequest,
        display: ProgressDisplay,
        request_id: str | None,
    ) -> None:
        request.request_id = _canonical(request_id) if request_id else str(uuid.uuid4())
        lasts = not request.HasField("compose_layout")  # a layout is there at once
        if lasts:  # with it the result can be had even if this process is killed now
            display.say(f"request {request.request_id}")
        job = client.submit(request)
        if request_id and client.request(job.id) != request:
            raise ValueError(f"--request-id {request_id} is that of job {job.id}, of which something else was asked")
        if lasts:
            display.say(f"job {job.id}; should this process die: occscene-server jobs fetch {job.id} --output DIR")
        try:
            for event in client.watch(job.id):
                display.show(event)
        except KeyboardInterrupt as error:
            client.cancel(job.id)
            raise ServerError("interrupted; the job on the server was cancelled") from error

    def _load(self, display: ProgressDisplay) -> LoadedPipeline:
        if self._loaded is None:
            from occscene_server.engine.pipeline_loader import load_pipeline  # torch: only where it is needed

            display.describe("loading the model")
            self._loaded = load_pipeline(self._model or str(default_model()), self._device)
        return self._loaded


def _canonical(request_id: str) -> str:
    try:
        return str(uuid.UUID(request_id))
    except ValueError as error:
        text = "must be a UUID, for example 123e4567-e89b-12d3-a456-426614174000"
        raise ValueError(f"--request-id is {request_id!r}; it {text}") from error

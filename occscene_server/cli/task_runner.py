"""Where the commands' tasks run: on a server, or in this process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from occscene.client.abilities import check_abilities, required_abilities, required_taxonomy
from occscene.client.client import SceneClient
from occscene.limits import MAX_TIMEOUT_SECONDS
from occscene.request_ids import canonical_request_id
from occscene.taxonomy import INDOOR
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.validation import check_request
from occscene_server.cli.connection import Connection
from occscene_server.cli.progress import ProgressDisplay
from occscene_server.engine.task import run_task
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.weights import bundled_models

if TYPE_CHECKING:  # it imports torch, which a run on a server does not need
    from occscene_server.engine.served_models import ServedModels

_LOADING_SECONDS = 120.0  # that a server may take to load its model

Model = Annotated[
    str | None,
    typer.Option(help="Model folder, hub id, Stable Diffusion checkpoint or preset, without --server."),
]
RequestId = Annotated[
    str | None,
    typer.Option(
        help="UUID of the job on a server; given again, it takes up that job instead of running another. Printed "
        "before it is sent.",
        show_default="a new one",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N, without --server.")]


Priority = Annotated[
    Literal["low", "normal", "high"],
    typer.Option(help="Which of your jobs that wait on the server goes first.", case_sensitive=False),
]
TimeoutSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        max=MAX_TIMEOUT_SECONDS,
        help="Fail if the job has not ended on the server so many seconds after it was accepted.",
    ),
]


_PRIORITIES = {"low": job_pb2.JOB_PRIORITY_LOW, "high": job_pb2.JOB_PRIORITY_HIGH}


@dataclass(frozen=True)
class Order:
    """How a job is to be taken by a server.

    Args:
        request_id: of a job that may be there already; None for a new one.
        priority: which of the client's jobs goes first.
        timeout: seconds after which it fails, None for never.
        detach: whether nobody waits for its result.
    """

    request_id: str | None = None
    priority: str = "normal"
    timeout: float | None = None
    detach: bool = False

    def fill(self, request: scene_service_pb2.SubmitJobRequest) -> None:
        """Writes it into a request."""
        request.request_id = canonical_request_id(self.request_id) if self.request_id else str(uuid.uuid4())
        if self.priority != "normal":
            request.priority = _PRIORITIES[self.priority]
        if self.timeout is not None:
            request.timeout.FromNanoseconds(round(self.timeout * 1e9))

    def options(self) -> list[str]:
        """The options of a command that say something else than the default."""
        given = {"--request-id": self.request_id, "--timeout-seconds": self.timeout, "--detach": self.detach}
        return [name for name, value in given.items() if value] + ["--priority"] * (self.priority != "normal")


class TaskRunner:
    """Runs requests on a server or in this process, and shows their progress; used as a context manager.

    Args:
        connection: to a server; without one, here.
        model: folder or hub id, None for the bundled one of each request's domain; here only.
        device: here only.
        options: of a checkpoint that is the model; here only.
    """

    def __init__(
        self,
        connection: Connection,
        model: str | None,
        device: str,
        options: CheckpointOptions | None = None,
    ) -> None:
        self.server = connection.server or ""
        self._connection = connection
        self._model, self._device, self._options = model, device, options
        self._display = ProgressDisplay()
        self._client: SceneClient | None = None
        self._served: ServedModels | None = None

    def __enter__(self) -> TaskRunner:
        if self.server:
            self._client = self._connection.open(self._display.wait)
            self._client.info()  # an unreachable server is reported at once, before anything is read or drawn
        return self

    def __exit__(self, *exception: object) -> None:
        if self._client is not None:
            self._client.close()

    def has(self, ability: str, taxonomy: str) -> bool:
        """Whether a domain's model has `layout_prior`, `parts_prior` or `drafts` where the tasks run."""
        return any(getattr(model, ability) for model in self._models() if taxonomy in model.taxonomies)

    def check(self, request: scene_service_pb2.SubmitJobRequest) -> None:
        """Checks whether a request can run where the tasks run.

        Raises:
            UnableError: no model can do it.
        """
        if required_abilities(request):
            check_abilities(request, self._models())

    def run(
        self,
        request: scene_service_pb2.SubmitJobRequest,
        take: Callable[[job_pb2.JobEvent], object],
        order: Order = Order(),
        accepted: Callable[[job_pb2.Job], object] = lambda job: None,
    ) -> None:
        """Runs a request to its success, or only submits it.

        Args:
            request: what to run.
            take: gets every event.
            order: how a server is to take the job.
            accepted: gets the server's job, once there is one.

        Raises:
            ValueError, SceneError: the request is wrong, the server refused it, or the job failed.
        """
        with self._display:
            if self._client is not None:
                self._run_on_server(self._client, request, take, order, accepted)
                return
            if options := order.options():
                raise ValueError(
                    f"{options[0]} is for a job on a server, but there is no --server; give both or neither"
                )
            violations = check_request(request)
            if violations:
                raise ValueError("\n".join(violation.description for violation in violations))

            def emit(event: job_pb2.JobEvent) -> None:
                self._display.show(event)
                take(event)

            served = self._load(required_taxonomy(request))
            emit(job_pb2.JobEvent(started=job_pb2.JobStarted(device=served.device)))
            loaded = served.of(request, emit)
            run_task(loaded.pipe, request, emit, priors=loaded.priors)

    def _run_on_server(
        self,
        client: SceneClient,
        request: scene_service_pb2.SubmitJobRequest,
        take: Callable[[job_pb2.JobEvent], object],
        order: Order,
        accepted: Callable[[job_pb2.Job], object],
    ) -> None:
        order.fill(request)
        lasts = not request.HasField("compose_layout")  # a layout is there at once
        if lasts:  # with it the result can be had even if this process is killed now
            self._display.say(f"request {request.request_id}")
        job = client.submit(request)
        accepted(job)
        fetch = f"occscene-server jobs fetch {job.id} --output DIR --server {self.server}"
        if order.detach:
            self._display.say(f"job {job.id}; it goes on without this process: {fetch}")
            return
        if lasts:
            self._display.say(f"job {job.id}; should this process die: {fetch}")
        try:
            for event in client.watch(job.id):
                self._display.show(event)
                take(event)
        except KeyboardInterrupt as error:
            client.cancel(job.id)
            raise KeyboardInterrupt("interrupted; the job on the server was cancelled") from error

    def _models(self) -> Sequence[scene_service_pb2.ModelInfo]:
        """The models where the tasks run; a server that still loads its own is waited for."""
        with self._display:
            if self._client is None:
                return self._load(INDOOR.name).models if self._model else self._bundled()
            self._display.describe("asking the server")
            give_up = time.monotonic() + _LOADING_SECONDS
            answer = self._client.info()
            while answer.state == scene_service_pb2.SERVER_STATE_LOADING and time.monotonic() < give_up:
                time.sleep(0.5)
                answer = self._client.info()
            return answer.models

    def _bundled(self) -> Sequence[scene_service_pb2.ModelInfo]:
        if self._served is not None:
            return self._served.models
        from occscene_server.engine.model_info import describe_bundled

        return [describe_bundled(folder) for folder in bundled_models().values()]

    def _load(self, taxonomy: str) -> ServedModels:
        """The models of this process, of which that of a domain is loaded first."""
        if self._served is None:
            from occscene_server.engine.pipeline_loader import load_pipeline  # torch: only where it is needed
            from occscene_server.engine.served_models import ServedModels

            self._display.describe("loading the model")
            chosen: dict[str, Any] = {} if taxonomy == INDOOR.name else {"taxonomy": taxonomy}
            if self._options not in (None, CheckpointOptions()):
                chosen["options"] = self._options
            self._served = ServedModels(load_pipeline(self._model or "", self._device, **chosen))
        return self._served

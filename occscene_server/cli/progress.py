"""A job's events as a progress bar and as files."""

from __future__ import annotations

from pathlib import Path

from occscene.client.errors import JobCancelledError, JobFailedError, SceneError
from occscene.codec import grid_from_message, volume_from_message
from occscene.grid import save_grid
from occscene.layout_codec import layout_from_message
from occscene.result_codec import result_folder, write_event
from occscene.results import ResultFolder
from occscene.v1 import job_pb2, scene_service_pb2
from occscene.volumes import default_volume
from rich.progress import BarColumn, MofNCompleteColumn

from occscene_server.geometry.layout_grid import placed_grid
from occscene_server.terminal import PlainTextColumn, Progress, one_line

_PHASES = {
    job_pb2.JOB_PHASE_PREPARING: "preparing",
    job_pb2.JOB_PHASE_DENOISING: "denoising",
    job_pb2.JOB_PHASE_PREDICTING: "predicting the occupancy",
    job_pb2.JOB_PHASE_ENCODING: "saving",
    job_pb2.JOB_PHASE_COMPOSING: "composing the layout",
}


class ProgressDisplay:
    """A progress bar that follows a job's events; used as a context manager, for one job after the other."""

    def __init__(self) -> None:
        self._progress = Progress(PlainTextColumn(), BarColumn(), MofNCompleteColumn(), transient=True)
        self._bar = self._progress.add_task("starting", total=None)
        self._waits_for = ""

    def __enter__(self) -> ProgressDisplay:
        self._progress.reset(self._bar, total=None, description="starting")
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        self._progress.console.print(one_line(text), soft_wrap=True)

    def describe(self, text: str) -> None:
        """Shows the current stage."""
        self._progress.update(self._bar, description=text)

    def wait(self, error: SceneError, seconds: float) -> None:
        """Says why it waits for the server; once for each reason."""
        if error.message != self._waits_for:
            self._waits_for = error.message
            self.say(f"  waiting: {error} It is asked again in {max(seconds, 1.0):.0f} s.")
        self.describe("waiting for the server")

    def show(self, event: job_pb2.JobEvent) -> None:
        """Shows one event.

        Raises:
            JobError: the job failed or was cancelled.
        """
        kind = event.WhichOneof("kind")
        if kind == "queued":
            self.describe(f"queued, {event.queued.position} before it")
        elif kind == "progress":
            step, steps = event.progress.step, event.progress.steps
            text = "drafting" if event.progress.drafting else _PHASES.get(event.progress.phase, "working")
            text = f"loading the model {event.progress.model}" if event.progress.model else text
            self._progress.update(self._bar, description=text, completed=step, total=steps)
        elif kind == "failed":
            raise JobFailedError(event.failed.failure)
        elif kind == "cancelled":
            raise JobCancelledError


class JobResult:
    """The results of a job, as a folder; a layout also as voxels, `blockout.npz`.

    Args:
        folder: made if it is not there.
        request: what was asked.
        server: that runs it; "" for this process.
    """

    def __init__(self, folder: Path, request: scene_service_pb2.SubmitJobRequest, server: str) -> None:
        self._path, self._request, self._server = folder, request, server
        self._job: job_pb2.Job | None = None
        self._folder: ResultFolder | None = None
        folder.mkdir(parents=True, exist_ok=True)  # before a job is sent whose result it could not take

    def accepted(self, job: job_pb2.Job) -> None:
        """Keeps the server's job."""
        self._job = job

    def take(self, event: job_pb2.JobEvent) -> None:
        """Writes what an event brings."""
        if self._folder is None:
            self._folder = result_folder(self._path, self._request, self._job, self._server)
        write_event(self._folder, event)
        if event.HasField("layout"):
            task = getattr(self._request, str(self._request.WhichOneof("task")))
            given = task.HasField("volume")
            volume = volume_from_message(task.volume) if given else default_volume(task.taxonomy or "indoor")
            self._folder.write_blockout(placed_grid(layout_from_message(event.layout.layout), volume))


def save_occupancy(path: Path, event: job_pb2.JobEvent) -> None:
    """Writes the grid of an occupancy event; other events are passed over."""
    if event.HasField("occupancy"):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_grid(path, grid_from_message(event.occupancy.grid))

"""A job's request and events as messages, to the folder of its result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from occscene.codec import camera_from_message, grid_from_message
from occscene.layout_codec import layout_from_message
from occscene.mesh_codec import mesh_from_message
from occscene.results import Origin, ResultFolder
from occscene.settings_codec import settings_from_message
from occscene.taxonomy import TAXONOMIES
from occscene.v1 import job_pb2, scene_service_pb2

_KINDS = {"predict_occupancy": "images", "compose_layout": "layout"}


def result_folder(
    folder: Path, request: scene_service_pb2.SubmitJobRequest, job: job_pb2.Job | None = None, server: str = ""
) -> ResultFolder:
    """The folder for what comes of a request, with what was sent.

    Args:
        folder: made if it is not there.
        request: checked.
        job: the server's; None where no server runs it.
        server: its address.

    Raises:
        OSError: the folder cannot be written.
    """
    task = getattr(request, str(request.WhichOneof("task")))
    cameras = [] if isinstance(task, job_pb2.ComposeLayout) else map(camera_from_message, task.cameras)
    writer = ResultFolder(folder, origin_of(request, job, server), [*cameras])
    if isinstance(task, job_pb2.GenerateScene) and task.HasField("grid"):
        grid, mesh = grid_from_message(task.grid), None
        if task.HasField("mesh"):
            ids = [item.id for item in grid.objects]
            mesh = mesh_from_message(task.mesh, grid.volume, TAXONOMIES[grid.taxonomy], ids)
        writer.write_blockout(grid, mesh)
    elif isinstance(task, job_pb2.PredictOccupancy) and task.HasField("blockout"):
        writer.write_blockout(grid_from_message(task.blockout))
    return writer


def origin_of(request: scene_service_pb2.SubmitJobRequest, job: job_pb2.Job | None = None, server: str = "") -> Origin:
    """How the result of a request comes to be; the arguments are those of `result_folder`."""
    at = str(request.WhichOneof("task"))
    task = getattr(request, at)
    return Origin(
        **settings_from_message(task).to_json(),
        kind=_KINDS.get(at) or ("blockout" if task.HasField("grid") else "text"),
        request_id=request.request_id if job is None else job.request_id,
        job_id="" if job is None else job.id,
        server=server,
        kept_views=_kept_views(task),
        created=(job.create_time.ToDatetime(UTC) if job else datetime.now(UTC)).isoformat(timespec="seconds"),
    )


def _kept_views(task: job_pb2.GenerateScene | job_pb2.PredictOccupancy | job_pb2.ComposeLayout) -> tuple[str, ...]:
    if not isinstance(task, job_pb2.GenerateScene):
        return ()
    return tuple(task.cameras[item.view].name for item in task.start_views if item.keep)


def write_event(folder: ResultFolder, event: job_pb2.JobEvent) -> str:
    """Writes what an event of the job brings, and `result.json` at its success.

    Returns:
        the file that was written, "" where the event brings none.

    Raises:
        ValueError: what came is outside the limits.
        OSError: it cannot be written.
    """
    kind = event.WhichOneof("kind")
    if kind == "started":
        folder.device = event.started.device
    elif kind == "view":
        return folder.write_view(event.view.view, event.view.image.data)
    elif kind == "occupancy":
        return folder.write_occupancy(grid_from_message(event.occupancy.grid), occupancy_source(event.occupancy))
    elif kind == "layout":
        return folder.write_layout(layout_from_message(event.layout.layout), event.layout.notes)
    elif kind == "succeeded":
        folder.finish(event.succeeded.seconds)
    return ""


def occupancy_source(occupancy: job_pb2.JobOccupancy) -> str:
    """One of `occscene.results.OCCUPANCY_SOURCES`; "" where the server did not say, or says what came later."""
    name = dict(job_pb2.OccupancySource.items())
    known = {number: key.removeprefix("OCCUPANCY_SOURCE_").lower() for key, number in name.items() if number}
    return known.get(occupancy.source, "")

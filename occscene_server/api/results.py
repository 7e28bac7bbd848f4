"""Events of a job turned into files and a progress bar."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from occscene.camera import save_cameras
from occscene.codec import camera_from_message, grid_from_message, volume_from_message
from occscene.grid import GridVolume, SemanticGrid, save_grid
from occscene.layout_codec import layout_from_message
from occscene.placed_layout import save_layout
from occscene.taxonomy import TAXONOMIES
from occscene.v1 import job_pb2
from occscene.volumes import default_volume
from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

from occscene_server.api.client import ServerError
from occscene_server.geometry.layout_grid import placed_grid
from occscene_server.terminal import PlainTextColumn, one_line, progress_bar

_PHASES = {
    job_pb2.JOB_PHASE_PREPARING: "preparing",
    job_pb2.JOB_PHASE_DENOISING: "denoising",
    job_pb2.JOB_PHASE_PREDICTING: "predicting the occupancy",
    job_pb2.JOB_PHASE_ENCODING: "saving",
    job_pb2.JOB_PHASE_COMPOSING: "composing the layout",
}


class ProgressDisplay:
    """A progress bar that follows a job's events and hands each one on; used as a context manager.

    Args:
        take: gets every event.
    """

    def __init__(self, take: Callable[[job_pb2.JobEvent], object]) -> None:
        self._take = take
        self._progress = progress_bar(
            PlainTextColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), transient=True
        )
        self._bar = self._progress.add_task("starting", total=None)

    def __enter__(self) -> ProgressDisplay:
        if self._progress.console.is_terminal:  # elsewhere a bar would be an empty line
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        self._progress.console.print(one_line(text), soft_wrap=True)

    def describe(self, text: str) -> None:
        """Says what goes on."""
        self._progress.update(self._bar, description=text)

    def show(self, event: job_pb2.JobEvent) -> None:
        """Shows and hands on one event.

        Raises:
            ServerError: the job failed or was cancelled.
        """
        kind = event.WhichOneof("kind")
        if kind == "queued":
            self.describe(f"queued, {event.queued.position} before it")
        elif kind == "progress":
            step, steps = event.progress.step, event.progress.steps
            text = _PHASES.get(event.progress.phase, "working")
            self._progress.update(self._bar, description=text, completed=step, total=steps)
        elif kind == "failed":
            raise ended_badly(event.failed.failure)
        elif kind == "cancelled":
            raise ended_badly(None)
        self._take(event)


def ended_badly(failure: job_pb2.JobFailure | None) -> ServerError:
    """Why there is no result: what failed, or None where the job was cancelled."""
    if failure is None:
        return ServerError("the job was cancelled")
    return ServerError(f"the job failed: {failure.message} {failure.advice}".rstrip())


class ResultFolder:
    """The folder that `generate` and `jobs fetch` leave: views, occupancy, the cameras, and last `result.json`.

    Args:
        folder: made where it is missing.
        task: what was asked.
    """

    def __init__(
        self, folder: Path, task: job_pb2.GenerateScene | job_pb2.PredictOccupancy | job_pb2.ComposeLayout
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        cameras = [] if isinstance(task, job_pb2.ComposeLayout) else task.cameras
        if cameras:
            save_cameras(folder / "cameras.json", [camera_from_message(camera) for camera in cameras])
        self._names = view_file_names([camera.name for camera in cameras])
        self._result: dict[str, Any] = {}
        if isinstance(task, job_pb2.GenerateScene):
            self._result = {
                "prompt": task.prompt,
                "negative_prompt": task.negative_prompt,
                "seed": task.seed,
                "steps": task.steps if task.HasField("steps") else None,
            }
        given = task.HasField("volume")
        self._volume = volume_from_message(task.volume) if given else default_volume(task.taxonomy or "indoor")
        self._views: dict[int, dict[str, str]] = {}  # by number: after a restart of the server they come again

    def take(self, event: job_pb2.JobEvent) -> None:
        """Writes what an event brings."""
        kind = event.WhichOneof("kind")
        if kind == "started":
            self._result["device"] = event.started.device
        elif kind == "view":
            name = self._names[event.view.view]
            (self._folder / name).write_bytes(event.view.image.data)
            self._views[event.view.view] = {"camera": event.view.name, "file": name}
        elif kind == "occupancy":
            grid = save_occupancy(self._folder / "occupancy.npz", event)
            if grid is not None:
                self._result["occupancy"] = {"file": "occupancy.npz"} | _describe(grid)
        elif kind == "layout":
            save_layout_event(self._folder, event.layout, self._volume)
            self._result["layout"] = {"file": "layout.json", "blockout": "blockout.npz", "notes": [*event.layout.notes]}
        elif kind == "succeeded":
            self._result["seconds"] = round(event.succeeded.seconds, 3)
            self._result["views"] = [self._views[view] for view in sorted(self._views)]
            text = json.dumps(self._result, indent=1, ensure_ascii=False) + "\n"
            (self._folder / "result.json").write_text(text, encoding="utf-8")


def save_layout_event(folder: Path, made: job_pb2.JobLayout, volume: GridVolume) -> None:
    """Writes a layout as `layout.json`, and its boxes in a volume as `blockout.npz`."""
    placed = layout_from_message(made.layout)
    save_layout(folder / "layout.json", placed, made.notes)
    save_grid(folder / "blockout.npz", placed_grid(placed, volume))


def save_occupancy(path: Path, event: job_pb2.JobEvent) -> SemanticGrid | None:
    """Writes the grid of an occupancy event; other events are passed over."""
    if not event.HasField("occupancy"):
        return None
    grid = grid_from_message(event.occupancy.grid)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_grid(path, grid)
    return grid


def view_file_names(cameras: list[str]) -> list[str]:
    """`view_<name>.png` for each camera, with what no file name may hold replaced, and no name used twice."""
    names: list[str] = []
    for camera in cameras:
        stem = "view_" + re.sub(r"[^\w.\- ]", "_", camera)
        candidates = (
            f"{stem}{suffix}.png" for suffix in ("", *(f"_{number}" for number in range(2, len(cameras) + 2)))
        )
        names.append(next(name for name in candidates if name not in names))
    return names


def _describe(grid: SemanticGrid) -> dict[str, Any]:
    """The grid's size and how many voxels each class has."""
    labels, counts = np.unique(grid.labels, return_counts=True)
    classes = TAXONOMIES[grid.taxonomy].classes
    names = [classes[label].name if label < len(classes) else "unknown" for label in labels]
    return {
        "taxonomy": grid.taxonomy,
        "shape": list(grid.shape),
        "voxel_size": grid.voxel_size,
        "voxels": {name: int(count) for name, count in zip(names, counts, strict=True)},
    }

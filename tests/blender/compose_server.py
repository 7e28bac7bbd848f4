"""A server that composes layouts by a plain rule: `python compose_server.py PORT_FILE`, until its input closes.

Furnish adds a lamp and a rug along one wall, and answers words that it does not know with a note; redraw moves an
object by half a metre and turns it; parts are four legs and a seat. What is given stays. "until FILE" waits until
that file is there; with --without-priors its model has none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent import futures
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import occscene
from occscene.codec import grid_to_message, volume_from_message
from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.placed_layout import PlacedLayout, room_pose
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2, scene_service_pb2_grpc
from occscene.volumes import default_volume

from tests.patience import wait_until

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
"""A PNG of one pixel."""

ROOM = Layout(
    "indoor",
    LayoutRoom((3.6, 3.2, 2.5), "green", "brown"),
    (
        LayoutObject("sofa", "sofa", (0.3, 1.1, 0.4), (1.9, 0.9, 0.8), 0.0, "red", (0.5, 0.02, 0.03)),
        LayoutObject("coffee table", "table", (0.3, 0.0, 0.22), (1.0, 0.6, 0.44), 0.4, "oak", (0.3, 0.2, 0.1)),
        LayoutObject("chair", "chair", (-1.1, -0.7, 0.45), (0.5, 0.5, 0.9), 2.5),
        LayoutObject("chair", "chair", (-1.1, 0.4, 0.45), (0.5, 0.5, 0.9), -1.0),
        LayoutObject("window", "window", (0.0, 1.64, 1.4), (1.2, 0.12, 1.1), 0.0),
        LayoutObject("picture", "objs", (1.78, -0.4, 1.5), (0.6, 0.03, 0.5), np.pi / 2),
    ),
)
"""What text to scene and an empty room become."""


def composed(task: job_pb2.ComposeLayout) -> tuple[PlacedLayout, list[str]]:
    """The layout of a task, and notes."""
    volume = volume_from_message(task.volume) if task.HasField("volume") else default_volume("indoor")
    notes = ["“piano”: drawn as a sideboard."] if "piano" in task.prompt else []
    given = layout_from_message(task.layout)
    if not given.layout.objects:
        return PlacedLayout(ROOM, room_pose(volume)), notes
    objects = list(given.layout.objects)
    for index in task.redraw:
        x, y, z = objects[index].center
        width, depth, height = objects[index].size
        tall = height + 0.3
        objects[index] = replace(
            objects[index],
            center=(x - 0.5, y + 0.25, z + 0.15),
            size=(width * 1.5, depth, tall),
            turn=objects[index].turn + 0.75,
            color=(0.1, 0.2, 0.6),
        )
        for follower in (place for place, obj in enumerate(objects) if obj.name == "trunk"):
            x, y, z = objects[follower].center
            objects[follower] = replace(objects[follower], center=(x - 0.5, y + 0.25, z))
    if task.furnish:
        objects.append(LayoutObject("lamp", "objs", (1.5, -1.25, 0.75), (0.4, 0.4, 1.5), 0.2, "white", (0.9, 0.9, 0.9)))
        objects.append(LayoutObject("rug", "floor", (0.0, 0.0, 0.01), (2.0, 1.4, 0.02), 0.0, "blue", (0.1, 0.1, 0.5)))
    if task.with_parts:
        objects = [replace(obj, parts=_parts(obj)) for obj in objects]
    room = LayoutRoom((3.8, 3.4, 2.6)) if given.layout.room is None else given.layout.room
    return PlacedLayout(replace(given.layout, room=room, objects=tuple(objects)), given.world_from_layout), notes


def _parts(obj: LayoutObject) -> tuple[LayoutPart, ...]:
    """Four legs and a seat; none for what is flat."""
    width, depth, height = obj.size
    if height < 0.1:
        return ()
    seat = LayoutPart("cushion", (0.0, 0.0, height / 4), (width, depth, height / 2), material="fabric", role=0)
    places = [(x * (width / 2 - 0.03), y * (depth / 2 - 0.03), -height / 4) for x in (-1, 1) for y in (-1, 1)]
    legs = [LayoutPart("rod", place, (0.05, 0.05, height / 2), material="wood", role=1) for place in places]
    return (seat, *legs)


class Composer(scene_service_pb2_grpc.SceneServiceServicer):
    """Runs each job while it is watched."""

    def __init__(self, has_priors: bool) -> None:
        self._requests: dict[str, scene_service_pb2.SubmitJobRequest] = {}
        self._has_priors = has_priors

    def GetServerInfo(self, _request: Any, _context: Any) -> scene_service_pb2.GetServerInfoResponse:  # noqa: N802
        """Ready, with one model."""
        model = scene_service_pb2.ModelInfo(
            name="composer",
            taxonomies=["indoor"],
            layout_prior=self._has_priors,
            parts_prior=self._has_priors,
            drafts=self._has_priors,
        )
        return scene_service_pb2.GetServerInfoResponse(
            version=occscene.__version__, state=scene_service_pb2.SERVER_STATE_READY, device="cpu", models=[model]
        )

    def SubmitJob(self, request: scene_service_pb2.SubmitJobRequest, _context: Any) -> Any:  # noqa: N802
        """Accepts it."""
        self._requests[request.request_id] = request
        return scene_service_pb2.SubmitJobResponse(job=job_pb2.Job(id=request.request_id))

    def WatchJob(self, request: scene_service_pb2.WatchJobRequest, _context: Any) -> Iterator[Any]:  # noqa: N802
        """All events after a number."""
        for sequence, event in enumerate(self._events(self._requests[request.job_id]), 1):
            event.sequence = sequence
            if sequence > request.after_sequence:
                yield scene_service_pb2.WatchJobResponse(event=event)

    def _events(self, request: scene_service_pb2.SubmitJobRequest) -> Iterator[job_pb2.JobEvent]:
        yield job_pb2.JobEvent(started=job_pb2.JobStarted(device="cpu"))
        if request.HasField("compose_layout"):
            if "until" in request.compose_layout.prompt:
                file = Path(request.compose_layout.prompt.split("until ")[1])
                wait_until(file.exists)
            placed, notes = composed(request.compose_layout)
            yield job_pb2.JobEvent(layout=job_pb2.JobLayout(layout=layout_to_message(placed), notes=notes))
        else:
            yield from self._scene(request.generate_scene)
        yield job_pb2.JobEvent(succeeded=job_pb2.JobSucceeded(seconds=0.5))

    def _scene(self, task: job_pb2.GenerateScene) -> Iterator[job_pb2.JobEvent]:
        if task.quality != job_pb2.SCENE_QUALITY_DRAFT:
            steps = task.steps or 8
            yield job_pb2.JobEvent(
                progress=job_pb2.JobProgress(phase=job_pb2.JOB_PHASE_DENOISING, step=steps, steps=steps)
            )
        volume = volume_from_message(task.volume)
        placed = PlacedLayout(ROOM, room_pose(volume))
        if not task.without_prior:
            yield job_pb2.JobEvent(layout=job_pb2.JobLayout(layout=layout_to_message(placed), notes=[]))
        for view, camera in enumerate(task.cameras):
            image = camera_pb2.EncodedImage(format=camera_pb2.IMAGE_FORMAT_PNG, data=PIXEL, width=1, height=1)
            yield job_pb2.JobEvent(view=job_pb2.JobView(view=view, name=camera.name, image=image))
        grid = SemanticGrid(np.ones(volume.shape, np.uint8), volume.voxel_size, volume.world_from_grid, "indoor")
        yield job_pb2.JobEvent(occupancy=job_pb2.JobOccupancy(grid=grid_to_message(grid)))


def main(port_file: Path, has_priors: bool) -> None:
    """Serves, and writes the port once it listens."""
    server = grpc.server(futures.ThreadPoolExecutor(8))
    scene_service_pb2_grpc.add_SceneServiceServicer_to_server(Composer(has_priors), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    port_file.write_text(str(port), encoding="utf-8")
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--without-priors" not in sys.argv)

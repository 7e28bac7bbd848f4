"""Drafts of a scene that changes: the newest state is drawn, one draft at a time, and the server keeps none.

The meshes that Blender has sent are kept here, so that it sends only those that have changed. Voxelising and packing
happen in this process too: Blender's own has no time for them while its user moves something.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from occscene.camera import PinholeCamera
from occscene.client.abilities import check_abilities
from occscene.client.client import SceneClient
from occscene.client.errors import ConnectionLostError, JobNotFoundError, RefusedError, SceneError, StoppedError
from occscene.client.waiting import Patience
from occscene.codec import camera_to_message, grid_to_message
from occscene.events import advice_on
from occscene.grid import GridVolume, SemanticGrid, occupied
from occscene.mesh_codec import mesh_to_message
from occscene.settings import Settings
from occscene.settings_codec import fill_message
from occscene.taxonomy import TAXONOMIES
from occscene.v1 import job_pb2, mesh_pb2, scene_service_pb2

from ..geometry.gathered import GatheredObject, slot_classes, transformed, triangle_objects
from ..geometry.raw_mesh import Ints, RawMesh
from ..geometry.standing import standing_cameras
from ..geometry.triangle_mesh import triangle_mesh
from ..geometry.voxelization.scanlines import Floats
from ..geometry.voxelization.voxelize import Fill, TriangleObject, voxelize
from .cameras_head import cameras_from_head
from .grid_body import volume_from_head
from .meshes_body import meshes_from_message
from .messages import Message
from .remote_job import CommandError, open_client

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds between tries while no server is there, or none that can draw."""


class Send(Protocol):
    """Sends an event that answers a command."""

    def __call__(self, request: Message, head: dict[str, Any], body: bytes = b"") -> None:
        """The command, the event's fields and its body."""


class Drafts:
    """Draws the newest scene that it was given.

    Args:
        send: gets the events of the `draft` commands.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._newest: Message | None = None
        self._client: SceneClient | None = None  # of the draft that is being drawn
        self._meshes: dict[str, RawMesh] = {}
        self._triangles: dict[str, tuple[Floats, Ints]] = {}
        self._left: list[str] = []  # jobs that could not be deleted yet
        self._pause = _FIRST_PAUSE
        self._thread: threading.Thread | None = None

    def take(self, request: Message) -> None:
        """Takes a `draft` command, in place of the one before it, which ends as overtaken.

        Raises:
            CommandError: it refers to meshes that are not here: this process has taken the place of one that died.
        """
        meshes = self._meshes | meshes_from_message(request.head["meshes"], request.body)
        used = {piece[0] for row in request.head["objects"] for piece in row["pieces"]}
        if not used <= meshes.keys():
            raise CommandError("MESHES_MISSING", "The bridge was restarted.", "All is sent again.")
        with self._changed:
            for key, *_ in request.head["meshes"]:
                self._triangles.pop(key, None)
            self._meshes = {key: meshes[key] for key in used}
            self._triangles = {key: known for key, known in self._triangles.items() if key in used}
            self._replace(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Ends what is being drawn."""
        with self._changed:
            self._replace(None)

    def _replace(self, request: Message | None) -> None:
        older, self._newest = self._newest, request
        if older is not None:
            self._send(older, {"event": "overtaken"})
        if self._client is not None:
            self._client.stop()
        self._pause = _FIRST_PAUSE
        self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._newest is None:
                    self._changed.wait()
                request = self._newest
            is_done = self._attempt(request)
            with self._changed:
                if self._newest is request and is_done:
                    self._newest = None
                elif self._newest is request:
                    self._changed.wait(self._pause)
                    self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _attempt(self, request: Message) -> bool:
        """Draws a scene; whether that is done, or makes no sense to try again."""
        try:
            self._draw(request, self._submission(request))
            self._delete_left(request.head["server"])
        except StoppedError:
            self._delete_left(request.head["server"])
            return False  # a newer one is there
        except SceneError as error:
            may_come = isinstance(error, (ConnectionLostError, JobNotFoundError)) or error.retry_after is not None
            advice = error.advice if isinstance(error, RefusedError) or not may_come else ""
            self._tell(request, "reconnecting" if may_come else "error", error.reason, error.message, advice)
            return not may_come
        except CommandError as error:
            self._tell(request, "error", error.reason, error.message, error.advice)
        except Exception as error:
            self._tell(request, "error", "BRIDGE_ERROR", f"{type(error).__name__}: {error}", "")
        return True

    def _tell(self, request: Message, event: str, reason: str, message: str, advice: str) -> None:
        self._answer(request, {"event": event, "reason": reason, "message": message, "advice": advice})

    def _answer(self, request: Message, head: dict[str, Any], body: bytes = b"") -> None:
        """Sends an event of a command that has not been overtaken."""
        with self._changed:
            if self._newest is request:
                self._send(request, head, body)

    def _draw(self, request: Message, submission: scene_service_pb2.SubmitJobRequest) -> None:
        """Has a draft drawn and sends it; its job is gone afterwards, or is forgotten by the server itself.

        Raises:
            SceneError: it could not be drawn; StoppedError where a newer scene came.
        """
        with open_client(request.head["server"], Patience(0.0)) as client:
            with self._changed:
                self._go_on(request)
                self._client = client
            try:
                check_abilities(submission, client.info().models)
                self._left.append(client.submit(submission).id)
                self._follow(request, client, self._left[-1])
            finally:
                with self._changed:
                    self._client = None

    def _go_on(self, request: Message) -> None:
        if self._newest is not request:
            raise StoppedError("a newer scene has come")

    def _follow(self, request: Message, client: SceneClient, job_id: str) -> None:
        for event in client.watch(job_id):
            kind = event.WhichOneof("kind")
            if kind == "queued":
                self._answer(request, {"event": "queued", "position": event.queued.position})
            elif kind == "view":
                self._answer(request, {"event": "draft"}, event.view.image.data)
            elif kind == "failed":
                failure = event.failed.failure
                self._tell(
                    request, "error", failure.reason, failure.message, failure.advice or advice_on(failure.reason)
                )

    def _delete_left(self, server: dict[str, Any]) -> None:
        """Ends and deletes the jobs of drafts; those that still run are forgotten by the server, or deleted later."""
        left, self._left = self._left, []
        with open_client(server, Patience(0.0)) as client:
            for job_id in left:
                try:
                    if client.cancel(job_id).state not in (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING):
                        client.delete(job_id)
                        continue
                except JobNotFoundError:
                    continue
                except SceneError:
                    pass
                self._left.append(job_id)

    def _submission(self, request: Message) -> scene_service_pb2.SubmitJobRequest:
        head = request.head
        (camera,) = cameras_from_head([head["camera"]])
        objects = self._objects(head)
        if not objects:
            raise CommandError("NOTHING_SENT", "No visible object has a class.", "Press Guess by Name.")
        volume = volume_from_head(head["volume"])
        with ThreadPoolExecutor(1) as beside:  # numpy lets two cores work
            packed = beside.submit(_packed_mesh, objects, volume) if head["send_geometry"] else None
            grid = voxelize(objects, volume, TAXONOMIES[head["taxonomy"]])
            _check(grid, camera)
        self._go_on(request)
        task = job_pb2.GenerateScene(grid=grid_to_message(grid), cameras=[camera_to_message(camera)])
        if packed is not None and (mesh := packed.result()) is not None:
            task.mesh.CopyFrom(mesh)
        fill_message(Settings.from_json(head["settings"]), task)
        return scene_service_pb2.SubmitJobRequest(
            request_id=str(uuid.uuid4()), generate_scene=task, priority=job_pb2.JOB_PRIORITY_HIGH, ephemeral=True
        )

    def _objects(self, head: dict[str, Any]) -> list[TriangleObject]:
        """The scene's objects, of one class each."""
        gathered = []
        for row in head["objects"]:
            hint = None if row["hint"] is None else tuple(row["hint"])
            item = GatheredObject(row["name"], row["prompt"], hint, Fill[row["fill"]], row["overlap"])
            for key, matrix, labels in row["pieces"]:
                triangles, slots = self._local(key)
                item.triangles.append(transformed(triangles, np.array(matrix).reshape(4, 4)))
                item.classes.append(slot_classes(labels, slots))
            gathered.append(item)
        parts = triangle_objects(gathered, TAXONOMIES[head["taxonomy"]], head["volume"]["voxel_size"])
        return [item for own in parts for item in own]

    def _local(self, key: str) -> tuple[Floats, Ints]:
        with self._changed:
            if key not in self._meshes:
                raise StoppedError("a newer scene has come, which has it no longer")
            if key not in self._triangles:
                self._triangles[key] = self._meshes[key].triangles()
            return self._triangles[key]


def _packed_mesh(objects: Sequence[TriangleObject], volume: GridVolume) -> mesh_pb2.TriangleMesh | None:
    """The message of the objects' triangles; None where there are none, or too many."""
    mesh = triangle_mesh(objects, volume)
    return mesh_to_message(mesh, volume) if len(mesh.triangles) and not mesh.is_too_large else None


def _check(grid: SemanticGrid, camera: PinholeCamera) -> None:
    """Refuses scenes of which a draft would show nothing."""
    if not occupied(grid.labels).any():
        text = "The volume holds nothing of the tagged objects."
        raise CommandError("NOTHING_SENT", text, "Press Fit to Scene in the Volume panel.")
    for standing in standing_cameras(grid, [camera]):
        if standing.is_buried:
            text = f"The camera stands in {standing.object_name!r}."
            raise CommandError("CAMERA_BURIED", text, "Move it out, or set the object's Fill to Surface.")

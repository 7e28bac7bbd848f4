"""Jobs on the server as Blender follows them: sent, watched, cancelled, and resumed.

The records here outlive what undo, file loads and the deletion of scenes do to Blender's own data; `events.show`
writes them into results. See `journal` for what outlives Blender itself.

What is followed is state of this session: the bridge's commands and the records. What should be followed is in the
results and the journal. The two are compared whenever a session begins (the extension is registered, a file is loaded)
and after undo and redo: whatever is listed as unfinished and has no record here is followed again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import bpy
from occscene.grid import GridVolume, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.placed_layout import PlacedLayout, placed_to_json

from ..bridge.cameras_head import cameras_head
from ..bridge.grid_body import grid_body, grid_head, volume_head
from ..bridge.link import BridgeError
from ..bridge.mesh_body import mesh_body, mesh_head
from ..bridge.messages import Message
from ..bridge.result_folder import check_room, not_written
from ..properties.results import UNFINISHED
from ..scene.overlay import show_overlay
from . import events, journal, session
from .connection import ConnectionSettings, connection_settings
from .connection_check import forget_check
from .request import Request


@dataclass(frozen=True)
class StartImage:
    """A view that is there before a scene is generated.

    Args:
        view: its place among the request's views.
        png: the file.
        is_kept: whether the view stays as it is; else it is what denoising begins at.
    """

    view: int
    png: bytes
    is_kept: bool = False


@dataclass(frozen=True)
class Task:
    """The inputs of a request.

    Args:
        grid: the blockout, or None; then `volume` and `taxonomy` say what is to be filled.
        volume: None if there is a grid.
        taxonomy: "" if there is a grid.
        images: PNG files, one for each camera, for images to occupancy only.
        mesh: the triangles of what `grid` holds, for blockout to scene only.
        start: the views that a scene begins at, and those that stay.
        layout: that text to scene begins from; None leaves it to the server.
    """

    grid: SemanticGrid | None
    volume: GridVolume | None = None
    taxonomy: str = ""
    images: Sequence[bytes] = ()
    mesh: TriangleMesh | None = None
    start: Sequence[StartImage] = ()
    layout: PlacedLayout | None = None


_UNREACHED = frozenset({"NO_SERVER", "NO_ANSWER"})
"""Reasons after which the last test of the server says nothing any more."""

_records: dict[str, events.Record] = {}
"""The open file's jobs of this session by request id."""


def is_interactive() -> bool:
    """Whether a timer follows the jobs and an artist can reconnect to them; else scripts wait for theirs."""
    return not bpy.app.background


def submit(scene: bpy.types.Scene, request: Request, task: Task, server: str) -> events.Record:
    """Sends a request to the server and lists it in the scene's results.

    Raises:
        ValueError: the server's address or the results' folder cannot be used.
        OSError: the journal cannot be written.
        BridgeError: the bridge cannot be started.
    """
    check_room(request.directory, _size_of_results(request, task))
    connection = connection_settings(server)
    record = events.Record(request, connection.address, scene.session_uid)
    record.denoising_steps = request.settings.steps or 0
    record.find_cameras(scene)
    head, body = _command(request, task)
    head |= _destination(record, connection)
    try:
        _follow(record, head, body)
    except BridgeError:
        journal.remove(request.request_id)
        raise
    return record


def _command(request: Request, task: Task) -> tuple[dict[str, Any], bytes]:
    """The bridge's command for a request: its fields, without where it goes and what comes back, and its body."""
    head: dict[str, Any] = {
        "settings": request.settings.sent().to_json(),
        "volume": None if task.volume is None else volume_head(task.volume),
        "taxonomy": task.taxonomy,
    }
    if request.composition is not None:
        composition = request.composition
        own = {name: getattr(composition, name) for name in ("redraw", "furnish", "with_parts")}
        return {**head, **own, "command": "compose", "layout": placed_to_json(composition.given)}, b""
    body = b""
    head["grid"] = None
    if task.grid is not None:
        head["grid"], body = grid_head(task.grid), grid_body(task.grid)
    if request.kind == "IMAGES":
        head |= {"command": "predict", "image_bytes": [len(image) for image in task.images]}
        return head, b"".join([*task.images, body])
    head |= {"command": "generate", "previews": is_interactive(), "mesh": None}
    if task.mesh is not None:
        head["mesh"], body = mesh_head(task.mesh), body + mesh_body(task.mesh)
    if task.layout is not None:
        head["layout"] = placed_to_json(task.layout)
    head["image_bytes"] = [len(item.png) for item in task.start]
    head["start_views"] = [[item.view, item.is_kept] for item in task.start]
    return head, b"".join([*(item.png for item in task.start), body])


def watch(scene: bpy.types.Scene, result: Any) -> events.Record:
    """Follows a job that the server already has, from the start on: the server replays what was missed.

    Raises:
        ValueError, OSError, BridgeError: as `submit`.
    """
    record = events.Record.of_result(result, scene)
    record.state, record.message, record.advice = "RECONNECTING", "", ""
    head = {"command": "watch", "job_id": record.job_id, "after_sequence": 0}
    _follow(record, head | _destination(record, connection_settings(record.server)), b"")
    return record


def _destination(record: events.Record, connection: ConnectionSettings) -> dict[str, Any]:
    """The fields of a bridge's command that say which server has the job, and where and as what its result is kept."""
    request = record.request
    return {
        "server": connection.head(),
        "request_id": request.request_id,
        "directory": request.directory,
        "origin": asdict(request.origin(record.server)),
        "cameras": cameras_head([view.camera for view in request.views]),
    }


def _size_of_results(request: Request, task: Task) -> int:
    """Bytes that a request's folder may come to hold: views that do not compress, the grids and the mesh."""
    pixels = sum(view.camera.width * view.camera.height for view in request.views)
    volume = task.volume if task.grid is None else task.grid.volume
    voxels = 0 if volume is None else math.prod(volume.shape)
    mesh = 0 if task.mesh is None else task.mesh.vertices.nbytes + 15 * len(task.mesh.triangles)
    return 3 * pixels + 4 * voxels + mesh + 2**20


def _follow(record: events.Record, head: dict[str, Any], body: bytes) -> None:
    """Sends the command whose events are the record's."""
    request_id = record.request.request_id
    _note(record)
    _records[request_id] = record

    def receive(message: Message) -> bool:
        if _records.get(request_id) is not record:  # another file is open, or the artist took the result away
            return True
        had_job = bool(record.job_id)
        if message.head.get("is_away") or message.head.get("reason") in _UNREACHED:
            forget_check(record.server)
        try:
            is_last = events.apply(record, message)
        except (OSError, ValueError, RuntimeError) as error:  # a full disk, an image that Blender cannot take
            why = not_written(record.request.directory, error) if isinstance(error, OSError) else f"{error}."
            record.state = "DISCONNECTED"
            record.views.clear()  # they come again
            record.advice = "The server keeps the result: fix that, then press Reconnect."
            record.message = f"{why} {record.advice}"
            events.show(record)
            return True
        if record.job_id and not had_job:
            with contextlib.suppress(OSError):  # the entry from before the submission finds the job as well
                _note(record)
            if record.state == "CANCELLED":
                _cancel_on_server(record)
        if is_last and record.state == "FAILED" and not record.job_id:
            journal.remove(request_id)  # no server has it
        return is_last

    try:
        session.command(head, body, receive)
    except BridgeError:
        del _records[request_id]
        raise
    events.show(record)


def cancel(scene: bpy.types.Scene, result: Any) -> None:
    """Ends a job here at once, and cancels it on the server as soon as the server has it.

    The result's message says why a server could not be reached.
    """
    record = _records.setdefault(result.name, events.Record.of_result(result, scene))
    record.state, record.message, record.advice = "CANCELLED", "", ""
    events.show(record)
    if record.job_id:
        _cancel_on_server(record)


def _cancel_on_server(record: events.Record) -> None:
    def complain(why: str) -> None:
        if _records.get(record.request.request_id) is record:
            record.message = f"The server could not be reached, and may still work on it: {why}" if why else ""
            events.show(record)

    def receive(message: Message) -> bool:
        complain(message.head.get("message", ""))
        return message.head["event"] != "reconnecting"

    try:
        head = {"command": "cancel", "server": connection_settings(record.server).head(), "job_id": record.job_id}
        session.command(head, b"", receive)
    except (ValueError, BridgeError) as error:
        complain(str(error))


def stop_following() -> None:
    """Ends the session's following; the server's jobs go on."""
    _records.clear()
    session.shut_down()


def forget(request_id: str) -> None:
    """Stops following a job that the artist took off the list."""
    _records.pop(request_id, None)
    journal.remove(request_id)


def _note(record: events.Record) -> None:
    """Writes the record's entry in the journal."""
    if not is_interactive():
        return
    scenes = [scene.name for scene in bpy.data.scenes if scene.session_uid == record.scene_uid]
    name = scenes[0] if scenes else ""
    entry = journal.Entry(record.request.to_json(), record.server, record.job_id, bpy.data.filepath, name)
    journal.write(record.request.request_id, entry)


@bpy.app.handlers.persistent
def restore_after_undo(*_arguments: object) -> None:
    """After undo and redo: keeps what this session's jobs have received, and follows jobs that are unfinished again."""
    for record in _records.values():
        events.show(record)
    for scene in bpy.data.scenes:
        if scene.occscene.results:
            show_overlay(scene)
    _follow_unfinished()


@bpy.app.handlers.persistent
def note_saved(*_arguments: object) -> None:
    """After a save: ended jobs are safe in the file; the others belong to the file's new name."""
    if not is_interactive():
        return
    for request_id, record in _records.items():
        if record.state in UNFINISHED:
            _note(record)
        else:
            journal.remove(request_id)


@bpy.app.handlers.persistent
def find_jobs_again(*_arguments: object) -> None:
    """After a file was loaded: follows its unfinished jobs again, and those that it was not saved with."""
    _records.clear()
    begin_following()


def begin_following() -> None:
    """Follows the open file's unfinished jobs, and those of the journal that it was not saved with."""
    if is_interactive() and bpy.data.filepath:
        for request_id, entry in journal.entries():
            if entry.blend == bpy.data.filepath:
                _list_again(request_id, entry)
    _follow_unfinished()


def _follow_unfinished() -> None:
    """Follows whatever is listed as unfinished and has no record in this session."""
    for scene in bpy.data.scenes:
        for result in scene.occscene.results:
            if result.state in UNFINISHED and result.name not in _records:
                _watch_again(scene, result)


def lost_jobs() -> list[tuple[str, journal.Entry]]:
    """Entries of the journal that the open file does not list."""
    listed = {result.name for scene in bpy.data.scenes for result in scene.occscene.results}
    return [(request_id, entry) for request_id, entry in journal.entries() if request_id not in listed]


def bring_back(request_id: str, entry: journal.Entry) -> None:
    """Lists a job of the journal in the open file and follows it."""
    _list_again(request_id, entry)
    journal.write(request_id, replace(entry, blend=bpy.data.filepath))
    for scene in bpy.data.scenes:
        result = scene.occscene.results.get(request_id)
        if result is not None:
            _watch_again(scene, result)


def _list_again(request_id: str, entry: journal.Entry) -> None:
    """Adds a job of the journal to the results of its scene, unless it is there."""
    if any(request_id in scene.occscene.results for scene in bpy.data.scenes):
        return
    scene = bpy.data.scenes.get(entry.scene, bpy.context.scene)
    record = events.Record(Request.from_json(entry.request), entry.server, scene.session_uid, entry.job_id, "QUEUED")
    record.find_cameras(scene)
    events.show(record)


def _watch_again(scene: bpy.types.Scene, result: Any) -> None:
    """Follows a listed job where a timer does it; else leaves it to Reconnect."""
    if not is_interactive():
        result.state = "DISCONNECTED"
        return
    try:
        watch(scene, result)
    except (ValueError, OSError, BridgeError) as error:
        result.state, result.message = "DISCONNECTED", str(error)

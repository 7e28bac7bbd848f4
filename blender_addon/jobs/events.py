"""What the bridge's events change: a job's record, and the scene's result that shows it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from occscene.events import FINAL_EVENTS, in_words

from ..bridge.messages import Message
from ..redraw import redraw
from ..scene.images import Pixels, draw_thumbnail, encoded_pixels, image_pixels, packed_image
from ..scene.preview import PreviewSheet, offer_preview
from . import composed, journal
from .request import Request

_LAST = FINAL_EVENTS | {"error"}
"""Events of the bridge that no other follows."""


@dataclass
class Record:
    """A job as this session knows it, apart from Blender's data, which undo and file loads replace.

    Args:
        request: what was asked for.
        server: the address it was sent to.
        scene_uid: session uid of the scene it was sent from.
        views: file names in the request's folder by the names of the views that are there.
        sheet: the previews, once there are some.
        layout_file: the layout's file in the request's folder; "" while there is none.
        layout: its fields.
        notes: what the server says about it.
        sent_note: what the artist should know of how it was sent.
    """

    request: Request
    server: str
    scene_uid: int
    job_id: str = ""
    state: str = "SENDING"
    message: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0
    denoising_steps: int = 0
    position: int = 0
    seconds: float = 0.0
    views: dict[str, str] = field(default_factory=dict)
    sheet: PreviewSheet | None = None
    layout_file: str = ""
    layout: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    sent_note: str = ""

    @classmethod
    def of_result(cls, result: Any, scene: bpy.types.Scene) -> Record:
        """The record of a result that was read from a file."""
        request = replace(Request.from_json(result.request), directory=bpy.path.abspath(result.directory))
        record = cls(request, result.server, scene.session_uid)
        for name in _SHOWN:
            setattr(record, name, getattr(result, name))
        return record


_SHOWN = (
    "job_id",
    "server",
    "state",
    "message",
    "phase",
    "step",
    "steps",
    "denoising_steps",
    "position",
    "seconds",
    "layout_file",
)
"""Fields that a record and a result share."""


def result_of(record: Record) -> Any:
    """The record's result, made again if undo or a deleted scene took it away."""
    request = record.request
    listed = _listed(record)
    if listed:
        return listed[0]
    scenes = [scene for scene in bpy.data.scenes if scene.session_uid == record.scene_uid]
    settings = (scenes[0] if scenes else bpy.context.scene).occscene
    result = settings.results.add()
    result.name, result.request = request.request_id, request.to_json()
    result.prompt, result.seed = request.settings.prompt, request.settings.seed
    result.directory = journal.stored_path(request.directory)
    settings.active_result = len(settings.results) - 1
    return result


def _listed(record: Record) -> list[Any]:
    """The record's results: one, or more where its scene was copied meanwhile."""
    listed = [scene.occscene.results.get(record.request.request_id) for scene in bpy.data.scenes]
    return [result for result in listed if result is not None]


def show(record: Record) -> None:
    """Writes a record into its result, with the images of the views that are there."""
    first = result_of(record)
    for result in _listed(record):
        for name in _SHOWN:
            setattr(result, name, getattr(record, name))
    for name, file in record.views.items():
        view = _view(first, name)
        if view.image is None:
            with contextlib.suppress(OSError):  # the artist moved the folder; what undo took away stays away
                _fill_view(view, first.name, (Path(record.request.directory) / file).read_bytes())
        for copy in _listed(record)[1:]:
            _view(copy, name).image = view.image
    redraw()


def _view(result: Any, name: str) -> Any:
    """A result's view, added if it is not there."""
    view = result.views.get(name)
    if view is None:
        view = result.views.add()
        view.name = name
    return view


def apply(record: Record, message: Message) -> bool:
    """Takes one event into the record and shows it; says whether it was the last.

    A job that the artist has cancelled stays cancelled, whatever still comes of it.
    """
    head = message.head
    event = head["event"]
    if event == "accepted":
        record.job_id, record.sent_note = head["job_id"], head["note"]
    if record.state != "CANCELLED":
        _take(record, event, message)
        show(record)
        if event == "succeeded" and record.layout is not None and record.request.composition is not None:
            composed.bring_in(record.request, record.layout, record.scene_uid, partial(_show_done, record))
    return event in _LAST


def _show_done(record: Record, done: str) -> None:
    """Shows what was done with a composed layout."""
    record.message = " ".join(part for part in (done, *record.notes) if part)
    show(record)


def _take(record: Record, event: str, message: Message) -> None:
    head = message.head
    if record.state == "RECONNECTING":  # an event arrived: the connection is back
        record.state, record.message = "RUNNING", ""
    if event == "accepted" or (event == "reconnected" and head["is_queued"]):
        record.state = "QUEUED"
    elif event == "reconnecting":
        why = in_words(head["message"], head["advice"])
        record.state, record.message = "RECONNECTING", f"{why} The server is asked again by itself."
    elif event == "queued":
        record.state, record.position = "QUEUED", head["position"]
    elif event == "started":
        record.state = "RUNNING"
        record.views.clear()  # what a server sends after its restart takes the place of what it sent before
        record.layout, record.layout_file, record.notes = None, "", ()
    elif event == "progress":
        record.state, record.phase = "RUNNING", head["phase"]
        record.step, record.steps = head["step"], head["steps"]
        if head["phase"] == "denoising":
            record.denoising_steps = head["steps"]
    elif event == "preview":
        _preview(record, head["view"], encoded_pixels(message.body))
    elif event == "view":
        record.views[head["name"]] = head["file"]
        _take_view(record, head["view"], head["name"], message.body)
    elif event == "layout":
        record.layout, record.layout_file, record.notes = head["layout"], head["file"], tuple(head["notes"])
    elif event == "succeeded":
        record.state, record.seconds = "SUCCEEDED", head["seconds"]
        record.message = " ".join(part for part in (record.sent_note, *record.notes) if part)
    elif event == "cancelled":
        record.state = "CANCELLED"
    elif event in ("failed", "error"):
        is_kept = event == "error" and head["reason"] != "JOB_NOT_FOUND"
        is_lost = is_kept and (head["is_lost"] or bool(record.job_id))
        record.state = "DISCONNECTED" if is_lost else "FAILED"
        record.message = in_words(head["message"], head["advice"])


def _preview(record: Record, view: int, pixels: Pixels) -> None:
    if record.sheet is None:
        record.sheet = PreviewSheet(len(record.request.views))
    record.sheet.paste(view, pixels)
    offer_preview()


def _take_view(record: Record, number: int, name: str, data: bytes) -> None:
    """Puts a finished view into its image, also one that comes a second time, and onto the sheet."""
    result = result_of(record)
    pixels = _fill_view(_view(result, name), result.name, data)
    if record.sheet is not None:
        _preview(record, number, pixels)


def _fill_view(view: Any, result_name: str, data: bytes) -> Pixels:
    """Makes or refills a view's image and its thumbnail; returns the pixels, which take long to decode."""
    view.image = packed_image(f"{view.name} {result_name[:4]}", data, view.image)
    pixels = image_pixels(view.image)
    if not bpy.app.background:
        draw_thumbnail(view.image, pixels)
    return pixels

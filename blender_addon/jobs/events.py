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
from ..notice import notice
from ..redraw import redraw
from ..scene.grid_view import hide_grid
from ..scene.image_editors import offer_image
from ..scene.images import draw_thumbnail, image_pixels, packed_image
from ..scene.overlay import show_overlay
from . import composed, journal
from .request import Request

_ENDS = {"FAILED": "Failed", "CANCELLED": "Cancelled", "DISCONNECTED": "Disconnected"}

_LAST = FINAL_EVENTS | {"error"}
"""Events of the bridge that no other follows."""


@dataclass
class Record:
    """A job as this session knows it, apart from Blender's data, which undo and file loads replace.

    Args:
        request: what was asked for.
        server: the address it was sent to.
        scene_uid: session uid of the scene it was sent from.
        cameras: session uids of the camera objects by the names of the views; `find_cameras` sets them.
        views: file names in the request's folder by the names of the views that are there.
        layout_file: the layout's file in the request's folder; "" while there is none.
        occupancy_source: one of `occscene.results.OCCUPANCY_SOURCES`; "" where that is not known.
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
    advice: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0
    denoising_steps: int = 0
    position: int = 0
    seconds: float = 0.0
    cameras: dict[str, int] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    layout_file: str = ""
    occupancy_source: str = ""
    layout: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    sent_note: str = ""

    @classmethod
    def of_result(cls, result: Any, scene: bpy.types.Scene) -> Record:
        """The record of a result that was read from a file."""
        request = replace(Request.from_json(result.request), directory=str(journal.folder_of(result)))
        record = cls(request, result.server, scene.session_uid)
        for name in _SHOWN:
            setattr(record, name, getattr(result, name))
        record.find_cameras(scene)
        return record

    def find_cameras(self, scene: bpy.types.Scene) -> None:
        """Finds the cameras by their names in the scene; they may be renamed from then on."""
        found = {view.camera.name: scene.objects.get(view.object_name) for view in self.request.views}
        self.cameras = {name: obj.session_uid for name, obj in found.items() if obj and obj.type == "CAMERA"}


_SHOWN = (
    "job_id",
    "server",
    "state",
    "message",
    "advice",
    "phase",
    "step",
    "steps",
    "denoising_steps",
    "position",
    "seconds",
    "layout_file",
    "occupancy_source",
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
        view = _view(record, first, name)
        if view.image is None or view.is_preview:
            with contextlib.suppress(OSError):  # the artist moved the folder; what undo took away stays away
                _fill_view(view, first.name, (Path(record.request.directory) / file).read_bytes())
        for copy in _listed(record)[1:]:
            _view(record, copy, name).image = view.image
    if record.state in ("FAILED", "CANCELLED"):
        for result in _listed(record):
            _drop_previews(result)
            show_overlay(result.id_data)
    redraw()


def _view(record: Record, result: Any, name: str) -> Any:
    """A result's view, added in its place among the request's views if it is not there."""
    view = result.views.get(name)
    if view is not None:
        return view
    order = [view.camera.name for view in record.request.views]
    before = [view.name for view in result.views if name not in order or order.index(view.name) < order.index(name)]
    view = result.views.add()
    view.name = name
    uid = record.cameras.get(name)
    view.camera = next((obj for obj in bpy.data.objects if uid is not None and obj.session_uid == uid), None)
    view.frame = next((item.frame for item in record.request.views if item.camera.name == name), 0)
    result.views.move(len(result.views) - 1, len(before))
    return result.views[name]


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
        if event in _LAST:
            notice(outcome(record))
        if event == "succeeded" and record.layout is not None and record.request.composition is not None:
            composed.bring_in(record.request, record.layout, record.scene_uid, partial(_show_done, record))
    return event in _LAST


def outcome(record: Any) -> str:
    """What came of a record's or a result's job, in a few words."""
    if record.state == "SUCCEEDED":
        views = len(record.views)
        made = f"{views} view{'s' * (views != 1)}" if views else "layout" if record.layout_file else "occupancy"
        return f"{made} in {rough_seconds(record.seconds)}"
    return str(record.message) or _ENDS.get(record.state, "")


def rough_seconds(seconds: float) -> str:
    """Seconds in as many digits as one wants to read."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _show_done(record: Record, done: str) -> None:
    """Shows what was done with a composed layout."""
    record.message = " ".join(part for part in (done, *record.notes) if part)
    show(record)


def _take(record: Record, event: str, message: Message) -> None:
    head = message.head
    if record.state == "RECONNECTING":  # an event arrived: the connection is back
        record.state, record.message, record.advice = "RUNNING", "", ""
    if event == "accepted" or (event == "reconnected" and head["is_queued"]):
        record.state = "QUEUED"
    elif event == "reconnecting":
        why = in_words(head["message"], head["advice"])
        record.state, record.message = "RECONNECTING", f"{why} The server is asked again by itself."
        record.advice = "The server is asked again by itself."
    elif event == "queued":
        record.state, record.position = "QUEUED", head["position"]
    elif event == "started":
        record.state = "RUNNING"
        record.views.clear()  # what a server sends after its restart takes the place of what it sent before
        record.layout, record.layout_file, record.notes, record.occupancy_source = None, "", (), ""
    elif event == "progress":
        record.state, record.phase = "RUNNING", head["phase"]
        record.step, record.steps = head["step"], head["steps"]
        if head["phase"] == "denoising":
            record.denoising_steps = head["steps"]
    elif event == "preview":
        _take_picture(record, record.request.views[head["view"]].camera.name, message.body, is_preview=True)
    elif event == "view":
        record.views[head["name"]] = head["file"]
        _take_picture(record, head["name"], message.body, is_preview=False)
    elif event == "occupancy":
        record.occupancy_source = head["source"]
    elif event == "layout":
        record.layout, record.layout_file, record.notes = head["layout"], head["file"], tuple(head["notes"])
    elif event == "succeeded":
        record.state, record.seconds = "SUCCEEDED", head["seconds"]
        if record.views:
            hide_grid()  # it would lie over them in the cameras
        record.message = " ".join(part for part in (record.sent_note, *record.notes) if part)
    elif event == "cancelled":
        record.state = "CANCELLED"
    elif event in ("failed", "error"):
        is_kept = event == "error" and head["reason"] != "JOB_NOT_FOUND"
        is_lost = is_kept and (head["is_lost"] or bool(record.job_id))
        record.state = "DISCONNECTED" if is_lost else "FAILED"
        record.message, record.advice = in_words(head["message"], head["advice"]), head["advice"]


def _take_picture(record: Record, name: str, data: bytes, is_preview: bool) -> None:
    """Puts a preview, or the finished view, into the view's image, also one that comes a second time."""
    result = result_of(record)
    view = _view(record, result, name)
    _fill_view(view, result.name, data, is_preview)
    if view == result.views[0]:
        offer_image(view.image)
    if not bpy.app.background:
        for listed in _listed(record):
            show_overlay(listed.id_data)


def _fill_view(view: Any, result_name: str, data: bytes, is_preview: bool = False) -> None:
    """Makes or refills a view's image and its thumbnail."""
    view.image = packed_image(f"{view.name} {result_name[:4]}", data, view.image)
    view.is_preview = is_preview
    draw_thumbnail(view.image, image_pixels(view.image))


def _drop_previews(result: Any) -> None:
    """Removes what a job that has no views was about to show."""
    for number in reversed(range(len(result.views))):
        view = result.views[number]
        if view.is_preview:
            image = view.image
            result.views.remove(number)
            if image is not None:
                bpy.data.images.remove(image)

"""Live: drafts of the active camera's view that follow what the artist changes.

While it is on, a timer reads what has changed, a little at each tick, and hands it to the bridge, which has the drafts
drawn one at a time. The first change goes out at once. While changes follow each other, as in a drag, the next goes out
when the draft before is there; after the last one the newest state goes out and overtakes what is being drawn.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import bpy
from occscene.events import in_words

from ..bridge.cameras_head import cameras_head
from ..bridge.grid_body import volume_head
from ..bridge.link import BridgeError
from ..bridge.meshes_body import meshes_body, meshes_head
from ..bridge.messages import Message
from ..properties.settings import SETTINGS, SceneSettings, scene_value
from ..redraw import redraw
from ..scene.cameras import pinhole_camera
from ..scene.draft_view import hide_draft, mark_draft_old, show_draft
from ..scene.frame import Window, view_window
from ..scene.grid_view import change_count, is_quiet
from ..scene.live_capture import LiveCapture
from ..scene.volume import grid_volume
from ..timers import start_timer, stop_timer
from . import connection_check, session
from .connection import connection_settings

DRAFT_SIDE = 256
"""Pixels along a draft's longer side."""

PAUSE = 0.02
"""Seconds between ticks while something has changed."""

IDLE_PAUSE = 0.05
"""Seconds between ticks while nothing has."""

STEP = 0.003
"""Seconds in a tick after which no other mesh is begun."""

ASKING_FROM = 0.004
"""Seconds in a tick up to which a draft is still asked for after reading, which takes some two more."""

QUIET = 0.12
"""Seconds without a change after which the newest state overtakes what is being drawn."""


@dataclass
class _Asked:
    """A draft that has been asked for.

    Args:
        number: rises.
        since: by the monotonic clock, when the oldest change was made that it shows first.
        scene_uid, camera_uid, window, seed: what it shows.
    """

    number: int
    since: float
    scene_uid: int
    camera_uid: int
    window: Window
    seed: int


@dataclass
class _Live:
    """What is followed.

    Args:
        scene_uid: session uid of the scene.
        capture: its objects.
        first, last: by the monotonic clock, when the first and the last change was made that has not been sent; 0.0 if
            there is none.
        read: of the last change whose scene has been read.
        settings: what else a draft depends on, as it was last seen.
        sent: all that the last draft was made from.
        asked: the draft that is being drawn.
        arrived: a draft that is to be shown, and its picture.
        seed: of the draft that is shown; None while none is.
        message: how it goes, or what keeps drafts from being drawn.
        is_problem: whether it is the latter.
        seconds: from a change to its draft, of the last one.
        count: drafts that were asked for.
    """

    scene_uid: int
    capture: LiveCapture = field(default_factory=LiveCapture)
    first: float = 0.0
    last: float = 0.0
    read: float = 0.0
    settings: tuple[Any, ...] = ()
    sent: dict[str, Any] = field(default_factory=dict)
    asked: _Asked | None = None
    arrived: tuple[_Asked, bytes] | None = None
    seed: int | None = None
    message: str = ""
    is_problem: bool = False
    seconds: float = 0.0
    count: int = 0

    def note_change(self) -> None:
        """Something may have changed."""
        self.last = time.monotonic()
        self.first = self.first or self.last


_live: _Live | None = None


def is_live() -> bool:
    """Whether drafts follow the changes."""
    return _live is not None


def live_line() -> tuple[str, bool]:
    """How it goes in one line, and whether something keeps drafts from being drawn."""
    return ("", False) if _live is None else (_live.message, _live.is_problem)


def drawn_seed() -> int | None:
    """The seed of the draft that is shown, None if none is."""
    return None if _live is None else _live.seed


def start_live(scene: bpy.types.Scene) -> None:
    """Begins to follow the changes of a scene."""
    global _live
    _live = _Live(scene.session_uid)
    _live.note_change()
    if not connection_check.last_check.is_good and not connection_check.last_check.is_running:
        connection_check.start_check("", connection_check.keep_check)
    start_timer(tick)


def stop_live() -> None:
    """Ends it: nothing is drawn any more, here and on the server."""
    global _live
    if _live is None:
        return
    _live = None
    stop_timer(tick)
    hide_draft()
    if session.bridge_pid() is not None:
        with contextlib.suppress(BridgeError):
            session.command({"command": "end_drafts"}, b"", lambda message: True)
    redraw()


@bpy.app.handlers.persistent
def stop_before_load(*_arguments: object) -> None:
    """Before another file is loaded."""
    stop_live()


@bpy.app.handlers.persistent
def notice_changes(_scene: bpy.types.Scene, graph: bpy.types.Depsgraph | None = None) -> None:
    """After Blender has evaluated a scene: notes what may have changed."""
    if _live is None or graph is None or is_quiet():
        return
    moved = [update for update in graph.updates if update.is_updated_geometry]
    _live.capture.forget(update.id.original.session_uid for update in moved)
    _live.note_change()


@bpy.app.handlers.persistent
def notice_undo(*_arguments: object) -> None:
    """After undo and redo, which may change anything."""
    if _live is not None:
        _live.capture.forget_all()
        _live.note_change()


def tick() -> float | None:
    """One step: shows a draft that has come, or reads some of what has changed and asks for a draft of it."""
    live = _live
    if live is None:
        return None
    if bpy.app.is_job_running("RENDER"):
        return IDLE_PAUSE
    context = bpy.context
    if context.scene.session_uid != live.scene_uid:
        live.scene_uid = context.scene.session_uid
        live.capture.forget_all()
        live.note_change()
    if live.arrived is not None:
        _show(live, context.scene)
        return PAUSE
    settings = _settings(context.scene)
    if settings != live.settings:
        live.settings = settings
        live.note_change()
    if not live.first or _is_held(live):
        return PAUSE if live.first or live.asked else IDLE_PAUSE
    try:
        _follow(live, context)
    except ValueError as error:
        live.first, live.sent = 0.0, {}
        _say(live, str(error), is_problem=True)
    except BridgeError as error:
        _say(live, str(error), is_problem=True)
        live.note_change()
        return 1.0
    return PAUSE


def _is_held(live: _Live) -> bool:
    """Whether a change has to wait: for the draft that is being drawn while others follow, or for an animation."""
    if any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows):
        return True
    return live.asked is not None and time.monotonic() < live.last + QUIET


def _settings(scene: bpy.types.Scene) -> tuple[Any, ...]:
    """What a draft depends on besides objects."""
    settings = scene.occscene
    check = connection_check.last_check
    return (
        change_count(),
        settings.prompt,
        settings.style,
        settings.seed,
        settings.without_prior,
        settings.use_sun,
        settings.sun_elevation,
        settings.sun_azimuth,
        settings.image_shape,
        scene.camera and scene.camera.session_uid,
        scene.render.resolution_x,
        scene.render.resolution_y,
        check.can("drafts", settings.domain),
        check.lacks_domain(settings.domain),
    )


def _follow(live: _Live, context: bpy.types.Context) -> None:
    """Reads some of what has changed; when all is read, asks for a draft if it would differ from the last.

    Raises:
        ValueError: there is nothing of which a draft could be drawn; the message says why.
        BridgeError: the bridge cannot be started.
    """
    scene = context.scene
    _check(scene)
    seen = live.last
    if live.read != seen:
        begin = time.perf_counter()
        if not live.capture.read(context, STEP):
            return
        live.read = seen
        if time.perf_counter() > begin + ASKING_FROM:  # the rest is the next tick's, which a redraw may come before
            return
    window = view_window(scene, scene.occscene.image_shape)
    head = _head(context, live.capture, window)
    is_new = head != live.sent
    changed = live.capture.take_changed()
    if is_new or changed:
        asked = _Asked(
            live.count, live.first, scene.session_uid, scene.camera.session_uid, window, head["settings"]["seed"]
        )
        live.count += 1
        live.sent, live.asked = head, asked
        _send(live, asked, {**head, "command": "draft", "meshes": meshes_head(changed)}, meshes_body(changed))
        if mark_draft_old(True):
            redraw()
    if live.last == seen:
        live.first = 0.0


def _check(scene: bpy.types.Scene) -> None:
    """Says in a line what keeps drafts from being drawn."""
    check = connection_check.last_check
    lacking = check.lacks_domain(scene.occscene.domain)
    if lacking:
        raise ValueError(lacking)
    if check.can("drafts", scene.occscene.domain) is False:
        raise ValueError("The server's model draws no drafts")
    if scene.occscene.volume is None:
        raise ValueError("Place the volume that is sent first")
    if scene.camera is None:
        raise ValueError("The scene has no active camera: add one")


def _head(context: bpy.types.Context, capture: LiveCapture, window: Window) -> dict[str, Any]:
    """The fields of the `draft` command, but for its meshes."""
    scene = context.scene
    own = {name: scene_value(scene, name) for name in SETTINGS}
    own |= {"start_from": "NONE", "strength": None}  # a draft begins at nothing
    settings = replace(SceneSettings(**own), steps=None, quality="DRAFT", negative_prompt="")
    settings.check()
    evaluated = scene.camera.evaluated_get(context.evaluated_depsgraph_get())
    multiple = connection_check.last_check.image_multiple
    camera = pinhole_camera(evaluated, scene, DRAFT_SIDE, window, multiple)
    return {
        "server": connection_settings().head(),
        "objects": capture.rows,
        "volume": volume_head(grid_volume(scene)),
        "taxonomy": scene.occscene.domain,
        "camera": cameras_head([camera])[0],
        "settings": asdict(settings.sent()),
        "send_geometry": scene.occscene.send_geometry,
    }


def _send(live: _Live, asked: _Asked, head: dict[str, Any], body: bytes) -> None:
    def receive(message: Message) -> bool:
        kind = message.head["event"]
        if _live is not live:
            return True
        if kind == "draft":
            live.arrived = (asked, message.body)
            return True
        if kind == "queued":
            if asked is live.asked and message.head["position"]:
                _say(live, f"Waits for {message.head['position']} other jobs")
            return False
        if kind == "reconnecting":
            _say(live, in_words(message.head["message"], "Live goes on when it is there."), is_problem=True)
            return False
        if asked is live.asked:
            live.asked = None
            if kind == "error":
                _fail(live, message)
        return True

    try:
        session.command(head, body, receive)
    except BridgeError:
        live.asked = None
        live.capture.give_back_all()
        live.sent = {}
        raise


def _fail(live: _Live, message: Message) -> None:
    """A draft could not be drawn."""
    reason = message.head["reason"]
    live.sent = {}
    if reason in ("MESHES_MISSING", "BRIDGE_DIED"):
        live.capture.give_back_all()
        live.note_change()
    if reason != "MESHES_MISSING":
        _say(live, in_words(message.head["message"], message.head["advice"]), is_problem=True)


def _show(live: _Live, scene: bpy.types.Scene) -> None:
    """Shows the draft that has come."""
    assert live.arrived is not None
    asked, data = live.arrived
    live.arrived = None
    if live.asked is asked:
        live.asked = None
    if scene.camera is not None and scene.camera.session_uid == asked.camera_uid:
        show_draft(scene, scene.camera, asked.window, data)
        mark_draft_old(live.asked is not None)
        live.seed = asked.seed
        live.seconds = time.monotonic() - asked.since
        _say(live, f"{scene.camera.name}, {live.seconds:.1f} s after the change")
    redraw()


def _say(live: _Live, text: str, is_problem: bool = False) -> None:
    """Shows how it goes."""
    if (live.message, live.is_problem) != (text, is_problem):
        live.message, live.is_problem = text, is_problem
        redraw()

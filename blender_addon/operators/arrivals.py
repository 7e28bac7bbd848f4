"""What the bridge's events change: results in the scene, images, files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from occscene.camera import PinholeCamera
from occscene.grid import save_grid

from .. import __package__ as base_package
from ..bridge.cameras_head import cameras_head
from ..bridge.grid_body import grid_from_message
from ..bridge.messages import Message
from ..scene.images import draw_thumbnail, packed_image

FINAL_EVENTS = frozenset({"succeeded", "failed", "cancelled", "error"})
OCCUPANCY_FILE = "occupancy.npz"


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Args:
        request_id: UUID; names the result.
        cameras: one view each.
        steps, text_guidance, occupancy_guidance: None leaves them to the model.
        directory: where views, occupancy and `result.json` are written.
    """

    request_id: str
    prompt: str
    negative_prompt: str
    seed: int
    steps: int | None
    text_guidance: float | None
    occupancy_guidance: float | None
    cameras: Sequence[PinholeCamera]
    directory: str


@dataclass
class Record:
    """A job as this session knows it, apart from Blender's data."""

    request: Request
    server: str
    scene_uid: int
    job_id: str = ""
    views: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_result(cls, result: Any, scene: bpy.types.Scene) -> Record:
        """The record of a result that was read from a file."""
        request = Request(
            result.name,
            result.prompt,
            result.negative_prompt,
            result.seed,
            None,
            None,
            None,
            (),
            result.directory,
        )
        views = {view.name: f"view_{view.name}.png" for view in result.views}
        return cls(request, result.server, scene.session_uid, result.job_id, views)


def default_directory(request_id: str) -> str:
    """The folder of a result for which the user chose none."""
    try:
        return str(bpy.utils.extension_path_user(base_package, path=f"results/{request_id}", create=True))
    except ValueError:  # not run as an extension: the bpy module
        return tempfile.mkdtemp(prefix="occscene_")


def result_of(record: Record) -> Any:
    """The record's result, made anew if undo or a deleted scene took it away."""
    for scene in bpy.data.scenes:
        result = scene.occscene.results.get(record.request.request_id)
        if result is not None:
            return result
    scenes = [scene for scene in bpy.data.scenes if scene.session_uid == record.scene_uid]
    settings = (scenes[0] if scenes else bpy.context.scene).occscene
    result = settings.results.add()
    result.name = record.request.request_id
    result.job_id, result.server = record.job_id, record.server
    result.prompt, result.negative_prompt = record.request.prompt, record.request.negative_prompt
    result.seed, result.directory = record.request.seed, record.request.directory
    settings.active_result = len(settings.results) - 1
    return result


def apply(record: Record, message: Message) -> bool:
    """Writes one event into the record's result; says whether it was the last."""
    head = message.head
    event = head["event"]
    result = result_of(record)
    result.sequence = max(result.sequence, head.get("sequence", 0))
    if event == "accepted":
        record.job_id = result.job_id = head["job_id"]
        result.state = "QUEUED"
    elif event == "queued":
        result.state, result.position = "QUEUED", head["position"]
    elif event == "started":
        result.state = "RUNNING"
    elif event == "progress":
        result.state, result.phase = "RUNNING", head["phase"]
        result.step, result.steps = head["step"], head["steps"]
    elif event in ("preview", "view"):
        _receive_view(record, result, head["name"], message.body, is_final=event == "view")
    elif event == "occupancy":
        save_grid(_folder(record) / OCCUPANCY_FILE, grid_from_message(head["grid"], message.body))
    elif event == "succeeded":
        result.state, result.seconds = "SUCCEEDED", head["seconds"]
        _write_result(record, result)
    elif event == "cancelled":
        result.state = "CANCELLED"
    elif event in ("failed", "error"):
        is_lost = event == "error" and bool(record.job_id)
        result.state = "DISCONNECTED" if is_lost else "FAILED"
        result.message = " ".join(part for part in (head["message"], head["advice"]) if part)
    redraw()
    return event in FINAL_EVENTS


def _receive_view(record: Record, result: Any, name: str, data: bytes, is_final: bool) -> None:
    """Puts a view or its preview into the view's image, and a finished view into the folder."""
    view = result.views.get(name)
    if view is None:
        view = result.views.add()
        view.name = name
    view.image = packed_image(f"{name} {result.name[:4]}", data, view.image)
    if not bpy.app.background:
        draw_thumbnail(view.image)
    if is_final:
        record.views[name] = f"view_{name}.png"
        (_folder(record) / record.views[name]).write_bytes(data)


def _write_result(record: Record, result: Any) -> None:
    """Writes `result.json`, which says how the folder's files came to be."""
    request = record.request
    text = {
        "job_id": record.job_id,
        "server": record.server,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": request.seed,
        "seconds": result.seconds,
        "views": record.views,
        "occupancy": OCCUPANCY_FILE,
        "cameras": cameras_head(request.cameras),
    }
    (_folder(record) / "result.json").write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


def _folder(record: Record) -> Path:
    folder = Path(record.request.directory)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def redraw() -> None:
    """Shows the new state in every window."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"):
                area.tag_redraw()

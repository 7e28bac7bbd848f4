"""Jobs whose results no saved file holds yet: one small file each, so that a crash or quitting early loses none.

An entry is written before the request is sent and goes when the .blend has been saved with the ended result in it, or
when the artist removes the result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from ..addon import user_folder
from .request import known_request


@dataclass(frozen=True)
class Entry:
    """One job.

    Args:
        request: JSON of `jobs.request.Request`.
        server: the address it was sent to.
        job_id: "" until the server has answered.
        blend: the .blend that it was sent from; "" if that was never saved.
        scene: the scene's name.
    """

    request: str
    server: str
    job_id: str
    blend: str
    scene: str


def results_folder() -> Path:
    """Where results go by default: next to the .blend, so that they move with it, else to the user's own folder."""
    if bpy.data.filepath:
        folder = Path(bpy.data.filepath).parent
        if os.access(folder, os.W_OK):
            return folder / "occscene_results"
    return user_folder("results")


def stored_path(directory: str) -> str:
    """A folder as a .blend keeps it: relative to the file if it lies next to or below it."""
    if not bpy.data.filepath:
        return directory
    folder = Path(bpy.data.filepath).parent
    return str(bpy.path.relpath(directory)) if Path(directory).is_relative_to(folder) else directory


def folder_of(result: Any) -> Path:
    """The folder of a result: as the .blend says, or where it was written, if the .blend was saved elsewhere since."""
    kept, written = Path(bpy.path.abspath(result.directory)), Path(known_request(result.request).directory)
    return kept if kept.is_dir() or not written.is_dir() else written


def write(request_id: str, entry: Entry) -> None:
    """Writes or rewrites a job's entry."""
    path = _path(request_id)
    part = path.with_suffix(f".{os.getpid()}.part")  # two Blenders may have the same file open
    part.write_text(json.dumps(asdict(entry)), encoding="utf-8")
    part.replace(path)


def remove(request_id: str) -> None:
    """Forgets a job; does nothing if it has no entry."""
    _path(request_id).unlink(missing_ok=True)


def entries() -> Iterator[tuple[str, Entry]]:
    """Request ids and entries, oldest first; those that cannot be read are named on the console and left."""
    listed = []
    for path in user_folder("jobs").glob("*.json"):
        try:
            listed.append((path.stat().st_mtime, path.stem, Entry(**json.loads(path.read_text(encoding="utf-8")))))
        except (OSError, ValueError, TypeError) as error:  # another Blender's by now gone, cut off, of another version
            print(f"OccScene: {path} is left out: {error}")
    for _, request_id, entry in sorted(listed, key=lambda item: item[:2]):
        yield request_id, entry


def _path(request_id: str) -> Path:
    return user_folder("jobs") / f"{request_id}.json"

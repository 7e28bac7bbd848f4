"""The folder of a result: its one writer and its one reader.

    view_NAME.png    a view for each camera, see `view_files`
    occupancy.npz    the predicted occupancy
    cameras.json     the cameras of the views
    blockout.npz     what was sent, with its mesh; there where a grid was
    layout.json      the room as boxes; there where the job had one
    result.json      how all of this came to be; written last, so that a folder that has one is whole

`result.json` has a `schema_version`. What the command line and the extension wrote before it had one is still read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from occscene.camera import PinholeCamera, cameras_from_rows, load_cameras, save_cameras
from occscene.grid import SemanticGrid, load_grid, save_grid
from occscene.mesh import TriangleMesh
from occscene.placed_layout import PlacedLayout, save_layout
from occscene.settings import Settings
from occscene.taxonomy import TAXONOMIES
from occscene.view_files import view_files

SCHEMA_VERSION = 1
RESULT_FILE = "result.json"
BLOCKOUT_FILE = "blockout.npz"
OCCUPANCY_FILE = "occupancy.npz"
LAYOUT_FILE = "layout.json"
CAMERAS_FILE = "cameras.json"

KINDS = ("blockout", "text", "images", "layout")
"""What a job was made from: blockout to scene, text to scene, images to occupancy; or it wrote a layout only."""

OCCUPANCY_SOURCES = ("blockout", "layout", "compact", "views")
"""Where an occupancy comes from: what was sent, or the layout that was written, neither of them predicted; the bundled
model's draft of what another model painted; or the views."""


@dataclass(frozen=True)
class Origin(Settings):
    """How a result came to be: the request's settings, and where it ran.

    Args:
        kind: one of `KINDS`.
        request_id, job_id: the server's names for it; "" where no server ran it.
        server: its address.
        created: when it was asked for, ISO 8601.
        kept_views: the cameras whose views stayed as they were in an earlier result.
    """

    kind: str = field(kw_only=True)
    request_id: str = ""
    job_id: str = ""
    server: str = ""
    created: str = ""
    kept_views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kept_views", tuple(self.kept_views))  # JSON has lists


@dataclass(frozen=True, eq=False)
class Result:
    """What a folder holds.

    Args:
        folder: where it was read.
        origin: how it came to be.
        device: that it ran on; "" where that is not known.
        seconds: that it took.
        views: the files of the views by their cameras' names, in the cameras' order.
        cameras: of the views, or of the images that the occupancy was predicted from.
        occupancy, blockout, layout: files, None where there is none.
        occupancy_source: one of `OCCUPANCY_SOURCES`; "" where the server did not say.
        notes: what the layout's prior could not do as asked.
    """

    folder: Path
    origin: Origin
    device: str
    seconds: float
    views: dict[str, Path]
    cameras: tuple[PinholeCamera, ...]
    occupancy: Path | None
    blockout: Path | None
    layout: Path | None
    notes: tuple[str, ...]
    occupancy_source: str = ""


class ResultFolder:
    """Writes what a job returns: each file whole or not at all, also where two processes fetch the same job.

    Args:
        folder: made if it is not there.
        origin: how the result comes to be.
        cameras: of the request, in its order.
        resumed: whether another writer has had the job's earlier events.

    Raises:
        OSError: out of all methods: the folder or a file in it cannot be written.
    """

    def __init__(
        self, folder: Path | str, origin: Origin, cameras: Sequence[PinholeCamera] = (), resumed: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.origin = origin
        self.device = ""
        self._cameras = tuple(cameras)
        self._views = view_files([camera.name for camera in cameras]) if origin.kind != "images" else ()
        self._occupancy: dict[str, Any] | None = None
        self._notes: tuple[str, ...] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if resumed:
            self._take_up()
        if cameras:
            self._write(CAMERAS_FILE, lambda part: save_cameras(part, cameras))

    def write_blockout(self, grid: SemanticGrid, mesh: TriangleMesh | None = None) -> None:
        """Writes what was sent."""
        self._write(BLOCKOUT_FILE, lambda part: save_grid(part, grid, mesh))

    def write_view(self, view: int, data: bytes) -> str:
        """Writes the PNG of the view of a camera, by its place from 0; returns the file's name."""
        self._write(self._views[view], lambda part: part.write_bytes(data))
        return self._views[view]

    def write_occupancy(self, grid: SemanticGrid, source: str = "") -> str:
        """Writes the occupancy, with one of `OCCUPANCY_SOURCES` if that is known; returns the file's name."""
        self._write(OCCUPANCY_FILE, lambda part: save_grid(part, grid))
        self._occupancy = ({"source": source} if source else {}) | _describe(grid)
        return OCCUPANCY_FILE

    def write_layout(self, placed: PlacedLayout, notes: Sequence[str] = ()) -> str:
        """Writes a layout, and what its prior could not do as asked; returns the file's name."""
        self._write(LAYOUT_FILE, lambda part: save_layout(part, placed, notes))
        self._notes = tuple(notes)
        return LAYOUT_FILE

    def finish(self, seconds: float) -> None:
        """Writes `result.json`, once all else has been written, and removes what a killed process left half done."""
        row: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **asdict(self.origin), "device": self.device}
        row["seconds"] = round(seconds, 3)
        if self._views:
            names = [camera.name for camera in self._cameras]
            row["views"] = [{"camera": name, "file": file} for name, file in zip(names, self._views, strict=True)]
        if self._occupancy is not None:
            row["occupancy"] = {"file": OCCUPANCY_FILE, **self._occupancy}
        if self._notes is not None:
            row["layout"] = {"file": LAYOUT_FILE, "notes": self._notes}
        text = json.dumps(row, indent=1, ensure_ascii=False) + "\n"
        self._write(RESULT_FILE, lambda part: part.write_text(text, encoding="utf-8"))
        for part in self.folder.glob("*.part"):
            part.unlink(missing_ok=True)

    def _take_up(self) -> None:
        """Reads what the earlier writer has written of what `result.json` describes."""
        if (path := self.folder / OCCUPANCY_FILE).exists():
            self._occupancy = _describe(load_grid(path))
        if (path := self.folder / LAYOUT_FILE).exists():
            self._notes = tuple(json.loads(path.read_text("utf-8")).get("notes", ()))

    def _write(self, file: str, write: Callable[[Path], object]) -> None:
        part = self.folder / f"{file}.{os.getpid()}.part"
        try:
            write(part)
            part.replace(self.folder / file)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (self.folder / file).exists():
                return  # another process has the whole job, and has removed all parts
            part.unlink(missing_ok=True)
            raise


def read_result(folder: Path | str) -> Result:
    """Reads the folder of a result, of this version or of before `result.json` had one.

    Raises:
        ValueError: it is no such folder, or of a later version; the message names the file and what it must be.
        OSError: a file cannot be read.
    """
    folder = Path(folder)
    path = folder / RESULT_FILE
    if not path.is_file():
        raise ValueError(f"{folder} has no {RESULT_FILE}; choose the folder of a result that is whole")
    try:
        row = json.loads(path.read_text("utf-8"))
        version = row.get("schema_version", 0)
        if version not in range(SCHEMA_VERSION + 1):
            raise ValueError(f"schema_version is {version!r}; this version reads up to {SCHEMA_VERSION}: update it")
        return _result(folder, row)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path}: {_missing(error)}") from error


def _result(folder: Path, row: dict[str, Any]) -> Result:
    """A result of any version's JSON object."""
    cameras = _cameras(folder, row)
    listed = row.get("views") or ()
    if isinstance(listed, dict):  # the extension's, of before there were versions
        listed = [{"camera": name, "file": listed[name]} for name in _in_order(listed, cameras)]
    layout = row.get("layout")
    notes = row.get("notes", ())
    if isinstance(layout, dict):
        layout, notes = layout["file"], layout.get("notes", ())
    occupancy, source = row.get("occupancy"), ""
    if isinstance(occupancy, dict):
        occupancy, source = occupancy["file"], str(occupancy.get("source", ""))
    known = {each.name for each in fields(Origin)}
    origin = {name: value for name, value in row.items() if name in known and value is not None}
    blockout = folder / BLOCKOUT_FILE
    return Result(
        folder,
        Origin(**{**origin, "kind": _kind(row, bool(listed), occupancy is not None, blockout.is_file())}),
        row.get("device", ""),
        float(row.get("seconds", 0.0)),
        {str(view["camera"]): _within(folder, view["file"]) for view in listed},
        cameras,
        None if occupancy is None else _within(folder, occupancy),
        blockout if blockout.is_file() else None,
        None if layout is None else _within(folder, layout),
        tuple(map(str, notes)),
        source if source in OCCUPANCY_SOURCES else "",
    )


def _cameras(folder: Path, row: dict[str, Any]) -> tuple[PinholeCamera, ...]:
    if "cameras" in row:  # the extension's, of before there were versions
        return tuple(cameras_from_rows(row["cameras"], f"{RESULT_FILE}: cameras"))
    path = folder / CAMERAS_FILE
    return tuple(load_cameras(path)) if path.is_file() else ()


def _in_order(views: dict[str, str], cameras: Sequence[PinholeCamera]) -> list[str]:
    return [camera.name for camera in cameras if camera.name in views] or list(views)


def _kind(row: dict[str, Any], has_views: bool, has_occupancy: bool, has_blockout: bool) -> str:
    """What a job was made from; folders of before there were versions say it in other words, or not at all."""
    kind = str(row.get("kind", "")).lower()
    if kind in KINDS:
        return kind
    if not has_occupancy:
        return "layout"
    return ("blockout" if has_blockout else "text") if has_views else "images"


def _within(folder: Path, file: Any) -> Path:
    """A file of the folder; what a `result.json` of unknown origin names is not sought elsewhere."""
    if not isinstance(file, str) or Path(file).name != file or file in ("", ".", ".."):
        raise ValueError(f"{file!r} is not the name of a file in the folder")
    return folder / file


def _missing(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


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

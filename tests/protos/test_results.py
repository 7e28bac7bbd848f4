"""The folder of a result: written whole, read again, and as earlier versions wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from occscene.camera import PinholeCamera, cameras_to_rows, save_cameras
from occscene.grid import SemanticGrid, load_grid, save_grid
from occscene.layout import Layout, LayoutObject
from occscene.placed_layout import PlacedLayout, load_layout
from occscene.results import OCCUPANCY_SOURCES, Origin, ResultFolder, read_result

ORIGIN = Origin(
    *("a room", "fog", 7, 12, 2.6, None, None, True, "FULL", 35.0, None),
    *("a-request", "a-job", "host:1", "2026-01-02T03:04:05"),
    kind="blockout",
)


def camera(name: str) -> PinholeCamera:
    return PinholeCamera(name, 64, 64, 80.0, 80.0, 32.0, 32.0, np.eye(4))


def grid() -> SemanticGrid:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[:, :, 0] = 2
    labels[0, 0, 4] = 255
    return SemanticGrid(labels, 0.08, np.eye(4), "indoor")


def layout() -> PlacedLayout:
    sofa = LayoutObject("sofa", "sofa", (0.0, 0.0, 0.4), (2.0, 0.9, 0.8), 0.0)
    return PlacedLayout(Layout("indoor", None, (sofa,)))


def written(folder: Path, origin: Origin = ORIGIN) -> Path:
    writer = ResultFolder(folder, origin, [camera("A"), camera("a"), camera("a/b")])
    writer.write_blockout(grid())
    for view in (2, 0, 1, 0):  # a job that ran twice sends a view twice
        writer.write_view(view, b"png of %d" % view)
    writer.write_occupancy(grid())
    writer.write_layout(layout(), ["piano: drawn as a sideboard"])
    writer.device = "cpu"
    writer.finish(1.23456)
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    result = read_result(written(tmp_path / "new" / "folder"))
    assert result.origin == ORIGIN
    assert (result.device, result.seconds) == ("cpu", 1.235)
    assert {name: path.read_bytes() for name, path in result.views.items()} == {
        name: b"png of %d" % view for view, name in enumerate(["A", "a", "a/b"])
    }
    assert list(result.views) == [item.name for item in result.cameras] == ["A", "a", "a/b"]
    assert result.occupancy is not None
    assert result.blockout is not None
    assert result.layout is not None
    np.testing.assert_array_equal(load_grid(result.occupancy).labels, grid().labels)
    assert load_grid(result.blockout).shape == (3, 4, 5)
    assert load_layout(result.layout).layout == layout().layout
    assert result.notes == ("piano: drawn as a sideboard",)


def test_result_json_is_as_documented(tmp_path: Path) -> None:
    row = json.loads((written(tmp_path) / "result.json").read_text("utf-8"))
    assert row == {
        "schema_version": 1,
        "kind": "blockout",
        "prompt": "a room",
        "negative_prompt": "fog",
        "seed": 7,
        "steps": 12,
        "text_guidance_scale": 2.6,
        "occupancy_guidance_scale": None,
        "strength": None,
        "without_prior": True,
        "quality": "FULL",
        "sun_elevation": 35.0,
        "sun_azimuth": None,
        "request_id": "a-request",
        "job_id": "a-job",
        "server": "host:1",
        "created": "2026-01-02T03:04:05",
        "kept_views": [],
        "device": "cpu",
        "seconds": 1.235,
        "views": [
            {"camera": "A", "file": "view_A.png"},
            {"camera": "a", "file": "view_a_2.png"},
            {"camera": "a/b", "file": "view_a_b.png"},
        ],
        "occupancy": {
            "file": "occupancy.npz",
            "taxonomy": "indoor",
            "shape": [3, 4, 5],
            "voxel_size": 0.08,
            "voxels": {"empty": 47, "floor": 12, "unknown": 1},
        },
        "layout": {"file": "layout.json", "notes": ["piano: drawn as a sideboard"]},
    }


def test_a_writer_that_takes_over_describes_what_the_first_wrote(tmp_path: Path) -> None:
    """The first process was killed after the layout and the occupancy; the second gets the end of the job only."""
    whole = (written(tmp_path / "whole") / "result.json").read_bytes()
    first = ResultFolder(tmp_path / "cut", ORIGIN, [camera("A"), camera("a"), camera("a/b")])
    first.write_layout(layout(), ["piano: drawn as a sideboard"])
    first.write_occupancy(grid())
    second = ResultFolder(tmp_path / "cut", ORIGIN, [camera("A"), camera("a"), camera("a/b")], resumed=True)
    second.device = "cpu"
    second.finish(1.23456)
    assert (tmp_path / "cut/result.json").read_bytes() == whole


def test_a_new_job_does_not_claim_what_an_earlier_one_left(tmp_path: Path) -> None:
    written(tmp_path)
    writer = ResultFolder(tmp_path, Origin(kind="images"), [camera("A")])
    writer.write_occupancy(grid())
    writer.finish(1.0)
    result = read_result(tmp_path)
    assert (result.origin.kind, result.views, result.layout) == ("images", {}, None)


EXTENSION = {  # of version 0.1.0, before there was a schema
    "job_id": "j",
    "server": "127.0.0.1:50051",
    "kind": "BLOCKOUT",
    "prompt": "a room",
    "negative_prompt": "",
    "seed": 3,
    "steps": 12,
    "text_guidance_scale": None,
    "occupancy_guidance_scale": 2.0,
    "without_prior": False,
    "quality": "FULL",
    "created": "2026-01-02T03:04:05+00:00",
    "seconds": 1.5,
    "views": {"right": "view_right.png", "left one": "view_left_one.png"},
    "occupancy": "occupancy.npz",
    "cameras": cameras_to_rows([camera("left one"), camera("right")]),
    "layout": "layout.json",
    "notes": ["a note"],
}
COMMAND_LINE = {
    "prompt": "a room",
    "negative_prompt": "",
    "seed": 3,
    "steps": None,
    "device": "cpu",
    "layout": {"file": "layout.json", "blockout": "blockout.npz", "notes": ["a note"]},
    "occupancy": {"file": "occupancy.npz", "taxonomy": "indoor", "shape": [3, 4, 5], "voxel_size": 0.08, "voxels": {}},
    "seconds": 1.5,
    "views": [{"camera": "left one", "file": "view_left one.png"}, {"camera": "right", "file": "view_right.png"}],
}


@pytest.mark.parametrize(("row", "left"), [(EXTENSION, "view_left_one.png"), (COMMAND_LINE, "view_left one.png")])
def test_earlier_versions_are_read(tmp_path: Path, row: dict[str, object], left: str) -> None:
    (tmp_path / "result.json").write_text(json.dumps(row), "utf-8")
    save_cameras(tmp_path / "cameras.json", [camera("left one"), camera("right")])
    save_grid(tmp_path / "blockout.npz", grid())
    result = read_result(tmp_path)
    assert result.views == {"left one": tmp_path / left, "right": tmp_path / "view_right.png"}
    assert [item.name for item in result.cameras] == ["left one", "right"]
    assert (result.origin.kind, result.origin.prompt, result.origin.seed) == ("blockout", "a room", 3)
    assert (result.occupancy, result.layout) == (tmp_path / "occupancy.npz", tmp_path / "layout.json")
    assert (result.notes, result.seconds) == (("a note",), 1.5)


@pytest.mark.parametrize("kind", ["COMPLETE", "REDRAW", "DETAIL"])
def test_composed_layouts_of_earlier_versions_are_layouts(tmp_path: Path, kind: str) -> None:
    row = {name: value for name, value in EXTENSION.items() if name not in ("views", "occupancy", "cameras")}
    (tmp_path / "result.json").write_text(json.dumps(row | {"kind": kind}), "utf-8")
    result = read_result(tmp_path)
    assert (result.origin.kind, result.views, result.occupancy) == ("layout", {}, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "result.json: "),
        ("[]", "result.json: "),
        ('{"schema_version": 2}', "schema_version is 2; this version reads up to 1"),
        ('{"schema_version": "new"}', "schema_version is 'new'"),
        ('{"views": [{"camera": "a"}]}', "'file' is missing"),
        ('{"views": [{"camera": "a", "file": "../../etc/passwd"}]}', "is not the name of a file in the folder"),
        ('{"views": {"a": "/etc/passwd"}}', "is not the name of a file in the folder"),
        ('{"occupancy": {"file": ".."}}', "is not the name of a file in the folder"),
        ('{"layout": 7}', "7 is not the name of a file in the folder"),
        ('{"seconds": "long"}', "result.json: "),
        ('{"cameras": [{"name": "a"}]}', "camera 0 lacks width"),
    ],
)
def test_what_is_no_result_is_one_error_that_names_the_file(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result\.json: ") as caught:
        read_result(tmp_path)
    assert says in str(caught.value)


def test_a_folder_without_a_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no result\.json; choose the folder of a result"):
        read_result(tmp_path)


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    writer = ResultFolder(tmp_path, ORIGIN, [camera("left")])
    (tmp_path / "view_left.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        writer.write_view(0, b"png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cameras.json", "view_left.png"]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "occupancy.npz.123.part").write_bytes(b"PK")
    assert not [path for path in written(tmp_path).iterdir() if path.suffix == ".part"]


@pytest.mark.parametrize("source", [*OCCUPANCY_SOURCES, ""])
def test_a_result_says_where_its_occupancy_comes_from(tmp_path: Path, source: str) -> None:
    writer = ResultFolder(tmp_path, ORIGIN)
    writer.write_occupancy(grid(), source)
    writer.finish(1.0)
    assert read_result(tmp_path).occupancy_source == source
    row = json.loads((tmp_path / "result.json").read_text("utf-8"))
    row["occupancy"]["source"] = "a source of a later version"
    (tmp_path / "result.json").write_text(json.dumps(row), encoding="utf-8")
    assert read_result(tmp_path).occupancy_source == ""

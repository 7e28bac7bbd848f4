"""Cameras files written by hand: a wrong field is named with its value and what it must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from occscene.camera import PinholeCamera, load_cameras, save_cameras

CAMERA = PinholeCamera("front", 64, 64, 80.0, 80.0, 32.0, 32.0, np.eye(4))


def loaded(path: Path, **changed: Any) -> PinholeCamera:
    """The camera of a file in which some fields are something else."""
    save_cameras(path, [CAMERA])
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([rows[0] | changed]))
    return load_cameras(path)[0]


def test_whole_numbers_may_be_written_as_fractions_and_fractions_as_whole_numbers(tmp_path: Path) -> None:
    camera = loaded(tmp_path / "c.json", width=64.0, fx=80)
    assert (camera.width, camera.fx) == (64, 80.0)
    assert isinstance(camera.width, int)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("fx", "wide", "fx is 'wide'; it must be a number of pixels"),
        ("cy", None, "cy is None; it must be a number of pixels"),
        ("fy", True, "fy is True; it must be a number of pixels"),
        ("width", "64", "width is '64'; it must be a whole number of pixels"),
        ("width", 64.5, "width is 64.5; it must be a whole number of pixels"),
        ("height", float("inf"), "height is inf; it must be a whole number of pixels"),
        ("height", [64], r"height is \[64\]; it must be a whole number of pixels"),
        ("name", 5, "name is 5; it must be text"),
        ("world_from_camera", "eye", "world_from_camera must be a 4x4 matrix of numbers"),
        ("world_from_camera", [[1, 0], [0]], "world_from_camera must be a 4x4 matrix of numbers"),
        ("world_from_camera", [1, 2], "world_from_camera has shape"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=f"c.json: camera 0: {says}"):
        loaded(tmp_path / "c.json", **{field: value})

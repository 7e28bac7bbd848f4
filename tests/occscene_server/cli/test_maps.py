"""`occscene-server maps`: files that image programs read, and a description of what they mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from occscene.camera import save_cameras
from occscene.grid import save_grid
from PIL import Image
from typer.testing import CliRunner

from occscene_server.cli.maps import CONVENTIONS
from occscene_server.cli.root import app
from tests.occscene_server.requests import looking_camera, sample_grid, sample_mesh


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["maps", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_maps_are_written_for_every_camera_and_described(tmp_path: Path) -> None:
    save_grid(tmp_path / "grid.npz", sample_grid(), sample_mesh())
    save_cameras(tmp_path / "cameras.json", [looking_camera("front"), looking_camera("a/b", 0.1)])
    output = tmp_path / "maps"
    arguments = (tmp_path / "grid.npz", "--cameras", tmp_path / "cameras.json", "--output", output)
    assert "2 views" in _run(*arguments, "--side", 128)
    described = json.loads((output / "maps.json").read_text("utf-8"))
    assert described["conventions"] == CONVENTIONS
    assert described["colors"]["ade20k"] == {"floor": [80, 50, 50]}  # the triangles, not the voxels
    assert [row["camera"] for row in described["views"]] == ["front", "a/b"]
    for row in described["views"]:
        assert set(row["files"]) == set(CONVENTIONS)
        for file in row["files"].values():
            with Image.open(output / file) as image:
                assert image.size == (128, 128)
                assert image.mode == "RGB"
    pixels = np.asarray(Image.open(output / "view_front_ade20k.png")).reshape(-1, 3)
    assert {tuple(pixel) for pixel in pixels.tolist()} == {(80, 50, 50), (0, 0, 0)}
    assert len(list(output.iterdir())) == 9


def test_what_cannot_be_drawn_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "grid.npz").write_bytes(b"no grid")
    save_cameras(tmp_path / "cameras.json", [looking_camera()])
    arguments = (tmp_path / "grid.npz", "--cameras", tmp_path / "cameras.json", "--output", tmp_path / "out")
    result = CliRunner().invoke(app, ["maps", *map(str, arguments)])
    assert result.exit_code == 1
    assert "grid.npz" in result.output
    assert "Traceback" not in result.output

"""What `make demo` prints of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("bpy")

import bpy

from occscene_server.studio.demo import no_infos


def test_steps_are_printed_and_reports_are_not(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bpy.ops.occscene.guess_classes() == {"FINISHED"}
    assert "Info: " in capsys.readouterr().out  # as Blender does
    with no_infos():
        bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server, steps=2)
    printed = capsys.readouterr().out
    assert "OccScene: " in printed
    assert "Info: " not in printed

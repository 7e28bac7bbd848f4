"""What `make demo` prints of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("bpy")

import bpy
import numpy as np
from occscene.grid import SemanticGrid
from occscene.rig import street_rig
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from occscene_server.studio.demo import class_view, no_infos, without_near_walls


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


def test_a_street_is_shown_under_its_sky_and_whole() -> None:
    volume = default_volume("outdoor")
    labels = np.zeros(volume.shape, np.uint8)
    labels[:, :, 0] = OUTDOOR.index_of("road")
    grid = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, OUTDOOR.name)
    view = class_view(grid, street_rig(volume, 64, 64)[0])
    assert (view[0] == (196, 214, 232)).all()
    assert (view[-1, :, 0] == view[-1, :, 2]).all()  # the road's magenta
    assert not view[-1, :, 1].any()
    assert without_near_walls(grid).labels is labels

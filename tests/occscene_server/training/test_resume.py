"""The real stages at a tiny size: stopped after every step and resumed, they are the training that was not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from occscene.grid import SemanticGrid
from typer.testing import CliRunner

from occscene_server.data.dataset import write_scene
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training.cli import train_app
from tests.occscene_server.training.test_chain import tiny_scene

pytestmark = pytest.mark.slow
STEPS = 2


def finer(grid: SemanticGrid) -> SemanticGrid:
    """The same in voxels half as large.

    In volumes of 2 x 2 voxels, to which perception would shrink the smaller grid, oneDNN's bfloat16 gradient of a 3D
    convolution is not defined: it differs from call to call (torch 2.13).
    """
    labels, instances = (np.kron(m, np.ones((2, 2, 2), m.dtype)) for m in (grid.labels, grid.instances))
    return replace(grid, labels=labels, instances=instances, voxel_size=grid.voxel_size / 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes to train on, one held out, and an autoencoder."""
    folder = tmp_path_factory.mktemp("resume")
    for seed in (1, 2, 3):
        scene = tiny_scene(seed)
        scene = replace(scene, occupancy=finer(scene.occupancy), blockout=finer(scene.blockout))
        write_scene(folder / "data", scene)
    torch.manual_seed(0)
    SceneAutoencoder().save_pretrained(folder / "vae")
    return folder


@pytest.mark.parametrize("stage", ["autoencoder", "perception", "denoiser"])
def test_a_stage_stopped_after_every_step_is_the_same(root: Path, stage: str) -> None:
    options = {
        "autoencoder": ("--batch", "1", "--crop", "64"),
        "perception": ("--batch", "1"),
        "denoiser": ("--batch", "1", "--widths", "32,32,64", "--vae", str(root / "vae")),
    }[stage]

    def run(name: str, *more: str) -> dict[str, Any]:
        output = root / stage / name
        arguments = [stage, "--data", str(root / "data"), "--output", str(output), "--steps", str(STEPS)]
        result = CliRunner().invoke(train_app, [*arguments, *options, *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return torch.load(output / "checkpoint.pt", weights_only=True)

    whole = run("whole")
    for step in range(1, STEPS + 1):
        cut = run("cut", "--max-minutes", "1e-9")
        assert cut["step"] == step
    assert _same(cut["model"].values(), whole["model"].values())
    assert _same(cut["average"]["shadow_params"], whole["average"]["shadow_params"])
    assert _losses(root / stage / "cut") == _losses(root / stage / "whole")


def _same(tensors: Iterable[torch.Tensor], others: Iterable[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(tensors, others, strict=True))


def _losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]

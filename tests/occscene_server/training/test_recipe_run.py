"""A recipe on tiny rooms: killed twice and resumed, it gives the weights of the commands that `--dry-run` prints."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.data.dataset import write_scene
from occscene_server.data.layouts import write_layouts
from occscene_server.studio.layouts import room_record
from occscene_server.training import loop
from tests.occscene_server.training.small_prior import start_with_a_small_prior
from tests.occscene_server.training.test_chain import tiny_scene
from tests.occscene_server.training.test_resume import finer
from tests.patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(15 * PATIENCE)]  # two whole trainings, if only of some steps

RECIPE = """
[data.rooms]
command = "studio render"
scenes = "1:4"

[data.layouts]
command = "studio layouts"
scenes = "0:1000"

[stage.autoencoder]
command = "train autoencoder"
data = "rooms"
steps = 2
batch = 1
crop = 64

[stage.sharper]
command = "train autoencoder"
data = "rooms"
decoder_of = "autoencoder"
steps = 2
batch = 1
crop = 64

[stage.perception]
command = "train perception"
data = "rooms"
steps = 2
pixel_steps = 1
batch = 1
minutes = 0.1

[stage.regression-prior]
command = "train regression-prior"
data = "rooms"
vae = "sharper"
steps = 2
batch = 1

[stage.denoiser]
command = "train denoiser"
data = "rooms"
vae = "sharper"
initial = "regression-prior"
steps = 3
batch = 1

[stage.joint]
command = "train joint"
data = "rooms"
vae = "sharper"
denoiser = "denoiser"
perception = "perception"
steps = 2
batch = 1
freeze_perception = false

[stage.bundle]
command = "train bundle"
vae = "sharper"
denoiser = "joint"
perception = "joint"
noise_scale = 0.5

[stage.first]
command = "train layout"
data = "layouts"
steps = 2
batch = 2
width = 32
layers = 1
seed = 1

[stage.second]
command = "train layout"
data = "layouts"
initial = "first"
keep = 0.3
steps = 2
batch = 2
"""
STAGES = ("autoencoder", "sharper", "perception", "regression-prior", "denoiser", "joint", "bundle", "first", "second")

# the command line with a checkpoint after every step, which ends as by the kernel's hand after a chosen one
KILLED = """
import os, signal
from functools import partial
from occscene_server.training import loop

loop.LoopOptions = partial(loop.LoopOptions, checkpoint_minutes=0)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

from pytest import MonkeyPatch
from tests.occscene_server.training.small_prior import start_with_a_small_prior
from tests.occscene_server.training.test_recipe_run import ends_after

with MonkeyPatch.context() as patch:
    start_with_a_small_prior(patch)
    ends_after(patch, os.environ["KILL_AFTER"], die)
    from occscene_server.cli.root import main
    main()
"""


class Ended(BaseException):
    """Ends a run in this process as a kill would: nothing catches it."""


def ends_after(monkeypatch: pytest.MonkeyPatch, last: str, end: Callable[[], None]) -> None:
    """Has training end after the checkpoint of a "stage:step"."""
    save = loop._save

    def save_and_end(*arguments: Any) -> None:
        save(*arguments)
        step, options = arguments[3], arguments[5]
        if f"{options.output.name}:{step}" == last:
            end()

    monkeypatch.setattr(loop, "_save", save_and_end)


@pytest.fixture(scope="module", autouse=True)
def _small_prior() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        start_with_a_small_prior(patch)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    for seed in (1, 2, 3):
        scene = tiny_scene(seed)
        write_scene(
            folder / "data/rooms",
            replace(scene, occupancy=finer(scene.occupancy), blockout=finer(scene.blockout)),
        )
    (folder / "data/layouts").mkdir()
    write_layouts(folder / "data/layouts/layouts_00000000.npz", [room_record(seed) for seed in range(5)])
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def by_hand(root: Path) -> Path:
    """The output of the printed commands, each run as it is printed."""
    output = root / "by hand"
    lines = recipe(root, output, "--dry-run").splitlines()
    assert len(lines) == len(STAGES)
    assert not output.exists()
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "occscene-server"
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return output


@pytest.fixture(scope="module")
def killed(root: Path) -> Path:
    """The output of the recipe, killed in the middle of a stage and between a stage's last step and its weights."""
    output = root / "killed"
    assert killable(root, output, "denoiser:2") == -signal.SIGKILL
    assert finished(output) == {"autoencoder", "sharper", "perception", "regression-prior"}
    written = stamp(output / "autoencoder")
    with pytest.MonkeyPatch.context() as patch:
        ends_after(patch, "joint:2", _end)
        with pytest.raises(Ended):
            CliRunner().invoke(app, recipe_words(root, output))
    assert finished(output) == {"autoencoder", "sharper", "perception", "regression-prior", "denoiser"}
    assert not (output / "joint/denoiser").exists()
    recipe(root, output)
    assert stamp(output / "autoencoder") == written
    return output


def _end() -> None:
    raise Ended


def recipe_words(root: Path, output: Path) -> list[str]:
    return ["train", "recipe", str(root / "tiny.toml"), "--data", str(root / "data"), "--output", str(output)]


def recipe(root: Path, output: Path, *more: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*recipe_words(root, output), *more])
    assert result.exit_code == code, result.output
    return result.output


def killable(root: Path, output: Path, kill_after: str) -> int:
    environment = {**os.environ, "KILL_AFTER": kill_after}
    command = [sys.executable, "-c", KILLED, *recipe_words(root, output)]
    return subprocess.run(command, env=environment, check=False).returncode


def finished(output: Path) -> set[str]:
    records = {path.parent.name: json.loads(path.read_text()) for path in output.glob("*/recipe.json")}
    return {name for name, record in records.items() if record["finished"]}


def stamp(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def weights(output: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {str(path.relative_to(output)): load_file(path) for path in output.rglob("*.safetensors")}


@pytest.mark.release
def test_killed_and_resumed_it_is_the_training_of_the_printed_commands(by_hand: Path, killed: Path) -> None:
    whole, resumed = weights(by_hand), weights(killed)
    assert whole.keys() == resumed.keys()
    assert {name.split("/")[0] for name in whole} == set(STAGES)
    for name, tensors in whole.items():
        for key, value in tensors.items():
            assert torch.equal(value, resumed[name][key]), f"{name}: {key}"
    assert json.loads((killed / "bundle/model_index.json").read_text())["default_noise_scale"] == 0.5


def test_what_is_finished_is_skipped(root: Path, killed: Path) -> None:
    before = stamp(killed)
    assert recipe(root, killed, "--dry-run") == ""
    assert "All is finished" in recipe(root, killed)
    assert stamp(killed) == before


def test_a_share_of_the_first_layout_prior_is_in_the_second(root: Path, killed: Path, tmp_path: Path) -> None:
    trained_only = (root / "tiny.toml").read_text().replace("keep = 0.3\n", "")
    text = "[data.layouts]" + trained_only.split("[data.layouts]")[1].split("[stage.autoencoder]")[0]
    (tmp_path / "tiny.toml").write_text(text + "[stage.first]" + trained_only.split("[stage.first]")[1])
    (tmp_path / "data").symlink_to(root / "data")
    recipe(tmp_path, tmp_path / "out")
    name = "layout/diffusion_pytorch_model.safetensors"
    first, mixed = load_file(killed / "first" / name), load_file(killed / "second" / name)
    assert all(torch.equal(value, first[key]) for key, value in load_file(tmp_path / "out/first" / name).items())
    trained = load_file(tmp_path / "out/second" / name)
    assert torch.equal(mixed["albedo"], trained["albedo"])  # counted in the data, not trained
    for key in first.keys() - {"albedo"}:
        expected = 0.3 * first[key].float() + 0.7 * trained[key].float()
        torch.testing.assert_close(mixed[key].float(), expected, rtol=2e-3, atol=1e-4)
    assert any(not torch.equal(mixed[key], trained[key]) for key in first)


def test_one_stage_runs_by_itself_once_its_inputs_are_finished(root: Path, killed: Path, tmp_path: Path) -> None:
    assert "takes the weights of sharper" in recipe(root, tmp_path / "none", "--only", "regression-prior", code=2)
    assert "the stages are autoencoder" in recipe(root, tmp_path / "none", "--only", "gues", code=2)
    assert recipe(root, tmp_path / "none", "--only", "first", "--dry-run").count("\n") == 1
    assert "bundle is finished" in recipe(root, killed, "--only", "bundle")


def test_other_options_or_inputs_than_those_of_a_folder_are_refused(root: Path, killed: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(root / "data")
    before = stamp(killed)

    def refused(old: str, new: str, *more: str) -> str:
        assert RECIPE.count(old) == 1
        (tmp_path / "tiny.toml").write_text(RECIPE.replace(old, new))
        return recipe(tmp_path, killed, *more, code=2)

    assert "begun with steps = 3, the recipe says steps = 4" in refused("steps = 3", "steps = 4")
    assert "no learning_rate, the recipe says learning_rate" in refused("steps = 3", "steps = 3\nlearning_rate = 1e-4")
    # its own options are the same, what it was made from is not
    old = "steps = 2\nbatch = 1\ncrop = 64\n\n[stage.sharper]"
    assert "sharper was begun with another decoder_of" in refused(old, old.replace("2", "4"), "--only", "bundle")
    assert stamp(killed) == before


def test_data_that_lacks_scenes_or_has_others_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/layouts").symlink_to(root / "data/layouts")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    text = recipe(tmp_path, tmp_path / "out", code=2)
    make = f"occscene-server studio render --scenes 1:4 --output {tmp_path}/data/rooms"
    assert "data set rooms lacks 3 of 3 scenes" in text
    assert make in text
    assert recipe(tmp_path, tmp_path / "out", "--dry-run").splitlines()[0] == make
    (tmp_path / "data/rooms").symlink_to(root / "data/rooms")
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("1:4", "1:3"))
    for more in ((), ("--dry-run",)):
        text = recipe(tmp_path, tmp_path / "out", *more, code=2)
        assert "has 1 scenes that data set rooms does not name, as scene_000003" in text
    assert not (tmp_path / "out").exists()

"""Training the parts prior at a tiny size: it learns, held-out rooms are kept out, and stopping changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from occscene_server.data.layouts import layout_files, write_layouts
from occscene_server.models.parts_prior import PartsPrior
from occscene_server.studio.layouts import room_record
from occscene_server.training.cli import train_app
from occscene_server.training.parts_stage import Pieces, new_prior


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    write_layouts(folder / "layouts_00000000.npz", [room_record(seed) for seed in range(23)])
    return folder


def test_pieces_are_those_of_their_split_and_no_more_than_asked(data: Path) -> None:
    files = layout_files(data)
    prior = new_prior(files, 32, 1)
    names = prior.vocabulary.kinds, prior.material_names
    training, held_out = (Pieces(files, split, *names, 3) for split in ("train", "validation"))
    assert np.bincount(training.kind).max() == 3
    records = {seed: room_record(seed) for seed in (1, 21)}
    sizes = {tuple(np.float32(obj.size)) for record in records.values() for obj in record.layout.objects}
    assert {tuple(np.float32(size)) for size in held_out.size} <= sizes
    assert not {tuple(np.float32(size)) for size in training.size if size[0] > 1} & sizes


def test_batches_depend_on_their_generator_alone(data: Path) -> None:
    files = layout_files(data)
    prior = new_prior(files, 32, 1)
    pieces = Pieces(files, "train", prior.vocabulary.kinds, prior.material_names, 4)
    one, same, other = (pieces.batch([0, 5, 9], np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.numbers, same.numbers)
    assert torch.equal(one.phrase, same.phrase)
    assert not torch.equal(one.size, other.size)
    plain = pieces.batch([0, 5, 9], None)
    np.testing.assert_allclose(plain.size, pieces.size[[0, 5, 9]], rtol=1e-6)
    assert (plain.phrase.abs().sum(1) > 0).all()


@pytest.mark.slow
def test_a_run_stopped_after_every_step_is_the_same(data: Path, tmp_path: Path) -> None:
    def run(name: str, *more: str) -> dict[str, torch.Tensor]:
        arguments = ["parts", "--data", str(data), "--output", str(tmp_path / name), "--steps", "3", "--batch", "8"]
        arguments += ["--width", "32", "--layers", "1", "--pieces", "4", *more]
        result = CliRunner().invoke(train_app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]

    whole = run("whole")
    for _ in range(3):
        resumed = run("resumed", "--max-minutes", "0")
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    prior = PartsPrior.from_pretrained(tmp_path / "whole" / "parts")
    assert "sofa" in prior.vocabulary.kinds
    assert float(prior.fronts.log_size[prior.vocabulary.kinds.index("sofa"), 0]) == pytest.approx(np.log(2.0), abs=0.3)


@pytest.mark.slow
def test_it_learns(data: Path, tmp_path: Path) -> None:
    arguments = ["parts", "--data", str(data), "--output", str(tmp_path), "--steps", "100", "--batch", "8"]
    arguments += ["--width", "32", "--layers", "1", "--pieces", "4", "--learning-rate", "0.02"]
    assert CliRunner().invoke(train_app, arguments, catch_exceptions=False).exit_code == 0
    rows = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"loss"' in line]
    losses = [float(row.split('"loss": ')[1].split(",")[0]) for row in rows]
    assert losses[-1] < 0.6 * losses[0]

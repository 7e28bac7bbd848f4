"""Training the layout prior at a tiny size: from data to loss, and a run that is stopped is the one that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from occscene_server.data.dataset import split_of
from occscene_server.data.layouts import layout_files, write_layouts
from occscene_server.models.layout_prior import LayoutBatch, LayoutPrior
from occscene_server.models.text import encode_prompts, load_minilm
from occscene_server.studio.layouts import room_record
from occscene_server.training.cli import train_app
from occscene_server.training.layout_stage import LayoutRooms, load_rooms, vocabulary_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    write_layouts(folder / "layouts_00000000.npz", [room_record(seed) for seed in range(23)])
    return folder


@pytest.fixture(scope="module")
def rooms(data: Path) -> LayoutRooms:
    files = layout_files(data)
    return load_rooms(files, ("train",), vocabulary_of(files))[0]


@pytest.mark.slow
def test_states_are_those_of_the_prompts(rooms: LayoutRooms) -> None:
    (own,) = rooms.states
    prompt = 7
    text = rooms.files[0].prompts(1)[3].text
    states, mask = encode_prompts(*load_minilm(), [text])
    torch.testing.assert_close(own[prompt].float(), states[0][mask[0]], atol=0.1, rtol=0.1)


def test_held_out_rooms_are_not_trained_on(rooms: LayoutRooms) -> None:
    seeds = [rooms.files[number].seeds[room] for number, room in rooms.places]
    assert {split_of(seed) for seed in seeds} == {"train"}
    assert len(seeds) == 19


def test_batches_depend_on_their_generator_alone_and_differ(rooms: LayoutRooms) -> None:
    def batch(seed: int) -> LayoutBatch:
        rng = np.random.default_rng(seed)
        return rooms.batch(rooms.asked([0, 1, 2], rng), rng)

    one, same, other = map(batch, (1, 1, 2))
    assert torch.equal(one.objects, same.objects)
    assert torch.equal(one.text, same.text)
    assert one.boxes.shape != other.boxes.shape or not torch.equal(one.boxes, other.boxes)


def test_rooms_are_asked_for_with_prompts_of_their_own_short_ones_first(rooms: LayoutRooms) -> None:
    rows = list(range(len(rooms))) * 8
    asked = rooms.asked(rows, np.random.default_rng(0))
    assert sorted(row for row, _ in asked) == sorted(rows)
    lengths = [0 if prompt is None else len(rooms.states[0][prompt]) for _, prompt in asked]
    assert lengths == sorted(lengths)
    assert 0 < lengths.count(0) < len(rows) / 3
    for row, prompt in asked:
        assert prompt is None or prompt in rooms.rooms[row].prompts


def test_given_objects_come_first_and_are_the_room_s(rooms: LayoutRooms) -> None:
    for seed in range(20):
        batch = rooms.batch([(4, None)], np.random.default_rng(seed))
        assert not batch.text_mask.any()
        count, given = int(batch.count[0]), int(batch.given[0])
        assert 0 <= given <= count == len(rooms.rooms[4].names)
        kinds = batch.objects[0, :count, 0].tolist()
        assert sorted(kinds) == sorted(rooms.rooms[4].names[:, 0].tolist())
        rest = rooms.rooms[4].names[:, 0].tolist()
        for kind in kinds[:given]:
            rest.remove(kind)
        if given == 0:
            assert kinds == rest


@pytest.mark.slow
def test_a_run_stopped_after_every_step_is_the_same(data: Path, tmp_path: Path) -> None:
    def run(name: str, *more: str) -> dict[str, torch.Tensor]:
        arguments = ["layout", "--data", str(data), "--output", str(tmp_path / name), "--steps", "3", "--batch", "2"]
        arguments += ["--width", "32", "--layers", "1", *more]
        result = CliRunner().invoke(train_app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]

    whole = run("whole")
    for _ in range(3):
        resumed = run("resumed", "--max-minutes", "0")
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    prior = LayoutPrior.from_pretrained(tmp_path / "whole" / "layout")
    colors = prior.albedo[prior.vocabulary.kinds.index("sofa")]
    assert ((colors >= 0) & (colors <= 1)).all()


def test_a_folder_without_layouts_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="occscene-server studio layouts"):
        layout_files(tmp_path)


def test_states_of_other_prompts_are_refused(data: Path, rooms: LayoutRooms) -> None:
    files = layout_files(data)
    files[0].arrays["prompt"] = files[0].arrays["prompt"][:-1]
    with pytest.raises(ValueError, match="delete it"):
        load_rooms(files, ("train",), vocabulary_of(files))

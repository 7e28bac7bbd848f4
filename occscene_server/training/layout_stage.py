"""Training the layout prior on rooms or streets that the studio's grammar wrote, without rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from occscene.layout import Layout
from torch import Tensor

from occscene_server.data.dataset import split_of
from occscene_server.data.layouts import PROMPT_VERSION, LayoutFile, LayoutPrompt, layout_files
from occscene_server.geometry.street_layout import street_layout
from occscene_server.models.layout_prior import LayoutBatch, LayoutPrior
from occscene_server.models.layout_tokens import (
    RANGES,
    Ranges,
    Vocabulary,
    decode_boxes,
    encode_boxes,
    turned_boxes,
)
from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import load_minilm
from occscene_server.terminal import say
from occscene_server.training import arguments as arg
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.prompt_states import PromptStates, stacked
from occscene_server.training.stage import Loss, blend_parameters, check_keep, report

TEXT_DROPOUT = 0.12
GIVEN_SHARE = 0.3
"""Share of the layouts in which some of the objects are given."""
TOGETHER = 8
"""Steps whose rooms are drawn together and sorted by the length of their prompts, so that little is padding."""
OBJECT_PARTS = ("kind", "color", "turn", "width", "depth", "height", "bottom", "back", "along")


@dataclass(frozen=True, eq=False)
class _Room:
    """One room as arrays: size (3,), words of walls and floor (2,), objects' kind and colour (N, 2), boxes (N, 7).

    Of a street: bend, kind and season, and the objects of its plan.
    """

    size: NDArray[np.float64]
    surfaces: NDArray[np.int64]
    names: NDArray[np.int64]
    boxes: NDArray[np.float64]
    file: int
    prompts: range


class LayoutRooms:
    """Rooms of one split in memory, their prompts' states on disk.

    Args:
        files: of layouts.
        split: "train", "validation" or "test".
        vocabulary: of the kinds and words.
        states: of each file's prompts.
    """

    def __init__(
        self, files: Sequence[LayoutFile], split: str, vocabulary: Vocabulary, states: Sequence[PromptStates]
    ) -> None:
        self.states, self.rooms, self.files = states, [], files
        self.ranges = vocabulary.ranges
        self.places: list[tuple[int, int]] = []
        for number, file in enumerate(files):
            text, arrays = file.text, file.arrays
            kinds, colors, surfaces = (
                {text.index(word): i for i, word in enumerate(words) if word in text}
                for words in (vocabulary.kinds, vocabulary.colors, vocabulary.surfaces)
            )
            first, first_prompt = 0, 0
            for room, seed in enumerate(file.seeds):
                end, prompt_end = int(arrays["object_end"][room]), int(arrays["prompt_end"][room])
                if split_of(seed) == split and end - first <= self.ranges.most:
                    words = arrays["object_words"][first:end]
                    names = np.array([(kinds[int(row[0])], colors[int(row[2])]) for row in words], np.int64)
                    walls, floor = (surfaces[int(row)] for row in arrays["room_words"][room, 5:7])
                    self.rooms.append(
                        _Room(
                            arrays["room_size"][room].astype(np.float64), np.array([walls, floor]), names,
                            arrays["object_box"][first:end].astype(np.float64), number, range(first_prompt, prompt_end),
                        )
                    )  # fmt: skip
                    self.places.append((number, room))
                first, first_prompt = end, prompt_end
        if not self.rooms:
            raise ValueError(f"the layouts hold no {split} room; write more with `occscene-server studio layouts`")

    def __len__(self) -> int:
        return len(self.rooms)

    def prompts(self, row: int) -> tuple[LayoutPrompt, ...]:
        """The prompts of a room."""
        number, room = self.places[row]
        return self.files[number].prompts(room)

    def layout(self, row: int) -> Layout:
        """The boxes of a room or street."""
        number, room = self.places[row]
        layout = self.files[number].layout(room)
        return layout if layout.room is not None else street_layout(layout.objects, self.files[number].course(room))

    def of_one_kind(self, count: int) -> list[Layout]:
        """The first rooms that are of the kind of the first, such as bedrooms."""
        kinds = [
            self.files[number].text[self.files[number].arrays["room_words"][room, 0]] for number, room in self.places
        ]
        return [self.layout(row) for row, kind in enumerate(kinds) if kind == kinds[0]][:count]

    def asked(self, rows: Sequence[int], rng: np.random.Generator) -> list[tuple[int, int | None]]:
        """Rooms with a prompt each, or none, those of like long prompts together."""
        drawn: list[tuple[int, int | None]] = []
        for row in rows:
            prompt = int(rng.choice(self.rooms[row].prompts))
            drawn.append((row, prompt if rng.random() >= TEXT_DROPOUT else None))
        return sorted(
            drawn, key=lambda one: 0 if one[1] is None else self.states[self.rooms[one[0]].file].length(one[1])
        )

    def batch(self, asked: Sequence[tuple[int, int | None]], rng: np.random.Generator) -> LayoutBatch:
        """Rooms of `asked` for training: mirrored and turned, some objects given; streets know left from right."""
        drawn, states = [], []
        for row, prompt in asked:
            room = self.rooms[row]
            quarters, mirror = int(rng.integers(4)), bool(rng.integers(2))
            if self.ranges.taxonomy == "outdoor":
                quarters, mirror = 0, False
            order, given = _given_first(len(room.names), rng)
            size = room.size[[1, 0, 2]] if quarters % 2 else room.size
            boxes = turned_boxes(room.boxes, mirror, quarters)
            drawn.append((size, room.surfaces, room.names[order], boxes[order], given))
            own = self.states[room.file]
            states.append(torch.zeros(0, own.width, dtype=torch.bfloat16) if prompt is None else own[prompt])
        return batched(drawn, *stacked(states), self.ranges)

    def plain(self, rows: Sequence[int], prompt: int | None) -> LayoutBatch:
        """Rooms as they are, all with their prompt of that number, or without any."""
        drawn, states = [], []
        for row in rows:
            room = self.rooms[row]
            drawn.append((room.size, room.surfaces, room.names, room.boxes, 0))
            own = self.states[room.file]
            states.append(
                torch.zeros(0, own.width, dtype=torch.bfloat16) if prompt is None else own[room.prompts[prompt]]
            )
        return batched(drawn, *stacked(states), self.ranges)

    def albedo(self, vocabulary: Vocabulary) -> Tensor:
        """(kinds, colours, 3) mean albedo of objects by kind and colour word; of the word only where there is none."""
        total = np.zeros((len(vocabulary.kinds), len(vocabulary.colors), 4))
        for row, (number, room) in enumerate(self.places):
            end = self.files[number].arrays["object_end"]
            span = slice(int(end[room - 1]) if room else 0, int(end[room]))
            colors = self.files[number].arrays["object_color"][span]
            names = self.rooms[row].names
            np.add.at(total, (names[:, 0], names[:, 1]), np.concatenate([colors, np.ones((len(colors), 1))], 1))
        of_word = total.sum(0)
        of_word = of_word[:, :3] / np.maximum(of_word[:, 3:], 1)
        mean = np.where(total[..., 3:] > 0, total[..., :3] / np.maximum(total[..., 3:], 1), of_word[None])
        return torch.from_numpy(mean).float()


Drawn = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]


def _given_first(count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """An order of objects with a random subset of them in front, in random order, and how many those are."""
    if rng.random() >= GIVEN_SHARE:
        return np.arange(count), 0
    share = rng.random() if rng.random() < 0.8 else 1.0 - 1.0 / max(count, 1)
    chosen = rng.permutation(count)[: min(int(share * count + 0.5), count)]
    rest = np.setdiff1d(np.arange(count), chosen)
    return np.concatenate([chosen, rest]), len(chosen)


def batched(drawn: Sequence[Drawn], text: Tensor, text_mask: Tensor, ranges: Ranges = RANGES["indoor"]) -> LayoutBatch:
    """A batch of rooms (size, surfaces, names, boxes, given) and their prompts' states."""
    count = [len(names) for _, _, names, _, _ in drawn]
    room = np.stack([np.concatenate([ranges.encode_scene(size), surfaces]) for size, surfaces, _, _, _ in drawn])
    room_size = ranges.frame(room[:, :3])
    sizes = np.repeat(room_size, count, axis=0)
    numbers = encode_boxes(np.concatenate([boxes for _, _, _, boxes, _ in drawn]), sizes, ranges)
    flat = np.concatenate([np.concatenate([names for _, _, names, _, _ in drawn]), numbers], 1)
    boxes = decode_boxes(numbers, sizes, ranges)
    boxes[:, :6] /= ranges.unit
    objects = np.zeros((len(drawn), max(count), 9), np.int64)
    placed = np.ones((len(drawn), max(count), 7))
    there = np.arange(max(count)) < np.array(count)[:, None]
    objects[there], placed[there] = flat, boxes
    return LayoutBatch(
        torch.from_numpy(room),
        torch.from_numpy(room_size / ranges.unit).float(),
        torch.from_numpy(objects),
        torch.from_numpy(placed).float(),
        torch.tensor(count),
        torch.tensor([given for *_, given in drawn]),
        text,
        text_mask,
    )


def layout_loss(model: LayoutPrior, batch: LayoutBatch) -> tuple[Tensor, dict[str, float]]:
    """Nats an object, the room's and the end's shared among them."""
    parts = model.log_likelihoods(batch)
    objects = (batch.count - batch.given).clamp_min(1).sum()
    return -sum(part.sum() for part in parts.values()) / objects, {}


@torch.no_grad()
def held_out_nats(model: LayoutPrior, rooms: LayoutRooms, count: int = 128) -> dict[str, float]:
    """Nats an object of whole rooms with whole prompts, its parts, and the sum without any prompt."""
    totals: dict[str, float] = {}
    rows = range(min(count, len(rooms)))
    objects = sum(len(rooms.rooms[row].names) for row in rows)
    for prompt, prefix in ((0, ""), (None, "untold_")):
        for first in range(0, len(rows), 32):
            parts = model.log_likelihoods(rooms.plain(rows[first : first + 32], prompt))
            for name in OBJECT_PARTS:
                totals[prefix + name] = totals.get(prefix + name, 0.0) - float(parts[name].sum()) / objects
    nats = sum(totals[name] for name in OBJECT_PARTS)
    untold = {name: totals[f"untold_{name}"] for name in ("kind", "color")}
    return {
        "nats": nats,
        **{name: totals[name] for name in OBJECT_PARTS},
        "nats_without_text": sum(totals[f"untold_{name}"] for name in OBJECT_PARTS),
        **{f"{name}_without_text": value for name, value in untold.items()},
    }


def vocabulary_of(files: Sequence[LayoutFile]) -> Vocabulary:
    """Kinds and words that occur in files of layouts."""
    kinds: dict[str, str] = {}
    sizes: dict[str, list[NDArray[np.float64]]] = {}
    colors, surfaces = {""}, {""}
    for file in files:
        words = file.arrays["object_words"]
        for name in np.unique(words[:, 0]):
            of_kind = file.arrays["object_box"][words[:, 0] == name, 3:6].astype(np.float64)
            sizes.setdefault(file.text[name], []).append(of_kind)
        for name, class_name in np.unique(words[:, :2], axis=0):
            kinds[file.text[name]] = file.text[class_name]
        colors |= {file.text[word] for word in np.unique(words[:, 2])}
        surfaces |= {file.text[word] for word in np.unique(file.arrays["room_words"][:, 5:7])}
    names = sorted(kinds)
    mean = [np.concatenate(sizes[name]).mean(0).round(3).tolist() for name in names]
    return Vocabulary(
        tuple(names), tuple(kinds[name] for name in names), tuple(sorted(colors)), tuple(sorted(surfaces)),
        tuple((width, depth, height) for width, depth, height in mean), files[0].taxonomy,
    )  # fmt: skip


def load_rooms(files: Sequence[LayoutFile], splits: Sequence[str], vocabulary: Vocabulary) -> list[LayoutRooms]:
    """Rooms of some splits; prompts that are new are encoded first, into the folder `text` next to the files."""
    older = sum(file.prompt_version < PROMPT_VERSION for file in files)
    if older:
        say(
            f"{older} of {len(files)} files have prompts of an older version; they serve, but newer ones are better: "
            "write them anew with `occscene-server studio layouts` into another folder"
        )
    encoder, tokenizer = load_minilm()
    states = [
        PromptStates(
            file.path.parent / "text" / file.path.stem,
            [LayoutPrompt.from_json(file.text[row]).text for row in file.arrays["prompt"]],
            encoder,
            tokenizer,
        )
        for file in files
    ]
    return [LayoutRooms(files, split, vocabulary, states) for split in splits]


def layout(
    data: arg.Layouts,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("layout",))],
    steps: arg.Steps = 40000,
    batch: Annotated[int, typer.Option(min=1, help="Rooms or streets a step.")] = 24,
    width: arg.StateWidth = 128,
    layers: arg.Layers = 4,
    learning_rate: arg.LearningRate = 2e-3,
    ema_decay: arg.EmaDecay = 0.998,
    initial: Annotated[Path | None, arg.INITIAL, arg.Weights("layout")] = None,
    keep: arg.Keep = 0.0,
    max_minutes: arg.MaxMinutes = None,
    seed: arg.Seed = 0,
) -> None:
    """Train the layout prior: words to rooms or streets of named, colored boxes."""
    check_keep(keep, initial)
    files = layout_files(data)
    vocabulary = LayoutPrior.from_pretrained(initial).vocabulary if initial else vocabulary_of(files)
    rooms, held_out = load_rooms(files, ("train", "validation"), vocabulary)
    torch.manual_seed(seed)
    model = LayoutPrior.from_pretrained(initial) if initial else new_prior(vocabulary, width, layers)
    model.albedo.copy_(rooms.albedo(vocabulary))
    if initial is None:
        model.start_lookup(*load_minilm())
    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=100, decay_fraction=0.3, ema_decay=ema_decay, weight_decay=0.05,
        optimizer="muon", max_minutes=max_minutes,
    )  # fmt: skip
    finished = train(model, loss_of(model, rooms, batch, seed), options, lambda: _evaluate(model, held_out))
    if initial is not None:
        blend_parameters(model, LayoutPrior.from_pretrained(initial), keep)
    model.half().save_pretrained(output / "layout")
    model.float()  # the metrics are those of the rounded weights
    report(finished, output / "layout", _evaluate(model, held_out))


def new_prior(vocabulary: Vocabulary, width: int, layers: int) -> LayoutPrior:
    """An untrained prior."""
    return LayoutPrior(
        list(vocabulary.kinds), list(vocabulary.classes), list(vocabulary.colors), list(vocabulary.surfaces),
        [list(size) for size in vocabulary.sizes], width, layers, max(1, width // 32), taxonomy=vocabulary.taxonomy,
    )  # fmt: skip


def loss_of(model: LayoutPrior, rooms: LayoutRooms, batch: int, seed: int) -> Callable[[int], Loss]:
    """What `train` asks for: the loss of a step, whose rooms depend only on the seed and the step."""

    def loss_of_step(step: int) -> Loss:
        shared, own = np.random.default_rng((seed, step // TOGETHER, 1)), np.random.default_rng((seed, step))
        many = TOGETHER * batch
        asked = rooms.asked(shared.choice(len(rooms), many, replace=len(rooms) < many).tolist(), shared)
        first = int(shared.permutation(TOGETHER)[step % TOGETHER]) * batch
        return layout_loss(model, rooms.batch(asked[first : first + batch], own))

    return loss_of_step


def _evaluate(model: LayoutPrior, rooms: LayoutRooms) -> dict[str, float]:
    with fast_autocast("cpu"):
        return held_out_nats(model, rooms)

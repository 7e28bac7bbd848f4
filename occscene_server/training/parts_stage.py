"""Training the parts prior on the pieces of rooms or streets that the studio's grammar wrote, without rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from occscene_server.data.dataset import split_of
from occscene_server.data.layouts import LayoutFile, layout_files
from occscene_server.data.recorded_parts import boxed_anew, recorded_solids
from occscene_server.geometry.solids import Solids
from occscene_server.geometry.street_layout import FRAME
from occscene_server.models.layout_tokens import Vocabulary
from occscene_server.models.object_fronts import ObjectFronts
from occscene_server.models.part_groups import grouped
from occscene_server.models.part_tokens import MAX_PARTS, UNITS, encode_parts
from occscene_server.models.parts_prior import PartsBatch, PartsPrior
from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import load_minilm, phrase_states
from occscene_server.training import arguments as arg
from occscene_server.training.layout_stage import vocabulary_of
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stage import Loss, report, seeded

PHRASE_DROPOUT = 0.25
STRETCHED_SHARE, STRETCH = 0.7, 0.12
"""Of the pieces, and by how much at most: artists' boxes are a little off."""
_REACHING = ("street lamp", "power pole")
"""Kinds whose arms leave their boxes. Artists draw a box around the pole or around all of it: so has every second."""


class Pieces:
    """Pieces of one split as parts, at most a given number of each kind.

    Args:
        files: of layouts.
        split: "train", "validation" or "test".
        kinds, materials: the vocabulary.
        limit: pieces of each kind at most.
    """

    def __init__(
        self, files: Sequence[LayoutFile], split: str, kinds: Sequence[str], materials: Sequence[str], limit: int
    ) -> None:
        solids, symmetry, count, kind, size, phrase = [], [], [], [], [], []
        of_kind = dict.fromkeys(kinds, 0)
        for file in files:
            ends, text = file.arrays["object_end"], file.text
            for room, seed in enumerate(file.seeds):
                if split_of(seed) != split:
                    continue
                for index in range(int(ends[room - 1]) if room else 0, int(ends[room])):
                    name, _, _, words = (text[row] for row in file.arrays["object_words"][index])
                    if of_kind.get(name, limit) >= limit:
                        continue
                    recorded = file.parts_of(index)
                    if not recorded.kind:
                        continue
                    whole, box = recorded_solids(recorded), file.arrays["object_box"][index, 3:6]
                    if name in _REACHING and of_kind[name] % 2:
                        whole, box = boxed_anew(whole)
                    own, mirrored = grouped(whole)
                    if len(own) > MAX_PARTS:
                        continue
                    of_kind[name] += 1
                    solids.append(own)
                    symmetry.append(mirrored)
                    count.append(len(own))
                    kind.append(kinds.index(name))
                    size.append(box)
                    phrase.append(words)
        if not solids:
            raise ValueError(f"the layouts hold no {split} room; write more with `occscene-server studio layouts`")
        self.solids, self.symmetry = Solids.joined(solids), np.concatenate(symmetry)
        self.unit = UNITS[files[0].taxonomy]
        rows = {word: row for row, word in enumerate(materials)}
        self.material = np.array([rows[word] for word in self.solids.material], np.int64)
        self.count, self.kind = np.array(count), np.array(kind)
        self.size = np.array(size, np.float64)
        self.end = self.count.cumsum()
        words = sorted(set(phrase))
        self.phrases = phrase_states(*load_minilm(), words)
        row_of = {word: row for row, word in enumerate(words)}
        self.phrase = np.array([row_of[word] for word in phrase])

    def __len__(self) -> int:
        return len(self.kind)

    def batch(self, rows: Sequence[int], rng: np.random.Generator | None) -> PartsBatch:
        """Pieces; with a generator some are stretched and some have no phrase."""
        index = np.asarray(rows)
        parts = np.concatenate([np.arange(self.end[row] - self.count[row], self.end[row]) for row in index])
        count = self.count[index]
        factors, described = np.ones((len(index), 3)), np.ones(len(index), bool)
        if rng is not None:
            stretched = rng.random(len(index)) < STRETCHED_SHARE
            factors += STRETCH * rng.uniform(-1, 1, factors.shape) * stretched[:, None]
            described = rng.random(len(index)) >= PHRASE_DROPOUT
        size = self.size[index] * factors
        solids = self.solids.take(parts).stretched(np.repeat(factors, count, axis=0))
        boxes = np.repeat(size, count, axis=0)
        numbers = encode_parts(solids, self.symmetry[parts], self.material[parts], boxes, self.unit)
        return PartsBatch(
            torch.from_numpy(self.kind[index]),
            torch.from_numpy(size).float(),
            self.phrases[torch.from_numpy(self.phrase[index])] * torch.from_numpy(described)[:, None],
            torch.from_numpy(numbers),
            torch.from_numpy(count),
        )


def material_names(files: Sequence[LayoutFile]) -> list[str]:
    """Kinds of materials that occur in files of layouts."""
    return sorted({file.text[row] for file in files for row in np.unique(file.parts["part_words"][:, 1])})


def count_fronts(fronts: ObjectFronts, files: Sequence[LayoutFile], vocabulary: Vocabulary, limit: int = 2000) -> None:
    """Learns from the first training rooms where the fronts of objects are."""
    places = [(file, room) for file in files for room, seed in enumerate(file.seeds) if split_of(seed) == "train"]
    rooms = []
    for file, room in places[:limit]:
        layout = file.layout(room)
        inner = FRAME if layout.room is None else layout.room.size
        boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects]).reshape(-1, 7)
        first = int(file.arrays["object_end"][room - 1]) if room else 0
        for row, obj in enumerate(layout.objects):
            if obj.name in _REACHING and row % 2:
                boxes[row, 3:6] = boxed_anew(recorded_solids(file.parts_of(first + row)))[1]
        kinds = np.array([vocabulary.kinds.index(obj.name) for obj in layout.objects], np.int64)
        tables = np.array([obj.class_name == "table" for obj in layout.objects], bool)
        rooms.append((kinds, boxes, tables, np.array(inner)))
    fronts.count(rooms)


def new_prior(files: Sequence[LayoutFile], width: int, layers: int) -> PartsPrior:
    """An untrained prior for what files of layouts hold."""
    vocabulary = vocabulary_of(files)
    prior = PartsPrior(
        list(vocabulary.kinds), list(vocabulary.classes), [list(size) for size in vocabulary.sizes],
        material_names(files), width, layers, max(1, width // 32), taxonomy=vocabulary.taxonomy,
    )  # fmt: skip
    count_fronts(prior.fronts, files, prior.vocabulary)
    return prior


def parts_loss(model: PartsPrior, batch: PartsBatch) -> tuple[Tensor, dict[str, float]]:
    """Nats an object."""
    parts = model.log_likelihoods(batch)
    return -torch.stack([part.sum() for part in parts.values()]).sum() / len(batch.kind), {}


@torch.no_grad()
def held_out_nats(model: PartsPrior, pieces: Pieces) -> dict[str, float]:
    """Nats an object, their share of each number, and the sum without phrases."""
    totals: dict[str, float] = {}
    for first in range(0, len(pieces), 256):
        batch = pieces.batch(range(first, min(first + 256, len(pieces))), None)
        for name, part in model.log_likelihoods(batch).items():
            totals[name] = totals.get(name, 0.0) - float(part.sum()) / len(pieces)
        untold = PartsBatch(batch.kind, batch.size, batch.phrase * 0, batch.numbers, batch.count)
        nats = sum(float(part.sum()) for part in model.log_likelihoods(untold).values())
        totals["without_phrase"] = totals.get("without_phrase", 0.0) - nats / len(pieces)
    return {"nats": sum(value for name, value in totals.items() if name != "without_phrase"), **totals}


def parts(
    data: arg.Layouts,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("parts",))],
    steps: arg.Steps = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Pieces a step.")] = 96,
    width: arg.StateWidth = 128,
    layers: arg.Layers = 3,
    pieces: Annotated[int, typer.Option(min=1, help="Training pieces of each kind at most.")] = 2500,
    learning_rate: arg.LearningRate = 2e-3,
    ema_decay: arg.EmaDecay = 0.998,
    max_minutes: arg.MaxMinutes = None,
    seed: arg.Seed = 0,
) -> None:
    """Train the parts prior: a kind, a box and a phrase to the parts of a piece of furniture, a car or a house."""
    files = layout_files(data)
    torch.manual_seed(seed)
    model = new_prior(files, width, layers)
    names = model.vocabulary.kinds, model.material_names
    training = Pieces(files, "train", *names, pieces)
    held_out = Pieces(files, "validation", *names, min(24, pieces))
    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=100, decay_fraction=0.4, ema_decay=ema_decay, weight_decay=0.05,
        optimizer="muon", max_minutes=max_minutes,
    )  # fmt: skip
    finished = train(model, loss_of(model, training, batch, seed), options, lambda: _evaluate(model, held_out))
    model.half().save_pretrained(output / "parts")
    model.float()  # the metrics are those of the rounded weights
    report(finished, output / "parts", _evaluate(model, held_out))


def loss_of(model: PartsPrior, pieces: Pieces, batch: int, seed: int) -> Callable[[int], Loss]:
    """The loss of a step for `train`, whose pieces depend on the seed and the step's number only."""

    def loss(rng: np.random.Generator) -> Loss:
        rows = rng.choice(len(pieces), batch, replace=len(pieces) < batch).tolist()
        return parts_loss(model, pieces.batch(rows, rng))

    return seeded(loss, seed)


def _evaluate(model: PartsPrior, pieces: Pieces) -> dict[str, float]:
    with fast_autocast("cpu"):
        return held_out_nats(model, pieces)

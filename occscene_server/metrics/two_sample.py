"""Two-sample test: how often a classifier trained on both distinguishes generated views from rendered ones.

Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests". All that decides its power is a constant of this
file and stays as it is, so that models are compared by one measure. It is trained on the views of some rooms and asked
about those of others; the views of a room are in both classes, so that their content does not help. Half of the
answers are right where the kinds cannot be distinguished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from occscene_server.geometry.pixel_values import images_from_bytes

CROP = 256
"""Pixels of a side of the pieces that it sees, at the size that views have; smaller views are seen whole."""

STEPS = 240
BATCH = 16
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
WIDTHS = (16, 32, 64, 96)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the size."""

GAIN = 0.1
"""Deviation of the factors that brighten and tint its training views."""

BOOTSTRAPS = 1000


@dataclass(frozen=True)
class TwoSampleResult:
    """What the classifier reached on rooms that it was not trained on.

    Args:
        accuracy: share of the views that it is right about.
        deviation: standard error over the choice of rooms.
        training_accuracy: of the pieces in the last quarter of its training.
        rooms: that it was asked about.
    """

    accuracy: float
    deviation: float
    training_accuracy: float
    rooms: int


class _Classifier(nn.Module):
    """Four strided convolutions with a second one at each size, and a linear layer over their means."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, h, w) in [-1, 1] to logits (B,), above 0 for the second kind."""
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits[:, 0]


def two_sample_test(
    training: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]],
    test: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]],
    seed: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> TwoSampleResult:
    """Trains the classifier and applies it to other rooms.

    Args:
        training: the two kinds' views of the training rooms, (V, height, width, 3) each, all of one size, as they come
            from files of one encoder.
        test: the same of the test rooms, of which both kinds have equally many.
        seed: random seed of the initialisation and the data order.
        report: called with each step and its loss.
    """
    torch.manual_seed(seed)
    model = _Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    kinds = [np.concatenate(list(rooms)) for rooms in training]
    rng = np.random.default_rng(seed)
    hits: list[float] = []
    for step in range(STEPS):
        pieces = torch.cat([_training_pieces(views, BATCH // 2, rng) for views in kinds])
        target = torch.arange(2).repeat_interleave(BATCH // 2).float()
        logits = model(pieces)
        loss = F.binary_cross_entropy_with_logits(logits, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        hits.append(float(((logits > 0) == (target > 0.5)).float().mean()))
        report(step, float(loss.detach()))
    right = torch.stack([_right(model, rooms, kind) for kind, rooms in enumerate(test)]).T  # (rooms, 2)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(len(right), (BOOTSTRAPS, len(right)), generator=generator)
    deviation = float(right.mean(1)[draws].mean(1).std())
    return TwoSampleResult(float(right.mean()), deviation, float(np.mean(hits[-STEPS // 4 :])), len(right))


def compare_real_halves(
    training: Sequence[NDArray[np.uint8]], test: Sequence[NDArray[np.uint8]], seed: int = 0
) -> TwoSampleResult:
    """The same test of two random halves of the real rooms, of which there must be 2 at least: about half is right."""
    rng = np.random.default_rng((seed, 1))
    halves = []
    for rooms in (training, test):
        order, half = rng.permutation(len(rooms)).tolist(), len(rooms) // 2
        halves.append(([rooms[i] for i in order[:half]], [rooms[i] for i in order[half : 2 * half]]))
    return two_sample_test(halves[0], halves[1], seed)


def _training_pieces(views: NDArray[np.uint8], count: int, rng: np.random.Generator) -> Tensor:
    """Random pieces, mirrored at random and tinted, (count, 3, h, w)."""
    pieces = []
    for row in rng.integers(len(views), size=count).tolist():
        view = views[row]
        height, width = min(CROP, view.shape[0]), min(CROP, view.shape[1])
        y, x = (int(rng.integers(whole - part + 1)) for whole, part in zip(view.shape, (height, width), strict=False))
        piece = view[y : y + height, x : x + width]
        pieces.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
    gain = torch.from_numpy(rng.normal(1.0, GAIN, (count, 3, 1, 1))).float()
    return (images_from_bytes(torch.from_numpy(np.stack(pieces))) + 1) * gain - 1


@torch.no_grad()
def _right(model: _Classifier, rooms: Sequence[NDArray[np.uint8]], kind: int) -> Tensor:
    """The share of each room's views (V, height, width, 3) that the mean over their pieces is right about, (rooms,)."""
    shares = []
    for views in rooms:
        logits = torch.stack([model(images_from_bytes(torch.from_numpy(piece))) for piece in _tiles(views)]).mean(0)
        shares.append(((logits > 0) == bool(kind)).float().mean())
    return torch.stack(shares)


def _tiles(views: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Pieces of `CROP` that cover views (V, height, width, 3), the last ones flush with the edge."""
    starts = []
    for side in views.shape[1:3]:
        last = max(0, side - CROP)
        starts.append(np.linspace(0, last, -(-side // CROP)).round().astype(int).tolist())
    return [views[:, y : y + CROP, x : x + CROP] for y in starts[0] for x in starts[1]]

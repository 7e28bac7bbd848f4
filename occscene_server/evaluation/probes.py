"""Linear probes: whether the words of a prompt can be read off the views, by multinomial logistic regression.

A probe sees a scene as the segmenter's mean features and simple statistics of the colours of walls, floor and ceiling,
at the places where the blockout has them. Probes are fitted on real renders of the training split.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from occscene.grid import SemanticGrid
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from occscene_server.evaluation.seen_maps import SeenMaps
from occscene_server.metrics.images import lab_from_linear

QUESTIONS = ("style", "wall_color", "floor_color")
"""Fields of `SceneInfo` that are asked for."""

_SURFACES = ("wall", "floor", "ceiling")
_LEAST_CELLS = 12
_WIDTH = 12.0
"""Width in CIELAB of the bells that count colours softly."""

_LIGHTNESS = (15.0, 35.0, 55.0, 75.0, 92.0)
_CHROMA = (-45.0, -20.0, 0.0, 20.0, 45.0)


def color_statistics(colors: Tensor, maps: SeenMaps, grid: SemanticGrid) -> Tensor:
    """Colours of a scene's surfaces, all views together.

    Args:
        colors: (V, h, w, 3) linear RGB in [0, 1].
        maps: of the same size, ray-marched from `grid`.
        grid: with named objects; those named after a surface are it ("north wall", but not "door" or "floor lamp").

    Returns:
        (S,): for walls, floor, ceiling and the whole views the mean and deviation in CIELAB and a soft histogram of
        lightness, a and b; zeros for a surface that is hardly seen.
    """
    lab = lab_from_linear(colors)
    statistics = []
    for name in _SURFACES:
        named = torch.tensor([item.id for item in grid.objects if item.name.endswith(name)])
        statistics.append(_describe(lab[torch.isin(maps.objects, named)]))
    return torch.cat([*statistics, _describe(lab.flatten(0, 2))])


def _describe(lab: Tensor) -> Tensor:
    """Lab colours (P, 3) to 6 + 15 statistics."""
    centers = torch.tensor((_LIGHTNESS, _CHROMA, _CHROMA))  # (3, 5)
    if len(lab) < _LEAST_CELLS:
        return torch.zeros(6 + centers.numel())
    bells = torch.exp(-0.5 * ((lab[..., None] - centers) / _WIDTH) ** 2).mean(0)
    return torch.cat([lab.mean(0) / 50, lab.std(0) / 50, bells.flatten()])


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier over standardised features.

    Args:
        words: the answers.
        mean, scale: (F,) of the features.
        weight, bias: (words, F) and (words,).
    """

    words: tuple[str, ...]
    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def answer(self, features: Tensor) -> list[str]:
        """The likeliest word for each of (N, F)."""
        logits = ((features - self.mean) / self.scale).clamp(-6, 6) @ self.weight.T + self.bias
        return [self.words[index] for index in logits.argmax(1).tolist()]

    def accuracy(self, features: Tensor, truth: Sequence[str]) -> float:
        """How often the answer is right; a word that is not in the training data counts as a mistake."""
        return sum(a == b for a, b in zip(self.answer(features), truth, strict=True)) / len(truth)


def fit_probe(features: Tensor, truth: Sequence[str], penalty: float) -> LinearProbe:
    """Fits a probe by L-BFGS.

    Args:
        features: (N, F).
        truth: N words.
        penalty: half of it times the squared weights is added to the mean cross-entropy.
    """
    words = tuple(sorted(set(truth)))
    target = torch.tensor([words.index(word) for word in truth])
    mean, scale = features.mean(0), features.std(0).clamp_min(1e-4)
    x = ((features - mean) / scale).clamp(-6, 6).double()
    weight = torch.zeros(len(words), x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(words), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight.T + bias, target) + 0.5 * penalty * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return LinearProbe(words, mean, scale, weight.detach().float(), bias.detach().float())


def best_probe(
    train: tuple[Tensor, Sequence[str]], held_out: tuple[Tensor, Sequence[str]], penalties: Sequence[float]
) -> LinearProbe:
    """Of the probes fitted with each penalty, the most often right on held-out scenes; of equal ones the first."""
    probes = [fit_probe(*train, penalty) for penalty in penalties]
    return max(probes, key=lambda probe: probe.accuracy(*held_out))


def save_probes(path: Path, probes: dict[str, LinearProbe]) -> None:
    """Writes probes by question to a safetensors file."""
    tensors = {
        f"{name}.{part}": getattr(probe, part).contiguous()
        for name, probe in probes.items()
        for part in ("mean", "scale", "weight", "bias")
    }
    save_file(tensors, path, {name: json.dumps(probe.words) for name, probe in probes.items()})


def load_probes(path: Path) -> dict[str, LinearProbe]:
    """Reads what `save_probes` wrote."""
    with safe_open(path, "pt") as file:
        return {
            name: LinearProbe(
                tuple(json.loads(words)),
                *(file.get_tensor(f"{name}.{part}") for part in ("mean", "scale", "weight", "bias")),
            )
            for name, words in file.metadata().items()
        }

"""What perception is trained with: cross-entropy and the two scene-class affinity losses of MonoScene.

Cao and de Charette, "MonoScene", CVPR 2022, arXiv 2112.00726, section 3.3; its code is `loss/ssc_loss.py`. Here all
classes are handled at once, ratios without a denominator count as fulfilled instead of NaN, and every sample has a loss
of its own, so that samples can be weighted; for a batch of one the values are MonoScene's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from occscene.grid import UNKNOWN
from torch import Tensor

_SMALLEST = 1e-7
"""Probabilities and ratios below it count as it, so that a logarithm's gradient stays finite."""


def class_weights(counts: Tensor) -> Tensor:
    """Weights of the classes in the cross-entropy, 1 / log(count), from voxel counts (C,); mean 1.

    As in MonoScene (`data/*/params.py`). Counts of up to a hundred voxels are treated alike.
    """
    weights = 1.0 / torch.log(counts.double().clamp_min(100.0))
    return (weights / weights.mean()).float()


def occupancy_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, classes: Tensor | None = None
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy + sem_scal + geo_scal, each with weight 1 as in MonoScene.

    Args:
        logits: (B, C, X, Y, Z).
        target: (B, X, Y, Z) classes, 255 is ignored.
        weight: (B,) of the samples; the loss is the mean over samples of weight times loss.
        classes: (C,) weights of the classes in the cross-entropy.

    Returns:
        The loss, and the mean of each part without `weight`.
    """
    logits = logits.float()
    target = target.long()
    probabilities, truth, known = _flatten(logits, target)
    parts = {
        "cross_entropy": cross_entropy(logits, target, classes),
        "sem_scal": _sem_scal(probabilities, truth, known),
        "geo_scal": _geo_scal(probabilities, truth, known),
    }
    total = torch.stack(list(parts.values())).sum(0)
    metrics = {name: float(part.detach().mean()) for name, part in parts.items()}
    return (total if weight is None else total * weight).mean(), metrics


def cross_entropy(logits: Tensor, target: Tensor, classes: Tensor | None = None) -> Tensor:
    """Of each sample, (B,): mean over known voxels, weighted by the weight of their class; 0 where none is known."""
    losses = F.cross_entropy(logits, target, classes, ignore_index=UNKNOWN, reduction="none").flatten(1)
    known = (target != UNKNOWN).flatten(1)
    if classes is None:
        share = known.float()
    else:
        share = torch.where(known, classes[target.flatten(1).masked_fill(~known, 0)], 0.0)
    return losses.sum(1) / share.sum(1).clamp_min(_SMALLEST)


def _flatten(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities and one-hot truth (B, C, N), both zero where the truth is unknown; 1 where it is known (B, N)."""
    known = (target != UNKNOWN).flatten(1).float()
    probabilities = logits.softmax(1).flatten(2) * known[:, None]
    kinds = torch.arange(logits.shape[1], device=target.device)
    truth = (target.flatten(1)[:, None] == kinds[:, None]).float()
    return probabilities, truth, known


def _sem_scal(probabilities: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Negative logarithms of every present class's soft precision, recall and specificity, averaged over them, (B,)."""
    hit = (probabilities * truth).sum(2)  # not einsum, which autocast would do in half precision
    predicted, present, voxels = probabilities.sum(2), truth.sum(2), known.sum(1)[:, None]
    # specificity counts voxels that are rightly not predicted: all but the predicted, the present and what is both
    absent = voxels - present
    losses = _shortfall(hit, predicted) + _shortfall(hit, present) + _shortfall(absent - (predicted - hit), absent)
    counts = present > 0
    return (losses * counts).sum(1) / counts.sum(1).clamp_min(1)


def _geo_scal(probabilities: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """The same of occupied against empty, summed, (B,)."""
    empty, empty_truth = probabilities[:, 0], truth[:, 0]
    occupied, occupied_truth = known - empty, known - empty_truth
    hit = (occupied * occupied_truth).sum(1)
    rejected = (empty * empty_truth).sum(1)
    return (
        _shortfall(hit, occupied.sum(1))
        + _shortfall(hit, occupied_truth.sum(1))
        + _shortfall(rejected, empty_truth.sum(1))
    )


def _shortfall(part: Tensor, whole: Tensor) -> Tensor:
    """-log(part / whole), 0 where there is no whole: the binary cross-entropy of a ratio against 1."""
    ratio = (part / whole.clamp_min(_SMALLEST)).clamp(_SMALLEST, 1.0)
    return torch.where(whole > 0, -ratio.log(), 0.0)

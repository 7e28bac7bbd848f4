"""Scores of predicted occupancy, defined as in MonoScene (`loss/sscMetrics.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from occscene.grid import UNKNOWN
from torch import Tensor


@dataclass(frozen=True)
class OccupancyFigures:
    """Scores over a set of scenes, all in 0..1.

    Args:
        iou, precision, recall: of occupied against empty.
        class_iou: one for each class but empty, in the taxonomy's order.
        miou: mean of `class_iou`; a class that occurs nowhere counts as 0.
        scenes: how many were scored.
    """

    iou: float
    precision: float
    recall: float
    class_iou: tuple[float, ...]
    miou: float
    scenes: int

    def by_name(self, names: Sequence[str]) -> dict[str, float]:
        """The class scores by class name; `names` are the taxonomy's, empty first."""
        return dict(zip(names[1:], self.class_iou, strict=True))


class OccupancyScores:
    """Adds up a confusion matrix over scenes and divides at the end: large scenes weigh more than small ones.

    Args:
        classes: of the taxonomy, empty included.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)  # [truth, prediction]
        self.scenes = 0

    def add(self, prediction: Tensor, target: Tensor) -> None:
        """Counts some scenes; voxels whose target is 255 are left out.

        Args:
            prediction: (B, X, Y, Z) classes; 255, which says nothing, counts as empty.
            target: (B, X, Y, Z) classes.
        """
        known = target != UNKNOWN
        truth, guess = target[known].long().cpu(), prediction[known].long().cpu()
        guess = guess.masked_fill(guess == UNKNOWN, 0)
        pairs = torch.bincount(truth * self.classes + guess, minlength=self.classes**2)
        self.confusion += pairs.view(self.classes, self.classes)
        self.scenes += len(target)

    def figures(self) -> OccupancyFigures:
        """The scores of all that was added."""
        matrix = self.confusion.double()
        hits = matrix[1:, 1:].sum()  # occupied is occupied, whatever the class
        false, missed = matrix[0, 1:].sum(), matrix[1:, 0].sum()
        true = matrix.diag()[1:]
        union = matrix.sum(0)[1:] + matrix.sum(1)[1:] - true
        class_iou = true / (union + 1e-5)
        return OccupancyFigures(
            iou=_ratio(hits, hits + false + missed),
            precision=_ratio(hits, hits + false),
            recall=_ratio(hits, hits + missed),
            class_iou=tuple(class_iou.tolist()),
            miou=float(class_iou.mean()),
            scenes=self.scenes,
        )


def _ratio(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if whole else 0.0

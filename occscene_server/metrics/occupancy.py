"""Scores of predicted occupancy, defined as in MonoScene (`loss/sscMetrics.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import UNKNOWN
from scipy import ndimage
from torch import Tensor

_LONELY, _SMALL = 2, 8
"""Neighbours up to which a voxel is lonely, and voxels from which on a piece is no crumb."""


@dataclass(frozen=True)
class OccupancyMetrics:
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
            prediction: (B, X, Y, Z) classes; 255, unknown, counts as empty.
            target: (B, X, Y, Z) classes.
        """
        known = target != UNKNOWN
        truth, guess = target[known].long().cpu(), prediction[known].long().cpu()
        guess = guess.masked_fill(guess == UNKNOWN, 0)
        pairs = torch.bincount(truth * self.classes + guess, minlength=self.classes**2)
        self.confusion += pairs.view(self.classes, self.classes)
        self.scenes += len(target)

    def metrics(self) -> OccupancyMetrics:
        """The scores of all that was added."""
        matrix = self.confusion.double()
        hits = matrix[1:, 1:].sum()  # occupied is occupied, whatever the class
        false, missed = matrix[0, 1:].sum(), matrix[1:, 0].sum()
        true = matrix.diag()[1:]
        union = matrix.sum(0)[1:] + matrix.sum(1)[1:] - true
        class_iou = true / (union + 1e-5)
        return OccupancyMetrics(
            iou=_ratio(hits, hits + false + missed),
            precision=_ratio(hits, hits + false),
            recall=_ratio(hits, hits + missed),
            class_iou=tuple(class_iou.tolist()),
            miou=float(class_iou.mean()),
            scenes=self.scenes,
        )


@dataclass(frozen=True)
class CrumbMetrics:
    """How ragged objects are, shares of their voxels in 0..1; in true grids legs, leaves and books count too.

    Args:
        lonely: voxels that touch at most two others of their class by faces.
        small: voxels in pieces, 26-connected, of fewer than eight.
    """

    lonely: float
    small: float


class CrumbScores:
    """Adds up crumbs over scenes.

    Args:
        objects: classes that are scored: those of objects, not of the room itself.
    """

    def __init__(self, objects: Sequence[int]) -> None:
        self.objects = objects
        self.counts = np.zeros(3, np.int64)  # lonely, small, all

    def add(self, labels: NDArray[np.uint8]) -> None:
        """Counts one scene (X, Y, Z)."""
        for label in self.objects:
            own = labels == label
            neighbors = ndimage.convolve(own.astype(np.int8), _FACES, mode="constant")
            pieces, _ = ndimage.label(own, np.ones((3, 3, 3)))
            sizes = np.bincount(pieces.ravel())
            self.counts += (own & (neighbors <= _LONELY)).sum(), (own & (sizes[pieces] < _SMALL)).sum(), own.sum()

    def metrics(self) -> CrumbMetrics:
        """The shares of all that was added."""
        lonely, small, total = self.counts.tolist()
        return CrumbMetrics(lonely / max(1, total), small / max(1, total))


_FACES = ndimage.generate_binary_structure(3, 1).astype(np.int8)
_FACES[1, 1, 1] = 0


def _ratio(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if whole else 0.0

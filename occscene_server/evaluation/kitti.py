"""Scores on a user's SemanticKITTI folder: images alone, with a blockout made from the truth, and that blockout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import OUTDOOR

from occscene_server.data.kitti import KittiFrame, read_view
from occscene_server.data.kitti_blockout import blockout_of
from occscene_server.metrics.occupancy import OccupancyMetrics, OccupancyScores

IMAGES, ASSISTED, BLOCKOUT = "images", "images_with_blockout", "blockout"
"""The rows of the report: perception of the image alone, with the blockout, and the blockout itself."""

Predict = Callable[[NDArray[np.uint8], tuple[PinholeCamera, ...], SemanticGrid | None, GridVolume], SemanticGrid]
"""Images (V, height, width, 3), their cameras, what is known of the scene, and where to predict, to a grid."""


class KittiScores:
    """Confusion matrices of the rows, over all frames that were added; classes and definition are the official ones.

    One matrix over all frames; mIoU is the mean over the 19 classes, IoU that of occupied against empty; voxels that
    are invalid or have no class are left out (semantic-kitti-api, `evaluate_completion.py`).
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self.rows: dict[str, OccupancyScores] = {}

    def add(self, row: str, predicted: SemanticGrid, truth: SemanticGrid) -> None:
        """Counts one frame for a row."""
        scores = self.rows.setdefault(row, OccupancyScores(len(OUTDOOR)))
        scores.add(torch.from_numpy(predicted.labels.copy())[None], torch.from_numpy(truth.labels.copy())[None])

    def metrics(self) -> dict[str, OccupancyMetrics]:
        """The scores of each row."""
        return {row: scores.metrics() for row, scores in self.rows.items()}

    def report(self) -> dict[str, dict[str, object]]:
        """The scores of each row in percent, as they are written to a file."""
        names = [entry.name for entry in OUTDOOR.classes]
        return {
            row: {
                "miou": round(100 * metrics.miou, 2),
                "iou": round(100 * metrics.iou, 2),
                "precision": round(100 * metrics.precision, 2),
                "recall": round(100 * metrics.recall, 2),
                "frames": metrics.scenes,
                "classes": {name: round(100 * value, 2) for name, value in metrics.by_name(names).items()},
            }
            for row, metrics in self.metrics().items()
        }


def score_frame(scores: KittiScores, frame: KittiFrame, predict: Predict | None) -> dict[str, SemanticGrid]:
    """Adds a frame to the scores and returns the grid of each row.

    Args:
        scores: are added to.
        frame: with its voxels and, if there is something to predict with, its image.
        predict: perception; None for the blockout's row only.
    """
    truth = frame.truth()
    blockout = blockout_of(truth)
    volume = GridVolume(truth.shape, truth.voxel_size, truth.world_from_grid)
    rows = {BLOCKOUT: blockout}
    if predict is not None:
        image, camera = read_view(frame)
        rows[IMAGES] = predict(image[None], (camera,), None, volume)
        rows[ASSISTED] = predict(image[None], (camera,), blockout, volume)
    for row, grid in rows.items():
        scores.add(row, grid, truth)
    return rows

"""Scores on a user's SemanticKITTI folder: images alone, with a blockout made from the truth, and that blockout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, UNKNOWN, GridVolume, SemanticGrid
from occscene.taxonomy import OUTDOOR
from scipy import ndimage

from occscene_server.data.kitti import KittiFrame, read_view
from occscene_server.metrics.occupancy import OccupancyMetrics, OccupancyScores

IMAGES, ASSISTED, BLOCKOUT = "images", "images_with_blockout", "blockout"
"""The rows of the report: perception of the image alone, with the blockout, and the blockout itself."""

GROUND = tuple(OUTDOOR.index_of(name) for name in ("road", "parking", "sidewalk", "other-ground", "terrain"))
_FILLED = 0.6
"""Share of a box that what it stands for must fill, else an artist would use two."""
_SHORTEST = 10
"""Voxels below which a box is not divided."""

Predict = Callable[[NDArray[np.uint8], tuple[PinholeCamera, ...], SemanticGrid | None, GridVolume], SemanticGrid]
"""Images (V, height, width, 3), their cameras, what is known of the scene, and where to predict, to a grid."""


def blockout_of(truth: SemanticGrid) -> SemanticGrid:
    """What an artist who looks at a true grid would build: every connected object as its box, the ground as slabs.

    A box that its object would fill by less than three fifths is divided along its longest side, as several boxes are
    used for a bent row of houses. Ground is taken as it is, holes of up to two voxels closed. Unknown voxels are empty.
    """
    labels = np.zeros_like(truth.labels)
    known = np.where(truth.labels == UNKNOWN, EMPTY, truth.labels)
    for entry in sorted(OUTDOOR.classes[1:], key=lambda entry: entry.priority):
        mask = known == entry.index
        if not mask.any():
            continue
        if entry.index in GROUND:
            layers = np.argwhere(mask.any(axis=(0, 1))).ravel()
            for layer in layers.tolist():
                closed = ndimage.binary_closing(mask[:, :, layer], np.ones((3, 3), bool), border_value=0)
                labels[:, :, layer][closed | mask[:, :, layer]] = entry.index
            continue
        pieces, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        for number, place in enumerate(ndimage.find_objects(pieces), 1):
            for box in _boxes(pieces[place] == number):
                low = [side.start for side in place]
                where = tuple(slice(base + side.start, base + side.stop) for base, side in zip(low, box, strict=True))
                labels[where] = entry.index
    return replace(truth, labels=labels, instances=None, objects=())


def _boxes(mask: NDArray[np.bool_]) -> Iterator[tuple[slice, slice, slice]]:
    """Boxes around an object that is filled, or small, enough."""
    filled = np.argwhere(mask)
    if not len(filled):
        return
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    size = high - low
    box = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))
    plan = mask[box].any(axis=2)
    axis = int(np.argmax(size[:2]))
    if plan.mean() >= _FILLED or size[axis] < _SHORTEST:
        yield box
        return
    middle = int(low[axis] + high[axis]) // 2
    for half in (slice(None, middle), slice(middle, None)):
        part = np.zeros_like(mask)
        index = (half, slice(None)) if axis == 0 else (slice(None), half)
        part[index] = mask[index]
        yield from _boxes(part)


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

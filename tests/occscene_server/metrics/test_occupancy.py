"""The scores against a plain transcription of MonoScene's `loss/sscMetrics.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occscene_server.metrics.occupancy import CrumbMetrics, CrumbScores, OccupancyScores

CLASSES = 5


def reference(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The completion and class scores as sscMetrics adds them up, one scene and one class at a time."""
    completion = np.zeros(3)  # true positive, false positive, false negative
    semantic = np.zeros((CLASSES, 3))
    for prediction, target in pairs:
        mask = target != 255
        p, t = prediction[mask], target[mask]
        completion += [np.sum((p > 0) & (t > 0)), np.sum((p > 0) & (t == 0)), np.sum((p == 0) & (t > 0))]
        for kind in range(CLASSES):
            semantic[kind] += [
                np.sum((t == kind) & (p == kind)),
                np.sum((t != kind) & (p == kind)),
                np.sum((t == kind) & (p != kind)),
            ]
    tp, fp, fn = completion
    class_iou = semantic[:, 0] / (semantic.sum(1) + 1e-5)
    return {
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "iou": tp / (tp + fp + fn),
        "miou": np.mean(class_iou[1:]),
    }


def test_scores_are_monoscenes() -> None:
    """Two scenes, unknown voxels, and a class that never occurs."""
    rng = np.random.default_rng(0)
    scores, pairs = OccupancyScores(CLASSES), []
    for _ in range(2):
        target = rng.integers(0, CLASSES - 1, (6, 5, 4)).astype(np.uint8)
        target[rng.random(target.shape) < 0.2] = 255
        prediction = rng.integers(0, CLASSES - 1, target.shape)
        pairs.append((prediction, target))
        scores.add(torch.from_numpy(prediction)[None], torch.from_numpy(target)[None])
    metrics = scores.metrics()
    for name, value in reference(pairs).items():
        assert getattr(metrics, name) == pytest.approx(value, abs=1e-9), name
    assert metrics.class_iou[-1] == 0.0
    assert metrics.scenes == 2
    assert metrics.by_name(["empty", "a", "b", "c", "d"])["a"] == metrics.class_iou[0]


def test_a_perfect_prediction_and_an_empty_set() -> None:
    """All is 1 where prediction and truth agree, and 0 before anything was added."""
    target = torch.arange(CLASSES, dtype=torch.uint8).view(1, CLASSES, 1, 1).expand(1, CLASSES, 3, 2)
    scores = OccupancyScores(CLASSES)
    assert scores.metrics().iou == 0.0
    scores.add(target, target)
    assert scores.metrics().iou == 1.0
    assert scores.metrics().miou == pytest.approx(1.0, abs=1e-5)


def test_saying_nothing_is_saying_empty() -> None:
    """A blockout's unknown voxels are scored as empty."""
    target = torch.ones(1, 2, 1, 1, dtype=torch.uint8)
    prediction = torch.tensor([1, 255], dtype=torch.uint8).view(1, 2, 1, 1)
    scores = OccupancyScores(CLASSES)
    scores.add(prediction, target)
    assert scores.metrics().recall == 0.5


def test_crumbs_are_counted_by_class_and_a_block_has_none() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[1:5, 1:5, 1:5] = 3
    labels[8, 8, 2:9] = 3  # a pole of seven
    labels[5:11, 1:5, 1:5] = 4  # next to it, of another class
    labels[0] = 1
    scores = CrumbScores([3, 4])
    scores.add(labels)
    assert scores.metrics() == CrumbMetrics(7 / (64 + 7 + 96), 7 / (64 + 7 + 96))
    labels[8, 8, 9] = 3
    longer = CrumbScores([3])
    longer.add(labels)
    assert longer.metrics() == CrumbMetrics(8 / 72, 0.0)
    assert CrumbScores([5]).metrics() == CrumbMetrics(0.0, 0.0)

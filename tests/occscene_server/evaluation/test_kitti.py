"""SemanticKITTI's folder: frames, cameras, scores by the official definition, predictions in the official layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from occscene.formats.semantic_kitti import SHAPE, semantic_kitti_volume
from occscene.grid import EMPTY, SemanticGrid
from occscene.taxonomy import OUTDOOR
from typer.testing import CliRunner

from occscene_server.data.kitti import camera_of, list_frames, read_calibration, read_view, write_prediction
from occscene_server.data.kitti_blockout import blockout_of
from occscene_server.evaluation.cli import evaluate_app
from occscene_server.evaluation.kitti import ASSISTED, BLOCKOUT, IMAGES, KittiScores, score_frame
from tests.occscene_server.kitti_folder import LEARNING_MAP, write_frames


def official_scores(predictions: list[np.ndarray], labels: list[np.ndarray], invalid: list[np.ndarray]) -> tuple:
    """`evaluate_completion.py`, step by step, from raw ids: mIoU, completion IoU."""
    remap = np.zeros(2**16, np.int64)
    for raw, index in LEARNING_MAP.items():
        remap[raw] = index
    confusion = np.zeros((20, 20), np.int64)
    for prediction, label, mask in zip(predictions, labels, invalid, strict=True):
        target = remap[label]
        target[target == 0] = 255  # what was not labelled, and what has no class
        target[label == 0] = 0  # but 0 was empty
        mapped = remap[prediction]
        keep = (mask == 0) & (target != 255)
        np.add.at(confusion, (mapped[keep], target[keep]), 1)
    true = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - true
    iou = true / np.maximum(union, 1e-15)
    return float(iou[1:].mean()), float(confusion[1:, 1:].sum() / (confusion.sum() - confusion[0, 0]))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two frames of sequence 08."""
    write_frames(tmp_path / "kitti", 8)
    return tmp_path / "kitti"


def raw_of(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), "<u2").astype(np.int64)


def test_scores_and_files_are_those_of_the_official_script(dataset: Path, tmp_path: Path) -> None:
    frames = list_frames(dataset, "valid")
    assert [frame.key for frame in frames] == ["08/000000", "08/000005"]
    rng = np.random.default_rng(1)
    scores = KittiScores()
    for frame in frames:
        labels = rng.integers(0, 20, SHAPE).astype(np.uint8)
        keep = rng.random(SHAPE) < 0.6
        truth = frame.truth()
        labels[keep] = np.where(truth.labels == 255, 255, truth.labels)[keep]
        guess = SemanticGrid(labels, 0.2, semantic_kitti_volume().world_from_grid, OUTDOOR.name)
        scores.add(IMAGES, guess, truth)
        write_prediction(tmp_path / "out", frame, guess)
    names = [frame.name for frame in frames]
    predicted = [raw_of(tmp_path / f"out/sequences/08/predictions/{name}.label") for name in names]
    labels = [raw_of(frame.label) for frame in frames]
    invalid = [np.unpackbits(np.fromfile(frame.label.with_suffix(".invalid"), np.uint8)) for frame in frames]
    miou, iou = official_scores(predicted, labels, invalid)
    metrics = scores.metrics()[IMAGES]
    assert metrics.miou == pytest.approx(miou, abs=1e-6)
    assert metrics.iou == pytest.approx(iou, abs=1e-6)


def test_the_camera_projects_as_the_calibration_says(dataset: Path) -> None:
    projection, camera_from_laser = read_calibration(dataset / "sequences/08/calib.txt")
    camera = camera_of(projection, camera_from_laser, (1226, 370), (613, 185))
    points = np.random.default_rng(2).uniform((6, -5, -1.5), (40, 5, 2), (50, 3))
    homogeneous = projection @ camera_from_laser @ np.column_stack([points, np.ones(50)]).T
    expected = ((homogeneous[:2] / homogeneous[2]).T + 0.5) / 2  # KITTI's pixel 0 has its middle at 0
    seen = np.linalg.inv(camera.world_from_camera) @ np.column_stack([points, np.ones(50)]).T
    pixels = np.stack([camera.fx * seen[0] / seen[2] + camera.cx, camera.fy * seen[1] / seen[2] + camera.cy], axis=1)
    np.testing.assert_allclose(pixels, expected, atol=0.02)


def test_images_are_half_as_large_with_their_camera(dataset: Path) -> None:
    image, camera = read_view(list_frames(dataset, "valid")[0])
    assert image.shape == (185, 613, 3)
    assert (camera.width, camera.height) == (613, 185)
    assert camera.fx == pytest.approx(718.856 / 2)
    assert camera.cx == pytest.approx((607.1928 + 0.5) / 2)


def test_a_blockout_holds_each_thing_in_a_box(dataset: Path) -> None:
    truth = list_frames(dataset, "valid")[0].truth()
    clean = np.zeros(SHAPE, np.uint8)
    car, house = OUTDOOR.index_of("car"), OUTDOOR.index_of("building")
    clean[10:32, 40:49, 2:9] = car
    clean[10:14, 40:49, 7:9] = EMPTY
    clean[100:160, 10:30, 2:20] = house
    clean[100:120, 30:90, 2:20] = house  # two wings at a right angle
    grid = SemanticGrid(clean, truth.voxel_size, truth.world_from_grid, OUTDOOR.name)
    blocked = blockout_of(grid).labels
    assert (blocked[10:32, 40:49, 2:9] == car).all()
    assert (blocked == car).sum() == 22 * 9 * 7
    assert (blocked[clean == house] == house).all()
    assert (blocked == house).sum() < 1.5 * (clean == house).sum()


@pytest.mark.slow
def test_three_rows_and_a_report(dataset: Path, tmp_path: Path) -> None:
    frame = list_frames(dataset, "valid")[0]
    scores = KittiScores()
    asked: list[bool] = []

    def predict(images, cameras, blockout, volume) -> SemanticGrid:  # type: ignore[no-untyped-def]
        assert images.shape[1:3] == (cameras[0].height, cameras[0].width)
        asked.append(blockout is None)
        return blockout or SemanticGrid(np.zeros(volume.shape, np.uint8), 0.2, volume.world_from_grid, OUTDOOR.name)

    rows = score_frame(scores, frame, predict)
    assert list(rows) == [BLOCKOUT, IMAGES, ASSISTED]
    assert asked == [True, False]
    report = scores.report()
    assert report[IMAGES]["iou"] == 0.0
    assert report[ASSISTED] == report[BLOCKOUT]
    result = CliRunner().invoke(evaluate_app, ["kitti", "--dataset", str(dataset), "--output", str(tmp_path / "o")])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "o/kitti.json").read_text())
    assert written["rows"][BLOCKOUT]["frames"] == 2
    assert list(written["rows"]) == [BLOCKOUT]


def test_a_folder_without_voxels_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no sequences/SS/voxels/NNNNNN\.label of the split 'valid'"):
        list_frames(tmp_path, "valid")
    with pytest.raises(ValueError, match="split is 'all'; it must be one of train, valid, test"):
        list_frames(tmp_path, "all")
    (tmp_path / "calib.txt").write_text("P2: 1 2 3\n")
    with pytest.raises(ValueError, match="P2 has 3 numbers; it must have 12"):
        read_calibration(tmp_path / "calib.txt")

"""The Mamba-based dual alignment at a tiny size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from occscene.camera import PinholeCamera
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.frustum import frustum_taps
from occscene_server.geometry.grids import VolumeTensors
from occscene_server.models.dual_alignment import MambaDualAlignment, octave_features
from tests.occscene_server.geometry.random_scenes import SIZES, random_scene

CLASSES = 4
SIZE = (6, 10)
VOLUME = VolumeTensors((12, 12, 8), torch.tensor([0.25, 0.25]).double(), torch.eye(4).double().expand(2, 4, 4))


def _model(**config: object) -> MambaDualAlignment:
    torch.manual_seed(0)
    tiny = {
        "num_classes": CLASSES,
        "out_channels": 8,
        "frustum_channels": 4,
        "model_channels": 16,
        "state_size": 8,
        "num_planes": 8,
        "far": 4.0,
        "patch_size": (4, 4, 4),
    }
    model = MambaDualAlignment(**(tiny | config))
    torch.nn.init.normal_(model.tap_offsets.weight)
    return model.eval()


def _cameras() -> CameraTensors:
    scene = []
    for view in range(3):
        turn = 2 * math.pi * view / 3
        forward = np.array([math.cos(turn), math.sin(turn), 0.0])
        right = np.array([math.sin(turn), -math.cos(turn), 0.0])
        pose = np.eye(4)
        pose[:3, :] = np.stack([right, np.array([0.0, 0.0, -1.0]), forward, [1.5, 1.5, 1.0] - 1.2 * forward], 1)
        scene.append(PinholeCamera(f"view{view}", 160, 96, 120.0, 120.0, 80.0, 48.0, pose))
    return CameraTensors.from_cameras([scene, scene[::-1]])


def _labels() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, CLASSES, (2, *VOLUME.shape), generator=generator)
    return labels.where(torch.rand(labels.shape, generator=generator) < 0.2, 0).to(torch.uint8)


def _probabilities(labels: Tensor) -> Tensor:
    return F.one_hot(labels.long(), CLASSES).permute(0, 4, 1, 2, 3).float()


def test_untrained_output_is_zero_for_a_trained_trunk() -> None:
    out = _model(zero_init=True)(_labels(), _cameras(), VOLUME, SIZE)
    assert out.shape == (2, 3, 8, *SIZE)
    assert out.abs().max() == 0


def test_compact_output_is_normalized() -> None:
    out = _model()(_labels(), _cameras(), VOLUME, SIZE)
    assert 0.9 < out.std() < 1.1


def test_labels_and_their_probabilities_agree() -> None:
    model, labels = _model(), _labels()
    dropped = torch.tensor([False, True])
    for mask in (None, dropped):
        hard = model(labels, _cameras(), VOLUME, SIZE, mask)
        soft = model(_probabilities(labels), _cameras(), VOLUME, SIZE, mask)
        torch.testing.assert_close(hard, soft)


def test_gradients_reach_probabilities_offsets_and_every_parameter() -> None:
    model = _model()
    probabilities = _probabilities(_labels()).requires_grad_()
    out = model(probabilities, _cameras(), VOLUME, SIZE, torch.tensor([False, True]))
    (out * torch.randn(out.shape)).sum().backward()
    assert probabilities.grad is not None
    assert probabilities.grad[0].abs().sum() > 0
    assert probabilities.grad[1].abs().sum() == 0  # dropped
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_hard_labels_train_the_offsets() -> None:
    model = _model()
    model(_labels(), _cameras(), VOLUME, SIZE).square().mul(torch.rand(8, *SIZE)).sum().backward()
    assert model.tap_offsets.weight.grad.abs().sum() > 0


def test_before_the_sequence_an_object_changes_only_the_cells_it_touches() -> None:
    model, labels, cameras = _model(), _labels(), _cameras()
    moved = labels.clone()
    moved[:, 5:8, 4:6, 2:5] = (moved[:, 5:8, 4:6, 2:5] + 1) % CLASSES
    before, after = (model.camera_features(m, cameras, VOLUME, SIZE) for m in (labels, moved))
    changed = (before != after).any(-1).flatten(2, 3).transpose(2, 3)  # (B, V, D, h*w)
    voxels = frustum_taps(cameras, VOLUME, SIZE, model.near, model.far, model.num_planes).long()
    touched = F.pad(labels != moved, (1, 1, 1, 1, 1, 1)).flatten()[voxels].any(-1)
    assert touched.any()
    assert torch.equal(changed, touched)


def test_permuting_views_with_their_positions_permutes_the_output() -> None:
    model, labels, cameras = _model(), _labels(), _cameras()
    order = torch.tensor([[2, 0, 1], [1, 0, 2]])
    plain = model(labels, cameras, VOLUME, SIZE)
    permuted = model(labels, cameras.selected(order), VOLUME, SIZE, view_positions=order)
    torch.testing.assert_close(permuted, plain[torch.arange(2)[:, None], order])


def test_a_dropped_scene_does_not_depend_on_its_occupancy() -> None:
    model, labels = _model(), _labels()
    dropped = torch.tensor([True, False])
    one = model(labels, _cameras(), VOLUME, SIZE, dropped)
    other = model(labels.roll(1, 1), _cameras(), VOLUME, SIZE, dropped)
    torch.testing.assert_close(one[0], other[0], rtol=0, atol=0)
    assert (one[1] != other[1]).any()


def test_batches_equal_single_scenes() -> None:
    model, labels, cameras = _model(), _labels(), _cameras()
    both = model(labels, cameras, VOLUME, SIZE)
    volume = VolumeTensors(VOLUME.shape, VOLUME.voxel_size[1:], VOLUME.world_from_grid[1:])
    single = CameraTensors(cameras.intrinsics[1:], cameras.world_from_camera[1:], cameras.height, cameras.width)
    torch.testing.assert_close(model(labels[1:], single, volume, SIZE)[0], both[1], rtol=1e-4, atol=1e-5)


def test_unknown_voxels_have_their_own_embedding() -> None:
    model, labels = _model(), _labels()
    unknown = model.camera_features(torch.full_like(labels, 255), _cameras(), VOLUME, SIZE)
    empty = model.camera_features(torch.zeros_like(labels), _cameras(), VOLUME, SIZE)
    assert (unknown != empty).any()


def test_half_precision_has_no_nan() -> None:
    out = _model().to(torch.bfloat16)(_labels(), _cameras(), VOLUME, SIZE)
    assert out.dtype == torch.bfloat16
    assert out.isfinite().all()


def test_saved_and_loaded_models_agree(tmp_path: Path) -> None:
    model, labels = _model(), _labels()
    model.save_pretrained(tmp_path)
    loaded = MambaDualAlignment.from_pretrained(tmp_path)
    expected = model(labels, _cameras(), VOLUME, SIZE)
    torch.testing.assert_close(loaded(labels, _cameras(), VOLUME, SIZE), expected, rtol=0, atol=0)


@pytest.mark.parametrize(("shape", "voxel_size"), SIZES)
def test_any_grid_within_the_limits(shape: tuple[int, int, int], voxel_size: float) -> None:
    grid, cameras = random_scene(shape, voxel_size, views=2)
    out = _model(num_classes=5)(grid.labels, cameras, grid.volume, (5, 7))
    assert out.shape == (1, 2, 8, 5, 7)
    assert out.isfinite().all()


def test_planes_must_fill_patches() -> None:
    with pytest.raises(ValueError, match="num_planes is 9"):
        _model(num_planes=9)


def test_octave_features_count() -> None:
    assert octave_features(torch.zeros(2, 5, 3), 4).shape == (2, 5, 27)

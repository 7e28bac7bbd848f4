"""The losses against plain transcriptions of MonoScene's `loss/ssc_loss.py`, and where MonoScene's give NaN."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.training.losses import class_weights, cross_entropy, occupancy_loss

CLASSES = 5


def sem_scal_ref(logits: Tensor, target: Tensor) -> Tensor:
    """MonoScene's sem_scal_loss, one class at a time over the whole batch."""
    probabilities = logits.softmax(1)
    mask = target != 255
    loss, count = torch.zeros(()), 0
    for kind in range(logits.shape[1]):
        p, t = probabilities[:, kind][mask], target[mask]
        is_kind = (t == kind).float()
        if is_kind.sum() == 0:
            continue
        count += 1
        hit = (p * is_kind).sum()
        if p.sum() > 0:
            loss = loss - (hit / p.sum()).log()
        loss = loss - (hit / is_kind.sum()).log()
        if (1 - is_kind).sum() > 0:
            loss = loss - (((1 - p) * (1 - is_kind)).sum() / (1 - is_kind).sum()).log()
    return loss / count


def geo_scal_ref(logits: Tensor, target: Tensor) -> Tensor:
    """MonoScene's geo_scal_loss over the whole batch."""
    mask = target != 255
    empty = logits.softmax(1)[:, 0][mask]
    occupied, truth = 1 - empty, (target[mask] != 0).float()
    hit = (truth * occupied).sum()
    precision, recall = hit / occupied.sum(), hit / truth.sum()
    specificity = ((1 - truth) * empty).sum() / (1 - truth).sum()
    return -(precision.log() + recall.log() + specificity.log())


@pytest.fixture
def sample() -> tuple[Tensor, Tensor]:
    """Logits and a target with unknown voxels, in which class 3 does not occur."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, CLASSES, 6, 5, 4, generator=generator, requires_grad=True)
    target = torch.tensor([0, 0, 1, 2, 4, 255])[torch.randint(6, (2, 6, 5, 4), generator=generator)]
    return logits, target


def test_affinity_losses_are_monoscenes(sample: tuple[Tensor, Tensor]) -> None:
    """Sample by sample, for MonoScene's are of a whole batch."""
    logits, target = sample[0].detach(), sample[1]
    for index in range(2):
        one, truth = logits[index : index + 1], target[index : index + 1]
        _, parts = occupancy_loss(one, truth)
        assert parts["sem_scal"] == pytest.approx(float(sem_scal_ref(one, truth)), rel=1e-5)
        assert parts["geo_scal"] == pytest.approx(float(geo_scal_ref(one, truth)), rel=1e-5)


def test_cross_entropy_is_torchs(sample: tuple[Tensor, Tensor]) -> None:
    """With and without class weights, unknown voxels left out."""
    logits, target = sample
    for weights in (None, torch.rand(CLASSES) + 0.5):
        ours = cross_entropy(logits, target, weights)
        for index in range(2):
            theirs = F.cross_entropy(logits[index : index + 1], target[index : index + 1], weights, ignore_index=255)
            torch.testing.assert_close(ours[index], theirs)


def test_the_loss_is_the_weighted_sum_of_its_parts(sample: tuple[Tensor, Tensor]) -> None:
    """A sample of weight 0 has no gradient."""
    logits, target = sample
    loss, metrics = occupancy_loss(logits, target.to(torch.uint8))
    assert float(loss) == pytest.approx(sum(metrics.values()), rel=1e-5)
    weighted, _ = occupancy_loss(logits, target, torch.tensor([0.0, 2.0]))
    alone, _ = occupancy_loss(logits[1:], target[1:])
    torch.testing.assert_close(weighted, alone)
    weighted.backward()
    assert logits.grad is not None
    assert float(logits.grad[0].abs().max()) == 0.0
    assert float(logits.grad[1].abs().max()) > 0.0


@pytest.mark.parametrize("label", [0, 2, 255])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_sided_crops_have_finite_losses(label: int, dtype: torch.dtype) -> None:
    """All empty, all occupied, all unknown; and logits that saturate the softmax."""
    for scale in (1.0, 1e4):
        logits = (scale * torch.randn(2, CLASSES, 3, 3, 3)).to(dtype).requires_grad_()
        loss, _ = occupancy_loss(logits, torch.full((2, 3, 3, 3), label))
        loss.backward()
        assert torch.isfinite(loss)
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_rare_classes_weigh_more() -> None:
    """1 / log(count), mean 1, and a class that never occurs weighs as one of a hundred voxels."""
    weights = class_weights(torch.tensor([1_000_000, 10_000, 100, 0]))
    torch.testing.assert_close(weights / weights[0], torch.tensor([1.0, 1.5, 3.0, 3.0]))
    assert float(weights.mean()) == pytest.approx(1.0)

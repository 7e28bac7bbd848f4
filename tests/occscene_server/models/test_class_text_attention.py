"""The attention's result lies where its class is seen, and depends only on the words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from occscene_server.models.class_text_attention import ClassTextAttention

CLASSES, TEXT, CHANNELS = 5, 16, 7


@pytest.fixture
def attention() -> ClassTextAttention:
    torch.manual_seed(0)
    attention = ClassTextAttention(CLASSES, TEXT, CHANNELS, width=12, heads=3)
    nn.init.normal_(attention.colors[-1].weight)
    return attention.requires_grad_(False)


@pytest.fixture
def text() -> Tensor:
    return torch.randn(2, 6, TEXT, generator=torch.Generator().manual_seed(1))


def seen(kind: int) -> Tensor:
    """Two scenes of three views that see one class in their left half and nothing in their right."""
    shares = torch.zeros(2, 3, CLASSES, 4, 4)
    shares[:, :, kind, :, :2] = 1.0
    return shares


def everything(text: Tensor) -> Tensor:
    return torch.ones(text.shape[:2], dtype=torch.bool)


def test_untrained_it_adds_nothing(text: Tensor) -> None:
    painted = ClassTextAttention(CLASSES, TEXT, CHANNELS)(text, everything(text), seen(2))
    assert painted.shape == (2, 3, CHANNELS, 4, 4)
    assert not painted.any()


def test_a_class_has_one_color_in_all_views_and_nothing_is_painted_elsewhere(
    attention: ClassTextAttention, text: Tensor
) -> None:
    painted = attention(text, everything(text), seen(2))
    assert not painted[..., 2:].any()
    color = painted[:, :1, :, :1, :1]
    assert color.any()
    torch.testing.assert_close(painted[..., :2], color.expand(-1, 3, -1, 4, 2))
    assert not torch.allclose(color, attention(text, everything(text), seen(3))[:, :1, :, :1, :1])
    mixed = attention(text, everything(text), (seen(2) + seen(3)) / 2)
    both = painted + attention(text, everything(text), seen(3))
    torch.testing.assert_close(mixed, both / 2)


def test_words_decide_and_padding_does_not(attention: ClassTextAttention, text: Tensor) -> None:
    mask = everything(text)
    mask[:, 4:] = False
    painted = attention(text, mask, seen(2))
    torch.testing.assert_close(painted, attention(text[:, :4], everything(text[:, :4]), seen(2)))
    assert not torch.allclose(painted, attention(text, everything(text), seen(2)))
    torch.testing.assert_close(attention(text.flip(0), mask, seen(2)), painted.flip(0))

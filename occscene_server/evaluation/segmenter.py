"""The evaluator's segmenter: a small network, trained separately and on real renders only.

It shares no weights with the model that it evaluates, and that model is never trained with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.models.precision import fast_autocast

CELL = 4
"""Side in pixels of the cells that get a class each."""

NOTHING = 0
"""Class of a cell that sees no surface; such cells are excluded from loss and scores."""


@dataclass(frozen=True)
class SegmenterOutput:
    """Outputs of the segmenter for B views.

    Args:
        logits: (B, classes, height / 4, width / 4).
        features: (B, F), means over the view of the features at every scale.
    """

    logits: Tensor
    features: Tensor


class SceneSegmenter(ModelMixin, ConfigMixin):
    """A residual U-Net on cells of 4 x 4 pixels, under a million parameters.

    Args:
        classes: of the taxonomy, empty included.
        widths: channels at 1/4, 1/8, 1/16 ... of the image's size.
    """

    @register_to_config
    def __init__(self, classes: int, widths: Sequence[int] = (32, 48, 80, 112)) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(CELL), nn.Conv2d(3 * CELL**2, widths[0], 3, padding=1))
        steps = list(itertools.pairwise(widths))
        self.first = _ResidualBlock(widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(wide, deep, 3, stride=2, padding=1), _ResidualBlock(deep)) for wide, deep in steps
        )
        self.across = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in steps)
        self.up = nn.ModuleList(_ResidualBlock(wide) for wide, _ in steps)
        self.head = nn.Sequential(_norm(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], classes, 1))

    def forward(self, images: Tensor) -> SegmenterOutput:
        """Segments views.

        Args:
            images: (B, 3, height, width) in [-1, 1]; sides are multiples of 32.
        """
        levels = [self.first(self.stem(images))]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels[-1]
        for level in reversed(range(len(self.up))):
            coarse = F.interpolate(self.across[level](x), scale_factor=2.0, mode="nearest")
            x = self.up[level](levels[level] + coarse)
        features = torch.cat([level.float().mean((2, 3)) for level in levels], dim=1)
        return SegmenterOutput(self.head(x).float(), features)


class _ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), the last convolution zero at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        first = nn.Conv2d(channels, channels, 3, padding=1)
        self.layers = nn.Sequential(_norm(channels), nn.SiLU(), first, _norm(channels), nn.SiLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)


def segmenter_loss(
    model: SceneSegmenter, views: Tensor, labels: Tensor, rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy on views that are mirrored and tinted at random.

    Args:
        model: in training.
        views: (B, height, width, 3) uint8 sRGB, on the model's device.
        labels: (B, height / 4, width / 4) uint8 classes that the cells see; `NOTHING` is left out.
        rng: decides all that is random.
    """
    mirrored = torch.from_numpy(rng.random(len(views)) < 0.5).to(views.device)
    gain = torch.from_numpy(rng.normal(1.0, 0.08, (len(views), 3, 1, 1))).float().to(views.device)
    images = (images_from_bytes(views) + 1) * gain - 1
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    target = torch.where(mirrored[:, None, None], labels.flip(2), labels).long()
    logits = model(images).logits
    loss = F.cross_entropy(logits, target, ignore_index=NOTHING)
    hits, count = agreement(logits.detach().argmax(1), target)
    return loss, {"agreement": hits / max(1, count)}


def agreement(predicted: Tensor, labels: Tensor) -> tuple[int, int]:
    """In how many cells two maps of classes of one shape agree, and how many counted: not those that see nothing."""
    counted = labels != NOTHING
    return int(((predicted == labels) & counted).sum()), int(counted.sum())


@torch.no_grad()
def segment(model: SceneSegmenter, views: Tensor, at_once: int = 16) -> tuple[Tensor, Tensor]:
    """What the segmenter sees.

    Args:
        model: on any device.
        views: (N, height, width, 3) uint8 sRGB.
        at_once: views in a batch.

    Returns:
        Classes (N, height / 4, width / 4) int64 and features (N, F), on the CPU.
    """
    classes, features = [], []
    for part in views.split(at_once):
        with fast_autocast(model.device):
            output = model(images_from_bytes(part.to(model.device)))
        classes.append(output.logits.argmax(1).cpu())
        features.append(output.features.cpu())
    return torch.cat(classes), torch.cat(features)

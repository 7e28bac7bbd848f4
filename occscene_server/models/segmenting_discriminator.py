"""A discriminator that segments: which kind of surface every pixel shows, or that it is generated.

Sushko et al., "You Only Need Adversarial Supervision for Semantic Image Synthesis" (OASIS), arXiv 2012.04781: a UNet
with spectral normalisation and N + 1 classes. It sees only the image, so whatever it rewards must be visible there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2


class SegmentingDiscriminator(ModelMixin, ConfigMixin):
    """Views to a class for every block of 2 x 2 pixels.

    Args:
        kinds: names of the classes; one more, the last, stands for what is generated.
        widths: at 1/2, 1/4, 1/8 and 1/16 of the image's size.
    """

    @register_to_config
    def __init__(self, kinds: Sequence[str], widths: Sequence[int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        first = widths[0]
        self.fold = nn.PixelUnshuffle(2)
        self.stem = spectral_norm(nn.Conv2d(12, first, 3, padding=1))
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairs)
        self.up = nn.ModuleList(spectral_norm(nn.Conv2d(b, a, 1)) for a, b in pairs)
        self.blend = nn.ModuleList(spectral_norm(nn.Conv2d(a, a, 3, padding=1)) for a, _ in pairs)
        self.logits = nn.Conv2d(first, len(kinds) + 1, 1)  # no spectral norm: bounded logits cannot be confident

    @property
    def generated(self) -> int:
        """The class of generated pixels."""
        return len(self.config.kinds)

    def forward(self, views: Tensor) -> Tensor:
        """(N, 3, h, w) in [-1, 1], sides multiples of 16, to logits (N, kinds + 1, h / 2, w / 2)."""
        x = F.leaky_relu(self.stem(self.fold(views)), _SLOPE)
        finer = []
        for layer in self.down:
            finer.append(x)
            x = F.leaky_relu(layer(x), _SLOPE)
        for level in reversed(range(len(finer))):
            x = F.interpolate(self.up[level](x), scale_factor=2.0) + finer[level]
            x = F.leaky_relu(self.blend[level](x), _SLOPE)
        result: Tensor = self.logits(x)
        return result

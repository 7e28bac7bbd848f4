"""Losses of the guided decoder and its discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.models.guided_decoder import SECOND_COLOR, GuidedDecoder
from occscene_server.models.segmenting_discriminator import SegmentingDiscriminator
from occscene_server.training.swatches import SwatchBatch

CONSISTENCY = 10.0
"""Weight of LabelMix, as in OASIS."""
SWATCH_WEIGHT = 0.5
_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def reconstruction_loss(views: Tensor, target: Tensor) -> Tensor:
    """L1 on YCbCr, and on its gradients at two scales: with luma only, saturated colors bleed at edges.

    Args:
        views, target: (N, 3, h, w) sRGB in [-1, 1].
    """
    error = torch.einsum("kc,nchw->nkhw", torch.tensor(_YCBCR, device=views.device), views.float() - target)
    loss = error.abs().mean()
    for scale in (1, 2):
        coarse = F.avg_pool2d(error, scale)
        loss = loss + scale / 2 * (coarse.diff(dim=2).abs().mean() + coarse.diff(dim=3).abs().mean())
    return loss * 3


def swatch_loss(decoder: GuidedDecoder, swatches: SwatchBatch) -> Tensor:
    """Cross-entropy of where the second color of each swatch shows."""
    objects = len(swatches.classes)
    painted = decoder.paint(swatches.table).unflatten(0, (objects, -1))[torch.arange(objects), swatches.classes]
    maps = painted[:, None, None].expand(-1, *swatches.second.shape[1:], -1).movedim(-1, 1)
    shares = decoder.mixture(swatches.features, maps)[1].float()[:, SECOND_COLOR].clamp(1e-4, 1 - 1e-4)
    return F.binary_cross_entropy(shares, swatches.second)


def segmentation_loss(logits: Tensor, kinds: Tensor) -> Tensor:
    """Cross-entropy of kinds (N, h, w); all have equal weights, since crops show rare ones more often already."""
    return F.cross_entropy(logits.float(), kinds)


def decoder_loss(discriminator: SegmentingDiscriminator, views: Tensor, kinds: Tensor) -> Tensor:
    """The generator's adversarial loss: cross-entropy of each pixel's own kind; no gradient to the discriminator."""
    parameters = list(discriminator.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    logits = discriminator(views)
    for parameter in parameters:
        parameter.requires_grad_(True)
    return segmentation_loss(logits, kinds)


def discriminator_loss(
    discriminator: SegmentingDiscriminator,
    real: Tensor,
    generated: Tensor,
    kinds: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Real pixels are of their kind, generated ones of the last class, and a mixture along kinds is both (LabelMix).

    Args:
        discriminator: that is trained.
        real, generated: (N, 3, h, w) views of the same places; no gradient reaches the decoder.
        kinds: (N, h / 2, w / 2) of the real views.
        generator: decides which kinds the mixture takes from which view.
    """
    generated = generated.detach()
    taken = torch.rand(len(real), discriminator.generated + 1, generator=generator).to(real.device) < 0.5
    mask = taken.gather(1, kinds.flatten(1)).view_as(kinds)[:, None]
    mixed = torch.where(F.interpolate(mask.float(), scale_factor=2.0) > 0.5, real, generated)
    of_real, of_generated, of_mixed = discriminator(torch.cat([real, generated, mixed])).float().chunk(3)
    fake = torch.full_like(kinds, discriminator.generated)
    consistency = (of_mixed - torch.where(mask, of_real, of_generated)).square().mean()
    return segmentation_loss(of_real, kinds) + segmentation_loss(of_generated, fake) + CONSISTENCY * consistency

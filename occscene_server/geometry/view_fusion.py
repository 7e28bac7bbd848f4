"""Views of a scene made to agree: each pixel becomes a mean over all views that show its place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.correspondence import Correspondences

FIRST_EXPONENT, LAST_EXPONENT = 1.0, 6.0
"""Of the weights, at the first and at the last fusion of a generation: a low one averages, a high one takes the view
that shows a place best. Averages agree more and are less sharp (SyncMVD, arXiv 2311.12891, grows it likewise)."""


def fuse(images: Tensor, found: Correspondences, exponent: float) -> Tensor:
    """Images in which pixels of different views that show one place are alike.

    y_i = sum_j w_ij^e x_j / sum_j w_ij^e over the view itself and the views that see the place. The change is made at
    the size of the correspondences and enlarged, so that each view keeps its finest grain.

    Args:
        images: (V, 3, height, width).
        found: of the same views, at any size of this shape that is not larger.
        exponent: e.
    """
    size = (found.own.shape[-2], found.own.shape[-1])
    small = images if size == images.shape[-2:] else F.interpolate(images, size, mode="area")
    weights = torch.cat([found.own[:, None], found.weights], 1)  # (V, 1 + K, h, w)
    weights = (weights / weights.amax(1, keepdim=True).clamp_min(1e-20)) ** exponent
    total = small * weights[:, :1]
    for rank in range(found.sources.shape[1]):
        sampled = F.grid_sample(
            small[found.sources[:, rank]], found.places[:, rank].to(small.dtype), mode="bilinear",
            padding_mode="border", align_corners=False,
        )  # fmt: skip
        total = total + sampled * weights[:, rank + 1, None]
    fused = total / weights.sum(1, keepdim=True).clamp_min(1e-20)
    change = torch.where(found.covisible[:, None], fused - small, 0.0)
    if size != images.shape[-2:]:
        change = F.interpolate(change, images.shape[-2:], mode="bilinear", align_corners=False)
    return images + change


def disagreement(images: Tensor, found: Correspondences) -> float:
    """Root mean square difference of images (V, 3, h, w) at the size of correspondences, over co-visible pixels."""
    errors = []
    for rank in range(found.sources.shape[1]):
        sampled = F.grid_sample(
            images[found.sources[:, rank]], found.places[:, rank], mode="bilinear", padding_mode="border",
            align_corners=False,
        )  # fmt: skip
        seen = found.weights[:, rank] > 0
        errors.append((sampled - images).movedim(1, -1)[seen])
    joined = torch.cat(errors) if errors else images.new_zeros(0, 3)
    return float(joined.square().mean().sqrt()) if len(joined) else 0.0

"""Buildings of streets stand in the ground, not on it: below a house there is no lawn."""

from __future__ import annotations

import torch
from occscene.taxonomy import OUTDOOR
from torch import Tensor

_GAP = 2
"""Voxels between the ground and what stands on it, at most; what is higher, as a balcony, has the ground below it."""
_BUILDING = OUTDOOR.index_of("building")
_GROUND = [OUTDOOR.index_of(name) for name in ("road", "parking", "sidewalk", "other-ground", "terrain")]


def with_foundations(labels: Tensor) -> Tensor:
    """Classes of streets (B, X, Y, Z) uint8, columns of buildings going down through the ground that they stand on.

    The blockouts of artists have boxes on a lawn, or a little above it; true streets have no lawn there.
    """
    height = torch.arange(labels.shape[-1], device=labels.device)
    building = labels == _BUILDING
    ground = torch.isin(labels, torch.tensor(_GROUND, dtype=labels.dtype, device=labels.device))
    lowest = torch.where(building, height, labels.shape[-1]).amin(-1, keepdim=True)
    below = ground & (height < lowest)
    top = torch.where(below, height, -labels.shape[-1]).amax(-1, keepdim=True)
    bottom = torch.where(below, height, labels.shape[-1]).amin(-1, keepdim=True)
    stands = building.any(-1, keepdim=True) & (lowest - top - 1 <= _GAP)
    filled = stands & (height >= bottom) & (height < lowest) & (below | (labels == 0))
    return torch.where(filled, _BUILDING, labels)

"""Text to scene: a layout from the prior takes part in the denoising, first as a draft and then as a partner.

The layout's boxes are nobody's blockout. So, unlike an artist's, they give way wherever perception surely sees
something else in the estimated views. And at the same steps the boxes themselves are drawn anew by the prior, each
given all others, and taken if the views speak for them: Metropolis-Hastings within Gibbs, whose proposals come from the
prior, so that the acceptance ratio is that of the likelihoods only (Metropolis-Hastings). That samples views and layout
jointly; it is our own choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import GridVolume, SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutPart, Vector
from occscene.mesh import TriangleMesh
from occscene.placed_layout import PlacedLayout
from torch import Tensor

from occscene_server.geometry.layout_grid import Blocks, placed_grid
from occscene_server.geometry.layout_mesh import layout_mesh
from occscene_server.geometry.solids import Solids
from occscene_server.geometry.street_layout import FOLLOWING, GROUND

SURE = 0.8
"""Probability above which a perceived class stands in place of the layout's."""

PROPOSALS = 6
"""Boxes that are drawn anew when the estimate is perceived first; see `join_layouts`."""

_LEAST_LOG_PROBABILITY = -6.0
"""No single voxel decides, however sure perception is of it."""

_FIXED = frozenset({"door", "window", "curtain", "tree crown", *GROUND, *FOLLOWING})
"""What stays where it is: what is in walls, the ground, and what has a post or trunk of its own."""

Propose = Callable[[Layout, int, int], Layout]


class LayoutDraft:
    """The layout that one scene of text to scene begins from, and what has become of it.

    Args:
        placed: with a room.
        volume: of the scene, upright.
        propose: (layout, place of an object, seed) to the layout with this object drawn anew by the prior; None leaves
            the boxes where they are.
        seed: decides which objects are drawn anew, and which are taken.
    """

    def __init__(self, placed: PlacedLayout, volume: GridVolume, propose: Propose | None = None, seed: int = 0) -> None:
        self.placed, self.volume, self.propose = placed, volume, propose
        self.accepted = 0
        """Boxes that were taken so far."""
        self._rng = np.random.default_rng(seed)
        self._blocks: Blocks = {}

    @property
    def grid(self) -> SemanticGrid:
        """The layout in the volume: the parts of what has any, else boxes, with names and colours."""
        return self.grid_of(self.placed.layout)

    @property
    def boxes(self) -> SemanticGrid:
        """The same without parts."""
        layout = self.placed.layout
        return self.grid_of(replace(layout, objects=tuple(replace(obj, parts=()) for obj in layout.objects)))

    @property
    def mesh(self) -> TriangleMesh:
        """The layout's triangles in the world, those of the parts of what has any; objects as in `grid` and `boxes`."""
        return layout_mesh(self.placed, self.boxes)

    def grid_of(self, layout: Layout) -> SemanticGrid:
        """A layout's boxes in the volume, that layout standing where this draft's does."""
        return placed_grid(replace(self.placed, layout=layout), self.volume, self._blocks)

    def resample(self, log_probabilities: NDArray[np.float32], proposals: int = PROPOSALS) -> int:
        """Draws boxes anew and takes those that the views speak for.

        Args:
            log_probabilities: (classes, X, Y, Z) of what perception predicts from the views only.
            proposals: boxes to draw.

        Returns:
            How many were taken.
        """
        layout = self.placed.layout
        free = [index for index, obj in enumerate(layout.objects) if obj.name not in _FIXED]
        if self.propose is None or not free:
            return 0
        labels, taken = self.grid_of(layout).labels, 0
        for _ in range(proposals):
            index, seed = free[int(self._rng.integers(len(free)))], int(self._rng.integers(2**31))
            threshold = math.log(max(float(self._rng.random()), 1e-300))
            drawn = self.propose(layout, index, seed).objects[index]
            old = layout.objects[index]
            # the views show its colours already
            drawn = replace(drawn, color=old.color, color_word=old.color_word, parts=stretched_parts(old, drawn.size))
            proposed = replace(layout, objects=(*layout.objects[:index], drawn, *layout.objects[index + 1 :]))
            new = self.grid_of(proposed).labels
            if likelihood_ratio(log_probabilities, labels, new) >= threshold:
                taken += proposed != layout
                layout, labels = proposed, new
        self.placed = replace(self.placed, layout=layout)
        self.accepted += taken
        return taken


def stretched_parts(obj: LayoutObject, size: Vector) -> tuple[LayoutPart, ...]:
    """An object's parts for a box of another size."""
    if not obj.parts:
        return ()
    return Solids.of_layout(obj.parts).stretched(np.array(size) / obj.size).layout_parts()


def likelihood_ratio(log_probabilities: NDArray[np.float32], old: NDArray[np.uint8], new: NDArray[np.uint8]) -> float:
    """Log-likelihood ratio of two label grids (X, Y, Z): the sum over voxels of log p(new) - log p(old)."""
    where = np.nonzero(old != new)
    return float((log_probabilities[(new[where], *where)] - log_probabilities[(old[where], *where)]).sum())


def sure_or_given(logits: Tensor, given: Tensor) -> Tensor:
    """Classes (B, X, Y, Z) uint8: what is perceived with a probability above `SURE`, else what is given.

    Args:
        logits: (B, classes, X, Y, Z) as perceived.
        given: (B, X, Y, Z) uint8.
    """
    probability, perceived = logits.float().softmax(1).max(1)
    return torch.where(probability > SURE, perceived.to(given.dtype), given)


def resample(drafts: Sequence[LayoutDraft], logits: Tensor) -> bool:
    """Draws boxes of each scene's layout anew; whether any was taken.

    Args:
        drafts: B of them.
        logits: (B, classes, X, Y, Z) of what perception predicts from the views only.
    """
    known = logits.float().log_softmax(1).clamp_min(_LEAST_LOG_PROBABILITY).cpu().numpy()
    return sum(draft.resample(own) for draft, own in zip(drafts, known, strict=True)) > 0

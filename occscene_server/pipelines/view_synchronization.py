"""Surface-synchronized denoising: at some steps the estimates of all views are made to agree, in color space.

Estimates are decoded, fused over exact correspondences, and encoded: x0 + E(fused) - E(decoded). The difference of two
encodings cancels what the autoencoder loses, so that views that agree are left as they are. Averages of latents, as in
SyncMVD (arXiv 2311.12891), leave edges that were not there; our own choice after SyncTweedies (NeurIPS 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.correspondence import Correspondences, correspondences
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.geometry.view_fusion import FIRST_EXPONENT, LAST_EXPONENT, fuse
from occscene_server.pipelines.shown_scene import ShownScene

FUSION_SIDE, SCOUT_SIDE = 512, 64
"""Pixels along the longer side at which views are fused, and at which the hub is sought where none are fused."""
FIRST_SHARE, LAST_SHARE = 0.1, 0.8
"""Shares of the steps between which views are fused: the last fifth draws each view's own fine detail."""


@dataclass(frozen=True, eq=False)
class ViewSynchronization:
    """The correspondences of a scene's views, and when they are used.

    Args:
        found: of the views.
        fuses: whether estimates are fused; else only the hub is of use.
    """

    found: Correspondences
    fuses: bool

    @classmethod
    def of(
        cls,
        scene: ShownScene,
        placed: GridTensors,
        shapes: Sequence[RayScene | None],
        cameras: CameraTensors,
        fuses: bool,
    ) -> ViewSynchronization:
        """Finds the correspondences of what V cameras see of a scene."""
        scale = min(1.0, (FUSION_SIDE if fuses else SCOUT_SIDE) / max(cameras.height, cameras.width))
        size = (max(1, round(cameras.height * scale)), max(1, round(cameras.width * scale)))
        buffer = scene_gbuffer(placed, shapes, cameras, size)
        return cls(correspondences(buffer, scene.grid, cameras), fuses)

    def exponents(self, steps: int, count: int) -> dict[int, float]:
        """The steps at which estimates are fused, evenly spread, with the weights' exponent at each.

        Args:
            steps: that run.
            count: of fusions, at most.
        """
        if not self.fuses:
            return {}
        indices = np.unique(np.round(np.linspace(FIRST_SHARE * steps, LAST_SHARE * steps, count)).astype(int))
        chosen = [int(index) for index in indices if index < steps - 1]
        exponents = np.linspace(FIRST_EXPONENT, LAST_EXPONENT, len(chosen)) if len(chosen) > 1 else [LAST_EXPONENT]
        return dict(zip(chosen, map(float, exponents), strict=False))

    def agreed(
        self,
        denoised: Tensor,
        exponent: float,
        decode: Callable[[Tensor], Tensor],
        encode: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Clean latents (V, 4, h, w) whose views agree.

        Args:
            denoised: as estimated.
            exponent: of the weights.
            decode: latents to images (V, 3, height, width) in [-1, 1].
            encode: the reverse.
        """
        images = decode(denoised).float()
        return denoised + (encode(fuse(images, self.found, exponent)) - encode(images)).to(denoised.dtype)

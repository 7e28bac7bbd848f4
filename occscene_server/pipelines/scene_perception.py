"""OccScenePipeline's perception: the occupancy of its views, during and after their generation, and of photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR, OUTDOOR
from torch import Tensor

from occscene_server.geometry.foundations import with_foundations
from occscene_server.geometry.fusion import carve, fuse, odds_of_parts, told_of_parts
from occscene_server.geometry.surface_frames import BUILT
from occscene_server.models.denoiser import GBufferFeatures, OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception, classify_voxels
from occscene_server.models.precision import fast_autocast
from occscene_server.pipelines.scene_inputs import PlacedScenes, SceneInputs
from occscene_server.pipelines.text_to_scene import LayoutDraft, resample, sure_or_given

_SHELLS = {
    INDOOR.name: tuple(INDOOR.index_of(name) for name in ("ceiling", "floor", "wall")),
    OUTDOOR.name: tuple(BUILT[OUTDOOR.name]),
}
"""Classes, by taxonomy, whose flat objects need not keep their outlines: openings are cut into walls."""


class PerceptionMixin:
    """The pipeline's methods for perception."""

    if TYPE_CHECKING:
        denoiser: OccSceneDenoiser
        perception: OccupancyPerception
        config: Any
        _execution_device: torch.device

        def decode_latents(self, latents: Tensor) -> Tensor: ...  # noqa: D102
        def maybe_free_model_hooks(self) -> None: ...  # noqa: D102

    @torch.no_grad()
    def predict_occupancy(
        self,
        images: NDArray[np.uint8],
        cameras: Sequence[PinholeCamera],
        *,
        blockout: SemanticGrid | None = None,
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
    ) -> SemanticGrid:
        """Predicts the occupancy that posed images show.

        Args:
            images: (V, height, width, 3) uint8 sRGB, all of the cameras' size, which may be any.
            cameras: one an image.
            blockout: what is known of the scene; None for the images only.
            volume: where to predict if there is no blockout.
            taxonomy: of the prediction if there is no blockout.

        Raises:
            ValueError: an argument is outside its limits.
        """
        inputs = SceneInputs.gather(1, cameras, blockout, volume, taxonomy, self.config.taxonomy)
        expected = (inputs.views, *inputs.image_size, 3)
        if images.shape != expected:
            raise ValueError(f"images has shape {images.shape}; the cameras need {expected}")
        device = self._execution_device
        pictures, scene = inputs.photographed(images, self.perception.size_multiple, device)
        with fast_autocast(device, self.perception.dtype):
            labels = self.perceive(pictures, scene, real=True)
        self.maybe_free_model_hooks()
        return inputs.predicted(labels)[0]

    def carved_gbuffer_features(
        self, scene: PlacedScenes, text: Tensor, text_mask: Tensor, size: tuple[int, int]
    ) -> GBufferFeatures | None:
        """The G-buffer maps of blockouts carved to what perception predicts from their regression prior."""
        if not scene.has_blockout:
            return None
        gbuffer = self.denoiser.gbuffer_features(scene.shown, scene.cameras, size, scene.shapes)
        if scene.is_exact or self.denoiser.takes_draft:
            return gbuffer  # parts stand where carving would guess them, in voxels too
        prior = self.denoiser.predict_prior(gbuffer, text, text_mask)
        if prior is None:
            return gbuffer
        images = self.decode_latents(prior)
        carved = replace(scene, finer=carve(scene.shown, self.seen_logits(images, scene)))
        return self.denoiser.gbuffer_features(carved.shown, scene.cameras, size, scene.shapes)

    def perceive(self, images: Tensor, scene: PlacedScenes, real: bool = False) -> Tensor:
        """Images (B, V, 3, height, width) to predicted labels (B, X, Y, Z) uint8.

        Args:
            images: real ones, or generated from the blockouts.
            scene: cameras and blockouts.
            real: whether images may show that something in the blockouts is gone.
        """
        logits = self.seen_logits(images, scene)
        fused = fuse(scene.shown, classify_voxels(logits), logits, _SHELLS.get(self.config.taxonomy, ()), real)
        stands = scene.has_blockout and self.config.taxonomy == OUTDOOR.name
        return with_foundations(fused) if stands else fused

    def seen_logits(self, images: Tensor, scene: PlacedScenes) -> Tensor:
        """Logits (B, classes, X, Y, Z) of what images (B, V, 3, height, width) show of scenes."""
        volume = scene.placed.volume
        if not scene.has_blockout:
            return self.perception(images, scene.cameras, volume)
        logits = self.perception(images, scene.cameras, volume, scene.placed.labels)
        if scene.finer is None:
            return logits
        return told_of_parts(logits, scene.placed, scene.finer.labels, odds_of_parts(self.config.taxonomy))

    def refine_occupancy(self, scene: PlacedScenes, images: Tensor) -> Tensor:
        """The occupancy for the next steps: what the artist placed, elsewhere what perception predicts."""
        return torch.where(scene.shown.occupied(), scene.shown.labels, self.perceive(images, scene))

    def join_layouts(
        self, drafts: Sequence[LayoutDraft], scene: PlacedScenes, images: Tensor
    ) -> tuple[PlacedScenes, Tensor, PlacedScenes | None]:
        """Redraws layouts where the estimated views make that likelier.

        Args:
            drafts: one for each scene; none to leave the layouts as they are.
            scene: with the layouts' boxes and parts.
            images: (B, V, 3, height, width) as estimated.

        Returns:
            The scenes as the layouts are now, the occupancy for the next steps (B, X, Y, Z) uint8: what is surely
            perceived, else the layouts', and the scenes carved anew if any layout changed.
        """
        volume = scene.placed.volume
        changed = len(drafts) > 0 and resample(drafts, self.perception(images, scene.cameras, volume, None))
        if changed:
            scene = scene.with_layouts(drafts)
        logits = self.seen_logits(images, scene)
        carved = replace(scene, finer=carve(scene.shown, logits)) if changed else None
        return scene, sure_or_given(logits, scene.shown.labels), carved

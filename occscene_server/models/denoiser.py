"""The denoiser: diffusers' UNet over all views of a scene, conditioned on text and on semantic occupancy.

Dual alignment and G-buffer maps are computed once for a scene (`encode_condition`), cross-attention to the prompt
is added to them, and together with a regression prior of the views (`predict_prior`) they enter as extra input channels
of the UNet's first convolution. With a guided decoder that prior is the encoded draft, which has exact shapes and the
words of each object: such a denoiser has no regression prior and no attention from classes to words of its own. The
trunk stays diffusers' own: `compact` trains a small one from scratch, `sd` takes a Stable Diffusion checkpoint's as it
is (see `models/stable_diffusion.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import GBufferMaps, render_gbuffer_maps
from occscene_server.geometry.gbuffer_maps import gbuffer_channels as map_channels
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.models.class_text_attention import ClassTextAttention
from occscene_server.models.dual_alignment import MambaDualAlignment
from occscene_server.models.precision import install_fast_group_norm
from occscene_server.models.regression_prior import RegressionPrior
from occscene_server.models.stable_diffusion import extend_trunk
from occscene_server.models.view_attention import fourier_features, install_view_attention

GBUFFER_CELLS = 4
"""Pixels of G-buffer maps along the side of one latent pixel."""

POSITION_OCTAVES = 6

PRIOR_VARIANCE = 0.7
"""Variance of the latents about the regression prior; their own variance is 1."""

HINT_CHANNELS = 4
"""The last channels of the maps, which a denoiser that is given drafts does without: they are drawn in the hints."""


@dataclass(frozen=True)
class GBufferFeatures:
    """What G-buffer maps give the denoiser.

    Args:
        features: (B, V, gbuffer_channels, h, w).
        positions: (B, V, 3, h, w), meters from the volume's center, of what each latent pixel sees.
        seen: (B, V, classes, h, w), the share of every class in what a latent pixel sees; 0 where nothing is known.
        prior_features: (B, V, channel, h, w), input of the regression prior; no channels if there is none.
    """

    features: Tensor
    positions: Tensor
    seen: Tensor
    prior_features: Tensor


class Condition(GBufferFeatures):
    """The whole condition of a scene's occupancy: `features` are dual alignment's, then those of the G-buffer maps."""

    @classmethod
    def cat(cls, conditions: Sequence[Condition]) -> Condition:
        """Conditions of several batches as one batch's."""
        return cls(*(torch.cat([getattr(one, field.name) for one in conditions]) for field in fields(cls)))

    def repeated(self, count: int) -> Condition:
        """Each scene's `count` times, one after the other."""
        return Condition(*(getattr(self, field.name).repeat_interleave(count, 0) for field in fields(self)))


class GBufferEncoder(nn.Module):
    """G-buffer maps, drawn finer than the latents, to features at the latents' size.

    Args:
        inputs: channels of the maps.
        channels: of the features.
        zero_init: the features are zero until trained, for a trunk that is already trained; else they are normalised.
    """

    def __init__(self, inputs: int, channels: int, zero_init: bool = False) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(GBUFFER_CELLS)
        inputs = inputs * GBUFFER_CELLS**2 + 6 * POSITION_OCTAVES
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, 2 * channels, 1),
            nn.SiLU(),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * channels, channels, 1),
            # without the normalisation the branch is far weaker than the latents
            nn.Identity() if zero_init else nn.GroupNorm(8, channels),
        )
        if zero_init:
            for parameter in self.layers[-2].parameters():
                nn.init.zeros_(parameter)
        self.absent = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor, positions: Tensor) -> Tensor:
        """Maps (N, map, 4 h, 4 w) and positions (N, 3, h, w) to features (N, channel, h, w)."""
        return self.layers(torch.cat([self.fold(maps), fourier_features(positions, POSITION_OCTAVES)], dim=1))


class OccSceneDenoiser(ModelMixin, ConfigMixin):
    """Predicts the noise's direction of all views of a scene together.

    Args:
        latent_channels: of the autoencoder.
        classes: of the taxonomy, empty included.
        block_out_channels: widths of the UNet at h, h/2, h/4.
        layers_per_block: residual blocks at each width.
        text_dim: width of the text's token states.
        alignment_channels, gbuffer_channels: what dual alignment and G-buffer maps add to the UNet's input.
        prior_widths: of a regression prior at h, h/2, h/4, which only a compact model that predicts flow has;
            empty for one that is given drafts. The bundled weights are from before drafts: when others take their
            place, `RegressionPrior`, `ClassTextAttention` and this switch go.
        attention_levels: how many of the coarsest widths attend, to the text and to all views.
        prediction_type: what is predicted, in diffusers' words: "flow_prediction" (noise - latents), "epsilon" or
            "v_prediction". The scheduler must be of the same type.
        reach: meters from the nearest plane of dual alignment to the farthest.
        trunk: the configuration of a Stable Diffusion UNet, which then stands in the place of the small one; widths,
            blocks, `text_dim` and `attention_levels` are the checkpoint's.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 12,
        classes: int = 12,
        block_out_channels: Sequence[int] = (64, 128, 192),
        layers_per_block: int = 2,
        text_dim: int = 384,
        alignment_channels: int = 32,
        gbuffer_channels: int = 48,
        prior_widths: Sequence[int] = (128, 192, 192),
        attention_levels: int = 1,
        prediction_type: str = "flow_prediction",
        reach: Sequence[float] = (0.3, 8.0),
        trunk: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        condition_channels = alignment_channels + gbuffer_channels
        has_prior = trunk is None and prediction_type == "flow_prediction"
        self.takes_draft = has_prior and not prior_widths
        if self.takes_draft:
            self.register_buffer("draft_gains", torch.ones(latent_channels))
            self.register_buffer("draft_variances", torch.full((latent_channels,), PRIOR_VARIANCE))
        self.regression_prior = (
            RegressionPrior(classes, latent_channels, text_dim, GBUFFER_CELLS, prior_widths)
            if has_prior and prior_widths
            else None
        )
        if trunk is None:
            plain_levels = len(block_out_channels) - attention_levels
            self.unet = UNet2DConditionModel(
                in_channels=latent_channels + condition_channels + (latent_channels if has_prior else 0),
                out_channels=latent_channels,
                down_block_types=("DownBlock2D",) * plain_levels + ("CrossAttnDownBlock2D",) * attention_levels,
                up_block_types=("CrossAttnUpBlock2D",) * attention_levels + ("UpBlock2D",) * plain_levels,
                block_out_channels=tuple(block_out_channels),
                layers_per_block=layers_per_block,
                cross_attention_dim=text_dim,
                attention_head_dim=tuple(max(1, width // 64) for width in block_out_channels),  # diffusers: head counts
                norm_num_groups=min(32, block_out_channels[0] // 2),
                class_embed_type="projection",
                projection_class_embeddings_input_dim=text_dim,
            )
            install_view_attention(self.unet)
        else:
            self.unet = UNet2DConditionModel.from_config(dict(trunk))
            extend_trunk(self.unet, condition_channels)
        install_fast_group_norm(self.unet)
        trained = trunk is not None
        maps = map_channels(classes) - (HINT_CHANNELS if self.takes_draft else 0)
        self.gbuffer_encoder = GBufferEncoder(maps, gbuffer_channels, zero_init=trained)
        self.class_text_attention = (
            None if self.takes_draft else ClassTextAttention(classes, text_dim, condition_channels)
        )
        near, far = reach
        self.alignment = MambaDualAlignment(
            num_classes=classes, out_channels=alignment_channels, near=near, far=far, zero_init=trained
        )

    @property
    def size_multiple(self) -> int:
        """Rows and columns of the latents must be multiples of this."""
        return 2 ** (len(self.unet.config.block_out_channels) - 1)

    def set_draft_statistics(self, gains: Tensor, variances: Tensor) -> None:
        """Sets how well drafts predict latents; both buffers are saved with the weights.

        Args:
            gains: (C,) for each latent channel the factor that brings an encoded draft nearest to the latents.
            variances: (C,) of the latents about that.
        """
        self.draft_gains.copy_(gains)
        self.draft_variances.copy_(variances)

    @apply_forward_hook
    def encode_condition(
        self,
        grid: GridTensors,
        cameras: CameraTensors,
        size: tuple[int, int],
        occupancy: Tensor | None = None,
        dropped: Tensor | None = None,
        gbuffer: GBufferFeatures | None = None,
    ) -> Condition:
        """Encodes a scene's occupancy for its cameras.

        Args:
            grid: drawn as G-buffer maps: classes, objects and colour hints.
            cameras: V views.
            size: (h, w) of the latents.
            occupancy: for dual alignment, if other than the grid's labels: (B, X, Y, Z) uint8, or probabilities
                (B, classes, X, Y, Z) through which gradients pass.
            dropped: (B,) True where the scene's occupancy is to be unknown.
            gbuffer: of `gbuffer_features`, if it was drawn before for this grid.
        """
        drawn = gbuffer or self.gbuffer_features(grid, cameras, size)
        guided, positions, seen, prior_features = drawn.features, drawn.positions, drawn.seen, drawn.prior_features
        aligned = self.alignment(grid.labels if occupancy is None else occupancy, cameras, grid.volume, size, dropped)
        if dropped is not None:
            unknown = dropped[:, None, None, None, None]
            guided = torch.where(unknown, self.gbuffer_encoder.absent[:, None, None].to(guided.dtype), guided)
            positions, seen, prior_features = (
                part.masked_fill(unknown, 0.0) for part in (positions, seen, prior_features)
            )
        return Condition(torch.cat([aligned.to(guided.dtype), guided], dim=2), positions, seen, prior_features)

    @apply_forward_hook
    def gbuffer_features(
        self,
        grid: GridTensors,
        cameras: CameraTensors,
        size: tuple[int, int],
        shapes: Sequence[RayScene | None] = (),
    ) -> GBufferFeatures:
        """The part of the condition that stays while perception refines the occupancy: what each pixel sees first.

        `shapes` are the scenes' triangles, as in `scene_gbuffer`.
        """
        fine = (size[0] * GBUFFER_CELLS, size[1] * GBUFFER_CELLS)
        with torch.no_grad():
            drawn = render_gbuffer_maps(grid, cameras, fine, self.config.classes, shapes)
        return self.encode_gbuffer(drawn)

    def encode_gbuffer(self, drawn: GBufferMaps) -> GBufferFeatures:
        """The same of maps that were drawn before, `GBUFFER_CELLS` times as fine as the latents."""
        batch, views, _, height, width = drawn.channels.shape
        positions = F.avg_pool2d(drawn.points.flatten(0, 1), GBUFFER_CELLS)  # (B * V, 3, h, w)
        seen = F.avg_pool2d(drawn.channels[:, :, : self.config.classes].flatten(0, 1), GBUFFER_CELLS)
        maps = drawn.channels[:, :, :-HINT_CHANNELS] if self.takes_draft else drawn.channels
        guided = self.gbuffer_encoder(maps.flatten(0, 1), positions)
        features, positions, seen = (part.unflatten(0, (batch, views)) for part in (guided, positions, seen))
        size = (height // GBUFFER_CELLS, width // GBUFFER_CELLS)
        return GBufferFeatures(features, positions, seen, self._prior_features(drawn, size))

    def _prior_features(self, drawn: GBufferMaps, size: tuple[int, int]) -> Tensor:
        if self.regression_prior is None:
            return drawn.depth.new_zeros(*drawn.depth.shape[:2], 0, *size)
        return self.regression_prior.encode_gbuffer(drawn)

    @apply_forward_hook
    def encode_absence(self, grid: GridTensors, cameras: CameraTensors, size: tuple[int, int]) -> Condition:
        """The condition of scenes whose occupancy is unknown: as `encode_condition` with all of them dropped."""
        batch, views = cameras.intrinsics.shape[:2]
        nothing = torch.ones(batch, dtype=torch.bool, device=grid.labels.device)
        aligned = self.alignment(grid.labels, cameras, grid.volume, size, nothing)
        absent = self.gbuffer_encoder.absent[:, None, None].to(aligned.dtype).expand(batch, views, -1, *size)
        positions, seen = (aligned.new_zeros(batch, views, count, *size).float() for count in (3, self.config.classes))
        prior_channels = 0 if self.regression_prior is None else self.regression_prior.prior_channels
        prior_features = aligned.new_zeros(batch, views, prior_channels, *size)
        return Condition(torch.cat([aligned, absent], dim=2), positions, seen, prior_features)

    @apply_forward_hook
    def predict_prior(self, condition: GBufferFeatures, text: Tensor, text_mask: Tensor) -> Tensor | None:
        """The regression prior of the latents (B, V, channel, h, w), 0 where nothing is known; None if there is none.

        Where drafts are given, that is what is known without one: nothing.
        """
        if self.takes_draft:
            batch, views, _, height, width = condition.features.shape
            return condition.features.new_zeros(batch, views, self.config.latent_channels, height, width).float()
        if self.regression_prior is None:
            return None
        prior: Tensor = self.regression_prior(condition.prior_features, condition.seen, text, text_mask)
        return prior.float() * condition.seen.sum(2, keepdim=True)

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor,
        condition: Condition,
        prior: Tensor | None = None,
    ) -> Tensor:
        """Predicts the quantity that `prediction_type` names.

        Args:
            latents: (B, V, channel, h, w), noisy; h and w multiples of `size_multiple`.
            timestep: (B,), 0 .. 1000.
            text: (B, T, text_dim) token states.
            text_mask: (B, T), True where there is a token.
            condition: of `encode_condition`.
            prior: of `predict_prior`, if it was made before; or the encoded draft, zeros for scenes without one.

        Returns:
            (B, V, channel, h, w).
        """
        batch, views = latents.shape[:2]

        def each_view(x: Tensor) -> Tensor:
            return x.repeat_interleave(views, dim=0)

        pooled = None
        if self.config.trunk is None:
            weights = text_mask[..., None].to(text.dtype)
            pooled = each_view((text * weights).sum(1) / weights.sum(1).clamp_min(1.0))  # (B * V, text_dim)
        features = condition.features
        if self.class_text_attention is not None:
            features = features + self.class_text_attention(text, text_mask, condition.seen).to(features.dtype)
        if prior is None:
            prior = self.predict_prior(condition, text, text_mask)
        given = [latents, features] if prior is None else [latents, features, prior]
        prediction = self.unet(
            torch.cat([part.to(latents.dtype) for part in given], dim=2)
            .flatten(0, 1)
            .contiguous(memory_format=torch.channels_last),
            each_view(timestep),
            encoder_hidden_states=each_view(text),
            encoder_attention_mask=each_view(text_mask),
            class_labels=pooled,
            cross_attention_kwargs={"positions": condition.positions},
        ).sample.unflatten(0, (batch, views))
        if prior is None:
            return prediction
        return prediction + prior_velocity(latents, timestep / 1000, *self._expected(prior))

    def _expected(self, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of the latents given a prior, and their variance about it (B, 1, channel, 1, 1)."""
        if not self.takes_draft:
            return prior, prior.new_full((1, 1, 1, 1, 1), PRIOR_VARIANCE)
        gains, variances = (part.to(prior.dtype)[:, None, None] for part in (self.draft_gains, self.draft_variances))
        known = prior.flatten(1).any(1)[:, None, None, None, None]
        return gains * prior, torch.where(known, variances, 1.0)


def prior_velocity(noisy: Tensor, level: Tensor, prior: Tensor, variance: Tensor) -> Tensor:
    """The linear minimum-mean-square-error estimate of the velocity; the UNet predicts the residual.

    With latents x_0 = g + r, Var(r) = s, and x_t = (1 - t) x_0 + t n:
    E[n - x_0 | x_t] = (t - (1 - t) s) / ((1 - t)^2 s + t^2) (x_t - (1 - t) g) - g, which plays the part of the skip
    connection of Karras et al. 2022 (arXiv 2206.00364, equation 7).

    Args:
        noisy: (B, V, channel, h, w).
        level: (B,) in [0, 1].
        prior: like `noisy`.
        variance: of the latents about the prior, spread like `noisy`.
    """
    t = level[:, None, None, None, None]
    rest = noisy - (1 - t) * prior
    share = (t - (1 - t) * variance) / ((1 - t) ** 2 * variance + t**2)
    return share * rest - prior

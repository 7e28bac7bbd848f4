"""The compact autoencoder: 256 x 256 views to 32 x 32 latents of 12 channels and back.

A norm-free convolutional autoencoder without a sampling step, so that one view is decoded in about ten milliseconds on
two CPU cores. It offers the interface of diffusers' autoencoders (`encode(x).latent_dist.mode()`, `decode(z).sample`).
The design is OccScene's own; `sd` pipelines use Stable Diffusion's autoencoder with the same additions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL, ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, IdentityDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))), the last convolution scaled down at the start in place of a normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.layers = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same."""
        return x + self.layers(x)


class SceneAutoencoder(ModelMixin, ConfigMixin):
    """Autoencoder of downscaling factor 8.

    Args:
        block_out_channels: widths at 1/2, 1/4 and 1/8 of the image's size.
        layers_per_block: residual blocks at each size, of encoder and decoder each.
        latent_channels: channels of a latent.
        latents_mean, latents_std: per channel, of the training set's latents; measured after training.
    """

    @register_to_config
    def __init__(
        self,
        block_out_channels: Sequence[int] = (32, 96, 160),
        layers_per_block: int = 2,
        latent_channels: int = 12,
        latents_mean: Sequence[float] = (0.0,) * 12,
        latents_std: Sequence[float] = (1.0,) * 12,
    ) -> None:
        super().__init__()
        low, middle, high = block_out_channels

        def blocks(channels: int) -> list[nn.Module]:
            return [ResidualBlock(channels) for _ in range(layers_per_block)]

        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, low, 3, padding=1),
            *blocks(low),
            nn.Conv2d(low, middle, 3, stride=2, padding=1),
            *blocks(middle),
            nn.Conv2d(middle, high, 3, stride=2, padding=1),
            *blocks(high),
            nn.ReLU(),
            nn.Conv2d(high, latent_channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, high, 3, padding=1),
            *blocks(high),
            nn.Conv2d(high, middle * 4, 1),
            nn.PixelShuffle(2),
            *blocks(middle),
            nn.Conv2d(middle, low * 4, 1),
            nn.PixelShuffle(2),
            *blocks(low),
            nn.ReLU(),
            nn.Conv2d(low, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    @property
    def spatial_compression_ratio(self) -> int:
        """Pixels of an image along the side of a latent's pixel."""
        return 2 ** len(self.config.block_out_channels)

    @apply_forward_hook
    def encode(self, x: Tensor, return_dict: bool = True) -> AutoencoderKLOutput | tuple[IdentityDistribution]:
        """Images (batch, 3, 8 h, 8 w) in [-1, 1] to a distribution whose mode is (batch, channel, h, w)."""
        posterior = IdentityDistribution(self.encoder(x))
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    @apply_forward_hook
    def decode(self, z: Tensor, return_dict: bool = True) -> DecoderOutput | tuple[Tensor]:
        """Latents (batch, channel, h, w) to images (batch, 3, 8 h, 8 w), about [-1, 1]."""
        sample = self.decoder(z)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def normalize(self, latents: Tensor) -> Tensor:
        """Latents (..., channel, h, w) to mean 0 and deviation 1 in each channel, as diffusion wants them."""
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def denormalize(self, latents: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        mean, std = self._statistics(latents)
        return latents * std + mean

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = (
            torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
            for values in (self.config.latents_mean, self.config.latents_std)
        )
        return mean, std

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructs images."""
        return self.decoder(self.encoder(x))


class SceneAutoencoderKL(AutoencoderKL):
    """Stable Diffusion's autoencoder; its folder loads as it is."""

    @property
    def spatial_compression_ratio(self) -> int:
        """Pixels of an image along the side of a latent's pixel."""
        return 2 ** (len(self.config.block_out_channels) - 1)

    def normalize(self, latents: Tensor) -> Tensor:
        """Latents (..., channel, h, w) to a deviation of about 1, as the checkpoint's UNet wants them."""
        return latents * self.config.scaling_factor

    def denormalize(self, latents: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        return latents / self.config.scaling_factor

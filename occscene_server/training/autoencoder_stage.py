"""Stage 0: the autoencoder, on random crops of views, and its command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from occscene_server.data.scenes import SceneSet
from occscene_server.geometry.pixel_values import bytes_from_images, images_from_bytes
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training import arguments as arg
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stage import report

LATENT_NOISE = 0.02
"""Standard deviation, in units of the latents', of the noise that keeps the decoder smooth around a latent."""

_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def autoencoder_loss(model: SceneAutoencoder, images: Tensor) -> tuple[Tensor, dict[str, float]]:
    """L1 and squared error on RGB, gradients at three scales on YCbCr, and equivariance under shrinking.

    The gradient term counts chroma as much as luma: with luma only, saturated colors bleed where hues alternate.
    A shrunk latent must decode to the shrunk image, which keeps latents smooth, so that a denoiser learns them several
    times faster (Kouzelis et al. 2025, "EQ-VAE", arXiv 2502.09509).

    Args:
        model: in training.
        images: (batch, 3, height, width) in [-1, 1].
    """
    latents = model.encoder(images)
    latents = latents + LATENT_NOISE * latents.detach().std() * torch.randn_like(latents)
    shrunk = model.decoder(F.avg_pool2d(latents, 2)).float() - F.avg_pool2d(images, 2)
    decoded = model.decoder(latents).float()
    error = decoded - images
    to_ycbcr = torch.tensor(_YCBCR, device=images.device)
    chroma_error = torch.einsum("kc,bchw->bkhw", to_ycbcr, error)
    gradient = error.new_zeros(())
    for scale in (1, 2, 4):
        coarse = F.avg_pool2d(chroma_error, scale) if scale > 1 else chroma_error
        gradient = gradient + scale * (coarse.diff(dim=2).abs().mean() + coarse.diff(dim=3).abs().mean())
    squared = error.square().mean()
    # the squared error decides PSNR, the absolute one keeps edges, the gradients keep texture
    equivariance = shrunk.abs().mean() + 4.0 * shrunk.square().mean()
    loss = error.abs().mean() + 4.0 * squared + gradient + equivariance + 1e-3 * latents.float().square().mean()
    metrics = {"psnr": squared, "psnr_shrunk": shrunk.square().mean()}
    return loss, {name: float(10 * torch.log10(4.0 / value.detach())) for name, value in metrics.items()}


def random_crops(views: Tensor, batch: int, side: int, generator: torch.Generator) -> Tensor:
    """Square crops with random mirroring.

    Args:
        views: (N, height, width, 3) uint8.
        batch, side: crops and pixels.
        generator: decides all.

    Returns:
        (batch, 3, side, side) in [-1, 1].
    """
    count, height, width, _ = views.shape
    which = torch.randint(count, (batch,), generator=generator).tolist()
    tops = torch.randint(height - side + 1, (batch,), generator=generator).tolist()
    lefts = torch.randint(width - side + 1, (batch,), generator=generator).tolist()
    crops = torch.stack([views[n, y : y + side, x : x + side] for n, y, x in zip(which, tops, lefts, strict=True)])
    mirror = torch.rand((batch, 1, 1, 1), generator=generator) < 0.5
    return images_from_bytes(torch.where(mirror, crops.flip(2), crops))


@torch.no_grad()
def measure_latents(model: SceneAutoencoder, views: Tensor, device: str) -> None:
    """Writes the mean and standard deviation of every latent channel over `views` to the model's config."""
    latents = torch.cat([model.encoder(images_from_bytes(v).to(device)).cpu() for v in views.split(16)])
    model.register_to_config(
        latents_mean=latents.mean(dim=(0, 2, 3)).tolist(), latents_std=latents.std(dim=(0, 2, 3)).tolist()
    )


@torch.no_grad()
def reconstruction_scores(model: Callable[[Tensor], Tensor], views: Tensor, device: str) -> dict[str, float]:
    """PSNR (dB, mean over views) and SSIM of uint8 views (N, height, width, 3) that a model gives back."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    psnrs, ssims = [], []
    for chunk in views.split(8):
        decoded = bytes_from_images(model(images_from_bytes(chunk).to(device))).movedim(-1, 1).float()
        truth = chunk.to(device).movedim(-1, 1).float()
        psnrs.append(10 * torch.log10(255.0**2 / (decoded - truth).square().mean(dim=(1, 2, 3))))
        similarity = ssim(decoded, truth, data_range=255.0, reduction="none")
        assert isinstance(similarity, Tensor)
        ssims.append(similarity)
    return {"psnr": float(torch.cat(psnrs).mean()), "ssim": float(torch.cat(ssims).mean())}


def train_autoencoder(
    model: SceneAutoencoder, views: Tensor, held_out: Tensor, options: LoopOptions, batch: int, crop: int, seed: int
) -> bool:
    """Trains on uint8 views (N, height, width, 3), then measures the latents unless the encoder is frozen.

    Returns:
        Whether all steps were done.
    """
    model.to(options.device, memory_format=torch.channels_last)

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        torch.manual_seed(generator.initial_seed())  # the noise on the latents
        images = random_crops(views, batch, crop, generator).to(options.device)
        return autoencoder_loss(model, images.contiguous(memory_format=torch.channels_last))

    finished = train(model, loss_of_step, options, lambda: reconstruction_scores(model, held_out, options.device))
    if any(parameter.requires_grad for parameter in model.encoder.parameters()):
        measure_latents(model, views[:: max(1, len(views) // 512)], options.device)
    return finished


def autoencoder(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("vae",))],
    steps: arg.Steps = 9000,
    batch: arg.CropBatch = 8,
    crop: Annotated[int, typer.Option(min=64, help="Side of a crop in pixels.")] = 128,
    decoder_of: Annotated[
        Path | None,
        typer.Option(help="Train this autoencoder's decoder further; its latents stay as they are."),
        arg.Weights("vae"),
    ] = None,
    learning_rate: arg.LearningRate = 1.2e-3,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train the autoencoder, from which everything else follows."""
    views, held_out = SceneSet(data, "train").views.flatten(0, 1), SceneSet(data, "validation").views.flatten(0, 1)
    torch.manual_seed(seed)
    model = SceneAutoencoder() if decoder_of is None else SceneAutoencoder.from_pretrained(decoder_of)
    model.encoder.requires_grad_(decoder_of is None)
    options = LoopOptions(
        output, steps, learning_rate, decay_fraction=0.3, ema_decay=0.9985, weight_decay=0.0,
        max_minutes=max_minutes, device=device,
    )  # fmt: skip
    finished = train_autoencoder(model, views, held_out[:32], options, batch, crop, seed)
    model.save_pretrained(output / "vae")
    report(finished, output / "vae", reconstruction_scores(model, held_out, device))

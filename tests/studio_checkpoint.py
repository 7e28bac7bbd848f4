"""A small Stable Diffusion checkpoint with a ControlNet, trained on views of the studio at 128 pixels.

    python -m tests.studio_checkpoint --data data/indoor --output runs/studio-checkpoint
    python -m tests.studio_checkpoint_report --data data/indoor --checkpoint runs/studio-checkpoint --output report

Real weights cannot show in a test whether control maps are obeyed and whether views agree; this one can. Autoencoder,
UNet, ControlNet of ADE20K's classes and text encoder have diffusers' formats and are trained from nothing; the same
command again resumes. Latents have 16 x 16 pixels: it draws layouts and colors, and says nothing of SDXL's looks.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from occscene_server.data.dataset import read_cameras, read_grids, read_info, read_views, scenes_of_split
from occscene_server.data.prompts import prompt_variants
from occscene_server.data.scene_mesh import MESHES_FILE
from occscene_server.geometry.control_maps import ade20k_map
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.terminal import say, track
from occscene_server.training.autoencoder_stage import autoencoder_loss, random_crops
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.scene_buffers import read_scene_buffers
from occscene_server.training.stage import seeded

SIDE, LATENT_SIDE = 128, 16
WORDS = 1000
"""Tokens of the vocabulary, at most."""
DROPPED_PROMPTS, DROPPED_MAPS = 0.1, 0.2
"""Shares of the samples without words, for classifier-free guidance, and without a map, so that a strength of 0 has
been trained too."""


@dataclass(frozen=True, eq=False)
class Views:
    """Training views.

    Args:
        images: (N, 128, 128, 3) uint8 sRGB.
        maps: (N, 2, 3, 128, 128) uint8 of ADE20K's classes, drawn from what was rendered and from the blockout.
        prompts: of each view, three.
    """

    images: Tensor
    maps: Tensor
    prompts: list[tuple[str, ...]]

    @classmethod
    def read(cls, data: Path, stored: Path, limit: int | None) -> Views:
        """Views of the first training rooms that have triangles; maps are drawn once and stored.

        Raises:
            ValueError: those of other rooms are stored.
        """
        folders = [path for path in scenes_of_split(data, "train") if (path / MESHES_FILE).exists()][:limit]
        if not stored.exists():
            drawn = [_shown(folder) for folder in track(folders, "rooms")]
            stored.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: torch.cat([room[name] for room in drawn]) for name in ("images", "maps")}, stored)
        tensors = load_file(stored)
        rooms = [prompt_variants(read_info(folder)) for folder in folders]
        count = len(read_cameras(folders[0]))
        if len(tensors["images"]) != count * len(rooms):
            raise ValueError(f"{stored} has views of other rooms than those that are asked for; remove it")
        return cls(tensors["images"], tensors["maps"], [prompts for prompts in rooms for _ in range(count)])


def _shown(folder: Path) -> dict[str, Tensor]:
    """Small views of a room, and their maps from both kinds of shapes."""
    views = torch.from_numpy(read_views(folder)).movedim(-1, 1).float()
    small = F.interpolate(views, (SIDE, SIDE), mode="area").round().to(torch.uint8)
    grid = read_grids(folder)[1]
    maps = [ade20k_map(read_scene_buffers(folder, source, (SIDE, SIDE)).maps, grid) for source in ("true", "blockout")]
    return {
        "images": small.movedim(1, -1).contiguous(),
        "maps": (torch.stack(maps, 1) * 255).round().to(torch.uint8),
    }


def tokenizer_of(texts: Sequence[str]) -> CLIPTokenizer:
    """CLIP's tokenizer with the words of some texts; the same texts give the same numbers, as a resumed run needs."""
    words = Counter(word for text in texts for word in re.findall(r"[a-z]+|[^a-z\s]+", text.lower()))
    letters = sorted({letter for word in words for letter in word})
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    pieces = {word: [*word[:-1], f"{word[-1]}</w>"] for word in words}
    merges: list[tuple[str, str]] = []
    while len(tokens) < WORDS:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in pieces.items():
            for pair in itertools.pairwise(parts):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        tokens.append("".join(best))
        for parts in pieces.values():
            for place in range(len(parts) - 1, 0, -1):
                if tuple(parts[place - 1 : place + 1]) == best:
                    parts[place - 1 : place + 1] = ["".join(best)]
    vocabulary = {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def small_checkpoint(tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """The checkpoint before its training."""
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 16, 32, 64), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=4, sample_size=SIDE,
            mid_block_add_attention=False,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=LATENT_SIDE, in_channels=4, out_channels=4, block_out_channels=(48, 96), layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=text.hidden_size, attention_head_dim=4, norm_num_groups=16,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
            set_alpha_to_one=False, steps_offset=1, clip_sample=False,
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def train_autoencoder(vae: AutoencoderKL, views: Tensor, options: LoopOptions, batch: int) -> bool:
    """Trains on crops of half the side, then measures the latents' scale."""
    vae.to(memory_format=torch.channels_last)
    plain = SimpleNamespace(
        encoder=lambda images: vae.encode(images).latent_dist.mode(), decoder=lambda latents: vae.decode(latents).sample
    )

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        torch.manual_seed(generator.initial_seed())  # the noise on the latents
        return autoencoder_loss(plain, random_crops(views, batch, SIDE // 2, generator))  # type: ignore[arg-type]

    finished = train(vae, seeded(loss, 0), options)
    vae.register_to_config(scaling_factor=1 / float(encoded(vae, views[:: max(1, len(views) // 256)]).std()))
    return finished


@torch.no_grad()
def encoded(vae: AutoencoderKL, views: Tensor) -> Tensor:
    """Latents (N, 4, 16, 16) of uint8 views, unscaled."""
    return torch.cat([vae.encode(images_from_bytes(part)).latent_dist.mode() for part in views.split(32)])


def fresh_control_net(unet: UNet2DConditionModel, widths: tuple[int, ...]) -> ControlNetModel:
    """A ControlNet that is trained together with its UNet.

    The zeros with which it would begin protect a UNet that can paint already; here they would only delay it.
    """
    control: ControlNetModel = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=widths)
    for layer in control.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.any():
            layer.reset_parameters()
    return control


class Painter(nn.Module):
    """UNet, ControlNet and text encoder, which are trained together to predict v."""

    def __init__(self, pipeline: StableDiffusionPipeline) -> None:
        super().__init__()
        self.unet, self.text = pipeline.unet, pipeline.text_encoder
        self.control = fresh_control_net(pipeline.unet, (4, 8, 16, 32))

    def forward(self, noisy: Tensor, time: Tensor, tokens: Tensor, maps: Tensor, shown: Tensor) -> Tensor:
        """v (B, 4, 16, 16) of noisy latents, words (B, 77) and maps in [0, 1], which act where `shown` is 1."""
        states = self.text(tokens)[0]
        down, middle = self.control(noisy, time, states, maps, return_dict=False)
        on = shown[:, None, None, None]
        return self.unet(
            noisy, time, states, down_block_additional_residuals=[part * on for part in down],
            mid_block_additional_residual=middle * on, return_dict=False,
        )[0]  # fmt: skip


def train_painter(
    painter: Painter, views: Views, pipeline: StableDiffusionPipeline, options: LoopOptions, batch: int
) -> bool:
    """Trains on views and mirrored views."""
    tokenizer = pipeline.tokenizer

    @cache
    def all_latents() -> Tensor:
        say("encoding the views")
        both = [encoded(pipeline.vae, images) for images in (views.images, views.images.flip(2))]
        return torch.stack(both) * pipeline.vae.config.scaling_factor

    def tokens_of(texts: Sequence[str]) -> Tensor:
        found: Tensor = tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=77, return_tensors="pt"
        ).input_ids
        return found

    tokens = torch.stack([tokens_of(kind) for kind in zip(*views.prompts, strict=True)])  # (3, N, 77)
    empty = tokens_of([""])[0]

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = torch.from_numpy(rng.choice(len(views.images), batch, replace=False))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        mirrored, source, variant = (torch.randint(n, (batch,), generator=generator) for n in (2, 2, 3))
        clean, maps = all_latents()[mirrored, rows], views.maps[rows, source].float() / 255
        maps = torch.where(mirrored[:, None, None, None] == 1, maps.flip(3), maps)
        words = tokens[variant, rows]
        words = torch.where(torch.rand(batch, 1, generator=generator) < DROPPED_PROMPTS, empty, words)
        shown = (torch.rand(batch, generator=generator) >= DROPPED_MAPS).float()
        noise = torch.randn(clean.shape, generator=generator)
        time = torch.randint(1000, (batch,), generator=generator)
        noisy = pipeline.scheduler.add_noise(clean, noise, time)
        error = (
            painter(noisy, time, words, maps, shown) - pipeline.scheduler.get_velocity(clean, noise, time)
        ).square().mean((1, 2, 3))  # fmt: skip
        metrics = {
            name: float((error.detach() * chosen).sum() / chosen.sum().clamp_min(1))
            for name, chosen in (("with_map", shown), ("without_map", 1 - shown))
        }
        return error.mean(), metrics

    return train(painter, seeded(loss, 1), options)


def main() -> None:
    """Trains both stages and saves `checkpoint` and `control` in the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of rendered rooms with their triangles")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rooms", type=int, help="the first N training rooms; all if omitted")
    parser.add_argument("--autoencoder-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    views = Views.read(chosen.data, chosen.output / "views.safetensors", chosen.rooms)
    torch.manual_seed(0)
    pipeline = small_checkpoint(tokenizer_of([text for texts in views.prompts for text in texts]))
    painter = Painter(pipeline)
    train_autoencoder(
        pipeline.vae, views.images,
        LoopOptions(chosen.output / "autoencoder", chosen.autoencoder_steps, 2e-3, 50, 0.3, 0.99, 0.0), chosen.batch,
    )  # fmt: skip
    train_painter(
        painter, views, pipeline, LoopOptions(chosen.output / "painter", chosen.steps, 1e-3, 100, 0.3, 0.995),
        chosen.batch,
    )  # fmt: skip
    pipeline.save_pretrained(chosen.output / "checkpoint")
    painter.control.save_pretrained(chosen.output / "control")
    say(f"{chosen.output / 'checkpoint'} and {chosen.output / 'control'} are there")


if __name__ == "__main__":
    main()

"""An artist's Stable Diffusion or SDXL checkpoint, loaded from a preset, a folder or one file.

Only safetensors files are read, for others may run programs; nothing is fetched: what is missing is named with the
command that fetches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers.utils.logging
from diffusers import AutoencoderKL, SchedulerMixin
from torch import Tensor

from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.models.checkpoint_source import CheckpointSource
from occscene_server.models.clip_prompts import ClipPrompts
from occscene_server.models.control_nets import Control
from occscene_server.models.control_sources import load_controls
from occscene_server.models.hub_cache import require, require_repository
from occscene_server.models.presets import PRESETS, STABLE_DIFFUSION_XL, Family
from occscene_server.models.samplers import sampler_named

_FURTHER = ("safety_checker", "feature_extractor", "image_encoder")
"""Components of a saved pipeline that are not loaded: what the artist draws is hers to judge."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The parts of a checkpoint, on one device.

    Args:
        name: for people.
        family: what it has in common with others.
        license: as its card has it.
        vae, unet: diffusers' networks.
        prompts: its tokenizers and text encoders.
        scheduler: of the chosen sampler.
        sampler: its name.
        controls: its ControlNets.
    """

    name: str
    family: Family
    license: str
    vae: AutoencoderKL
    unet: Any
    prompts: ClipPrompts
    scheduler: SchedulerMixin
    sampler: str
    controls: tuple[Control, ...]

    @property
    def is_xl(self) -> bool:
        """Whether it is SDXL."""
        return self.family.name == STABLE_DIFFUSION_XL

    @property
    def scale(self) -> int:
        """Pixels along a side of one latent."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def side(self) -> int:
        """Pixels of a square image of the area that it was trained with."""
        return int(self.unet.config.sample_size) * self.scale

    @property
    def multiple(self) -> int:
        """Pixels that the sides of its images are multiples of."""
        return self.scale * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def encode(self, images: Tensor) -> Tensor:
        """Images (V, 3, height, width) in [-1, 1] to latents (V, 4, h, w) of the network's scale."""
        encoded = self.vae.encode(images.to(self.vae.device, self.vae.dtype)).latent_dist.mode().float()
        mean, std = self._statistics(encoded)
        return encoded * self.vae.config.scaling_factor if std is None else (
            (encoded - mean) * self.vae.config.scaling_factor / std
        )  # fmt: skip

    def decode(self, latents: Tensor) -> Tensor:
        """The inverse of `encode`, as diffusers' pipelines have it."""
        mean, std = self._statistics(latents)
        factor = self.vae.config.scaling_factor
        scaled = latents / factor if std is None else latents * std / factor + mean
        images: Tensor = self.vae.decode(scaled.to(self.vae.device, self.vae.dtype), return_dict=False)[0]
        return images

    def _statistics(self, latents: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Means and deviations of the autoencoder's channels, where it has them."""
        config = self.vae.config
        if config.get("latents_mean") is None or config.get("latents_std") is None:
            return None, None
        mean, std = (torch.tensor(config[name]).view(1, -1, 1, 1).to(latents) for name in
                     ("latents_mean", "latents_std"))  # fmt: skip
        return mean, std

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        """All of them, each once."""
        nets = [control.network for control in self.controls]
        return tuple(dict.fromkeys([self.unet, *nets, self.vae, *self.prompts.encoders]))


def load_checkpoint(source: CheckpointSource, options: CheckpointOptions, dtype: torch.dtype) -> Checkpoint:
    """Loads a checkpoint onto the CPU.

    Args:
        source: as `find_checkpoint` has it.
        options: the artist's choices.
        dtype: of the weights; the autoencoder's stays float32 where half precision would overflow.

    Raises:
        ValueError: what is there is not what can be run; the message has the way out.
        FileNotFoundError: something is not on this machine; the message has the command that fetches it.
    """
    vae = _other_vae(source, options, dtype)
    pipe = _pipeline(source, dtype, {} if vae is None else {"vae": vae})
    unet, family = pipe.unet, source.family
    _check_unet(source.name, unet)
    for path, weight in (*_preset_loras(source), *options.chosen_loras):
        _add_lora(pipe, path, weight)
    if dtype == torch.float16 and pipe.vae.config.force_upcast:
        pipe.vae.to(torch.float32)
    is_xl = family.name == STABLE_DIFFUSION_XL
    ends = ("", "_2") if is_xl else ("",)
    zero_if_empty = is_xl and bool(pipe.config.get("force_zeros_for_empty_prompt", False))
    prompts = ClipPrompts(
        [getattr(pipe, f"tokenizer{end}") for end in ends], [getattr(pipe, f"text_encoder{end}") for end in ends],
        is_xl, zero_if_empty,
    )  # fmt: skip
    sampler = options.sampler or family.sampler
    checkpoint = Checkpoint(
        source.name, family, source.license, pipe.vae, unet, prompts,
        sampler_named(sampler, pipe.scheduler.config, options.prediction_type), sampler,
        load_controls(source.wanted, family, options.chosen_controls, unet, dtype),
    )  # fmt: skip
    for network in checkpoint.networks:
        network.requires_grad_(False).eval()
    return checkpoint


def _pipeline(source: CheckpointSource, dtype: torch.dtype, given: dict[str, Any]) -> Any:
    """The checkpoint as diffusers' plain pipeline."""
    transformers.utils.logging.set_verbosity_error()  # the import warns of image processors that are not used
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    kind = StableDiffusionXLPipeline if source.family.name == STABLE_DIFFUSION_XL else StableDiffusionPipeline
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True, **given}
    if kind is StableDiffusionPipeline:
        options |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    try:
        if source.path.is_file():
            usual = source.family.configuration
            folder = source.configuration or require(usual, f"{usual.repo} --configuration")
            return kind.from_single_file(str(source.path), config=str(folder), **options)
        return kind.from_pretrained(source.path, use_safetensors=True, variant=source.variant, **options)
    except (KeyError, RuntimeError, TypeError) as error:  # diffusers' words for files that are not what they seem
        raise ValueError(f"{source.path} cannot be loaded as {source.family.label}: {error}") from error


def _other_vae(source: CheckpointSource, options: CheckpointOptions, dtype: torch.dtype) -> AutoencoderKL | None:
    """The autoencoder in place of the checkpoint's own, where one is chosen."""
    preset = PRESETS.get(source.wanted)
    if options.vae:
        folder = Path(options.vae) if Path(options.vae).is_dir() else None
        if folder is None and options.vae.count("/") != 1:
            raise ValueError(f"--vae is {options.vae!r}, which is no folder; give a folder or a hub id (owner/name)")
        folder = require_repository(options.vae) if folder is None else folder
    elif preset is not None and preset.vae is not None:
        folder = require(preset.vae, preset.name)
    else:
        return None
    if not list(folder.glob("*.safetensors")):
        raise ValueError(f"--vae {folder} has no .safetensors file; other files may run programs and are not read")
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(folder, use_safetensors=True, dtype=dtype, local_files_only=True)
    return vae


def _preset_loras(source: CheckpointSource) -> Sequence[tuple[Path, float]]:
    preset = PRESETS.get(source.wanted)
    if preset is None or preset.lora is None:
        return ()
    return ((require(preset.lora, preset.name) / preset.lora.files[0], 1.0),)


def _add_lora(pipe: Any, path: Path, weight: float) -> None:
    """Adds an adapter's weights to the checkpoint's own.

    Raises:
        ValueError: it is not there, is none, or peft is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--lora {path} does not exist; give a .safetensors file")
    try:
        pipe.load_lora_weights(str(path.parent), weight_name=path.name, local_files_only=True)
        if not pipe.get_active_adapters():
            raise ValueError("none of its weights belongs to this checkpoint")
        pipe.fuse_lora(lora_scale=weight)
        pipe.unload_lora_weights()
    except (ValueError, KeyError, RuntimeError) as error:
        way_out = "; pip install peft" if "PEFT" in str(error) else "; give an adapter that was trained for this family"
        raise ValueError(f"--lora {path} cannot be added: {error}{way_out}") from error


def _check_unet(name: str, unet: Any) -> None:
    """Refuses networks that draw something else than images from words."""
    channels = unet.config.in_channels
    if channels != 4:
        kind = {9: "an inpainting", 8: "an editing"}.get(channels, "another")
        raise ValueError(
            f"{name} is {kind} checkpoint: its network takes {channels} channels, not 4; give a text-to-image "
            "checkpoint"
        )
    if unet.config.time_cond_proj_dim is not None:
        raise ValueError(
            f"{name} is distilled to a fixed guidance (LCM); give its base checkpoint and its LoRA (--lora) with "
            "--sampler lcm"
        )

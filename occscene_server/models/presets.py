"""Checkpoints and ControlNets that are known by name, as data: where they are, what they are used with, what they ask.

Strengths, steps and samplers are what peers use, as far as they publish it; none of them was tried here with the real
weights. A revision is the commit that is fetched, so that what is fetched cannot change; "main" where no commit is
known.
"""

from __future__ import annotations

from dataclasses import dataclass

STABLE_DIFFUSION, STABLE_DIFFUSION_XL = "sd", "sdxl"


@dataclass(frozen=True)
class HubFiles:
    """Files of a repository of the Hugging Face hub.

    Args:
        repo: owner/name.
        revision: commit.
        files: patterns of what is needed.
        license: as the card has it.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    license: str


@dataclass(frozen=True)
class PresetControl:
    """A ControlNet of a family: its kind, files, strength and the share of the steps at which it ends."""

    kind: str
    files: HubFiles
    strength: float
    end: float


@dataclass(frozen=True)
class Family:
    """What checkpoints of one architecture have in common.

    Args:
        name: "sd" or "sdxl".
        label: for people.
        side: pixels of a square image of the area that they were trained with.
        configuration: a repository whose configuration single files are loaded with.
        controls: used if none are chosen.
        steps, text_guidance_scale, sampler: used if none are chosen.
        sync_steps: denoising steps at which views are synchronised.
    """

    name: str
    label: str
    side: int
    configuration: HubFiles
    controls: tuple[PresetControl, ...]
    steps: int
    text_guidance_scale: float
    sampler: str = "dpm++-2m-karras"
    sync_steps: int = 8


@dataclass(frozen=True)
class Preset:
    """A checkpoint known by name, with what is loaded into it.

    Args:
        name: for `--model`.
        family: of the checkpoint.
        checkpoint: in diffusers' layout.
        lora: a file of a repository, or None.
        vae: in place of the checkpoint's own, or None.
    """

    name: str
    family: Family
    checkpoint: HubFiles
    lora: HubFiles | None = None
    vae: HubFiles | None = None

    @property
    def parts(self) -> tuple[HubFiles, ...]:
        """Everything that it needs, each repository once."""
        controls = [control.files for control in self.family.controls]
        every = [self.checkpoint, *controls, *filter(None, [self.lora, self.vae])]
        return tuple(dict.fromkeys(every))


_CONFIGURATION = ("model_index.json", "*/*.json", "*/merges.txt", "*/vocab.txt")
_HALF = (*_CONFIGURATION, "*/*.fp16.safetensors")
_CONTROL_HALF = ("config.json", "diffusion_pytorch_model.fp16.safetensors")

_SD15 = HubFiles(
    "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    (*_CONFIGURATION, "unet/*.fp16.safetensors", "vae/*.fp16.safetensors", "text_encoder/*.fp16.safetensors"),
    "creativeml-openrail-m",
)  # fmt: skip
_SDXL = HubFiles(
    "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b",
    (*_CONFIGURATION, "unet/*.fp16.safetensors", "text_encoder*/*.fp16.safetensors"), "openrail++",
)  # fmt: skip
_SDXL_VAE = HubFiles(
    "madebyollin/sdxl-vae-fp16-fix", "207b116dae70ace3637169f1ddd2434b91b3a8cd",
    ("config.json", "diffusion_pytorch_model.safetensors"), "mit",
)  # fmt: skip
_UNION = HubFiles(
    "xinsir/controlnet-union-sdxl-1.0", "60ccbb0afea4fb991abea616e2b2ee455869b84b",
    ("config.json", "diffusion_pytorch_model.safetensors"), "apache-2.0",
)  # fmt: skip
_DEPTH = HubFiles(
    "lllyasviel/control_v11f1p_sd15_depth", "539f99181d33db39cf1af2e517cd8056785f0a87", _CONTROL_HALF, "openrail"
)
_SEGMENT = HubFiles("lllyasviel/control_v11p_sd15_seg", "main", _CONTROL_HALF, "openrail")
_LIGHTNING = HubFiles(
    "ByteDance/SDXL-Lightning", "c9a24f48e1c025556787b0c58dd67a091ece2e44",
    ("sdxl_lightning_8step_lora.safetensors",), "openrail++",
)  # fmt: skip

_SDXL_CONTROLS = (PresetControl("depth", _UNION, 0.6, 0.8), PresetControl("segment", _UNION, 0.4, 0.5))
SD = Family(
    STABLE_DIFFUSION, "Stable Diffusion", 512, HubFiles(_SD15.repo, _SD15.revision, _CONFIGURATION, _SD15.license),
    (PresetControl("depth", _DEPTH, 0.8, 0.8), PresetControl("segment", _SEGMENT, 0.7, 0.6)), 20, 7.0,
)  # fmt: skip
SDXL = Family(
    STABLE_DIFFUSION_XL, "Stable Diffusion XL", 1024,
    HubFiles(_SDXL.repo, _SDXL.revision, _CONFIGURATION, _SDXL.license), _SDXL_CONTROLS, 24, 6.0,
)  # fmt: skip
LIGHTNING = Family(
    STABLE_DIFFUSION_XL, "Stable Diffusion XL, Lightning", 1024, SDXL.configuration, _SDXL_CONTROLS, 8, 1.5,
    "euler-trailing", sync_steps=4,
)  # fmt: skip

FAMILIES = {family.name: family for family in (SD, SDXL)}

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("sdxl", SDXL, _SDXL, vae=_SDXL_VAE),
        Preset("sdxl-lightning", LIGHTNING, _SDXL, lora=_LIGHTNING, vae=_SDXL_VAE),
        Preset("sd15", SD, _SD15),
    )
}

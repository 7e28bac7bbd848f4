"""Where a checkpoint is, and what it is, told from its file names and headers before anything is loaded."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from occscene_server.models.hub_cache import missing_of_preset, require, require_repository
from occscene_server.models.presets import FAMILIES, PRESETS, SDXL, STABLE_DIFFUSION, STABLE_DIFFUSION_XL, Family

_UNSAFE = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_CONVERT = (
    "only .safetensors files are read, for others may run programs; convert it on a machine that you trust it on: load "
    "it with diffusers and call save_pretrained(FOLDER, safe_serialization=True)"
)
_VERBS = ("", "Img2Img", "ControlNet", "ControlNetImg2Img", "ControlNetUnion", "ControlNetUnionImg2Img")
_PIPELINES = {
    **{f"StableDiffusion{verb}Pipeline": STABLE_DIFFUSION for verb in _VERBS},
    **{f"StableDiffusionXL{verb}Pipeline": STABLE_DIFFUSION_XL for verb in _VERBS},
}
_SINGLE_FILES = {"v1": STABLE_DIFFUSION, "xl_base": STABLE_DIFFUSION_XL}
_LARGEST_HEADER = 1 << 27


@dataclass(frozen=True)
class CheckpointSource:
    """A checkpoint that is on this machine.

    Args:
        wanted: what it was asked for by: a preset's name, a hub id or a path.
        path: its folder in diffusers' layout, or its one file.
        family: what it has in common with others.
        license: as the card has it.
        variant: of the files in a folder, "fp16" or None.
        configuration: a folder in diffusers' layout that a single file is loaded with; None for the family's.
    """

    wanted: str
    path: Path
    family: Family
    license: str
    variant: str | None = None
    configuration: Path | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.wanted if self.wanted in PRESETS or not Path(self.wanted).exists() else self.path.stem


def find_checkpoint(model: str, configuration: Path | None = None) -> CheckpointSource | None:
    """What `--model` names.

    Args:
        model: a preset's name, a folder, a file or a hub id.
        configuration: as in `CheckpointSource`.

    Returns:
        None if it is no Stable Diffusion checkpoint, but may be a pipeline of OccScene's own.

    Raises:
        ValueError: it is a checkpoint that cannot be run; the message has the way out.
        FileNotFoundError: it is not on this machine.
    """
    if model in PRESETS:
        preset, missing = PRESETS[model], missing_of_preset(model)
        if missing:
            parts = ", ".join(f"{part.repo} ({part.license})" for part in missing)
            raise FileNotFoundError(
                f"{model} needs what is not on this machine: {parts}; `occscene-server models get {model}` shows the "
                "sizes and fetches it"
            )
        folder = require(preset.checkpoint, model)
        return CheckpointSource(model, folder, preset.family, preset.checkpoint.license, "fp16")
    path = Path(model)
    if path.is_file():
        return _single_file(path, configuration)
    if path.suffix.lower() == ".safetensors":
        raise FileNotFoundError(f"{path} does not exist; give a checkpoint's file, a folder, a hub id or a preset")
    if not path.exists():
        if model.count("/") != 1 or model.startswith((".", "/")):
            known = ", ".join(PRESETS)
            raise FileNotFoundError(
                f"the model folder {model} does not exist; give a folder, a .safetensors file, a hub id (owner/name) "
                f"or one of {known}"
            )
        path = require_repository(model)
    return _folder(model, path)


def _folder(wanted: str, folder: Path) -> CheckpointSource | None:
    index = folder / "model_index.json"
    if not index.is_file():
        return None
    described = json.loads(index.read_text(encoding="utf-8"))
    kind = str(described.get("_class_name"))
    if kind == "OccScenePipeline":
        return None
    if kind not in _PIPELINES:
        raise ValueError(
            f"{folder} is a {kind}; this server runs OccScenePipeline, and text-to-image checkpoints of Stable "
            "Diffusion 1.x, 2.x and XL"
        )
    if described.get("requires_aesthetics_score"):
        raise ValueError(f"{folder} is SDXL's refiner, which draws nothing of its own; give the base checkpoint")
    family = FAMILIES[_PIPELINES[kind]]
    parts = ["unet", "text_encoder", *(["text_encoder_2"] if family is SDXL else [])]
    variants = {_variant(folder, part) for part in parts}
    return CheckpointSource(wanted, folder, family, card_license(folder), "fp16" if variants == {"fp16"} else None)


def _variant(folder: Path, part: str) -> str:
    """Which files of a component are loaded: "" or "fp16".

    Raises:
        ValueError: there are no safetensors files.
    """
    names = [path.name for path in (folder / part).glob("*")] if (folder / part).is_dir() else []
    safe = [name for name in names if name.endswith(".safetensors")]
    if not safe:
        found = next((name for name in names if name.endswith(_UNSAFE)), None)
        if found is None:
            raise ValueError(f"{folder} lacks {part}; give a whole checkpoint in diffusers' layout")
        raise ValueError(f"{folder / part / found}: {_CONVERT}")
    return "fp16" if all(".fp16." in name for name in safe) else ""


def _single_file(path: Path, configuration: Path | None) -> CheckpointSource:
    if path.suffix.lower() != ".safetensors":
        raise ValueError(f"{path}: {_CONVERT}")
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type

    header = read_header(path)
    shapes = {name: SimpleNamespace(shape=row["shape"]) for name, row in header.items() if name != "__metadata__"}
    if not any(name.startswith("model.diffusion_model.") for name in shapes):
        raise ValueError(
            f"{path} has no weights of a Stable Diffusion checkpoint (model.diffusion_model...); a LoRA is given with "
            "--lora, a ControlNet with --control, an autoencoder with --vae"
        )
    kind = infer_diffusers_model_type(shapes)
    if kind not in _SINGLE_FILES:
        what = kind.replace("_", " ")
        raise ValueError(
            f"{path} is a checkpoint of the kind {what!r}; single files may be text-to-image checkpoints of Stable "
            "Diffusion 1.x or SDXL"
        )
    return CheckpointSource(
        str(path), path, FAMILIES[_SINGLE_FILES[kind]], "unknown: see the model's page", configuration=configuration
    )


def read_header(path: Path) -> dict[str, Any]:
    """The names, types and shapes of a safetensors file's tensors.

    Raises:
        ValueError: it is no such file.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if not 2 <= length <= _LARGEST_HEADER:
                raise ValueError(f"its header would have {length} bytes")
            header = json.loads(file.read(length))
    except (struct.error, ValueError) as error:
        raise ValueError(f"{path} is no safetensors file ({error}); fetch it again") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path} is no safetensors file (its header is no table); fetch it again")
    return header


def card_license(folder: Path) -> str:
    """The license that the front matter of a folder's card names."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines() if card.is_file() else []
    if lines[:1] == ["---"]:
        for line in lines[1:]:
            if line == "---":
                break
            key, _, value = line.partition(":")
            if key.strip() in ("license", "license_name") and value.strip() not in ("", "other"):
                return value.strip().strip("\"'")
    return "unknown: see the model's page"

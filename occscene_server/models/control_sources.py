"""Finding and loading the ControlNets of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel

from occscene_server.models.checkpoint_options import ControlChoice
from occscene_server.models.control_nets import UNION_TYPES, Control
from occscene_server.models.hub_cache import require, require_repository
from occscene_server.models.presets import Family


def load_controls(
    wanted: str, family: Family, choices: Sequence[ControlChoice] | None, unet: Any, dtype: torch.dtype
) -> tuple[Control, ...]:
    """Loads the ControlNets that are chosen, each network once.

    Args:
        wanted: the checkpoint, by what it was asked for.
        family: of the checkpoint, with its own ControlNets.
        choices: None for the family's own.
        unet: that they are to fit.
        dtype: of the weights.

    Raises:
        ValueError: one does not fit the checkpoint or its kind.
        FileNotFoundError: one is not on this machine.
    """
    own = {control.kind: control for control in family.controls}
    if choices is None:
        choices = [ControlChoice(kind) for kind in own]
    folders: dict[Path, tuple[Any, bool]] = {}
    controls: list[Control] = []
    for choice in choices:
        usual = own.get(choice.kind)
        if choice.source:
            folder = _given(choice)
        elif usual is None:
            raise ValueError(
                f"--control {choice.kind}: {family.label} has no usual ControlNet for it; give "
                f"--control {choice.kind}=FOLDER or =OWNER/NAME"
            )
        else:
            folder = require(usual.files, usual.files.repo)
        if folder not in folders:
            folders[folder] = _load(folder, unet, dtype)
        network, is_union = folders[folder]
        if is_union and UNION_TYPES[choice.kind] >= network.config.num_control_type:
            raise ValueError(f"--control {choice.kind}: {folder} does not know this type")
        if not is_union and any(control.network is network for control in controls):
            raise ValueError(f"--control {choice.kind}: {folder} is no union ControlNet; it can be one kind only")
        strength = choice.strength if choice.strength is not None else 0.6 if usual is None else usual.strength
        end = choice.end if choice.end is not None else 0.8 if usual is None else usual.end
        controls.append(Control(choice.kind, network, is_union, strength, choice.start, end))
    return tuple(controls)


def _given(choice: ControlChoice) -> Path:
    path = Path(choice.source)
    if path.is_dir():
        return path
    if path.is_file() or choice.source.count("/") != 1:
        raise ValueError(
            f"--control {choice.kind}={choice.source} is no folder; give a ControlNet's folder in diffusers' layout "
            "(config.json and a .safetensors file) or its hub id (owner/name)"
        )
    return require_repository(choice.source)


def _load(folder: Path, unet: Any, dtype: torch.dtype) -> tuple[Any, bool]:
    """A ControlNet, and whether it is a union."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder} has no config.json; give a ControlNet's folder in diffusers' layout")
    config = json.loads(path.read_text(encoding="utf-8"))
    kind = str(config.get("_class_name", ""))
    if not kind.startswith("ControlNet"):
        raise ValueError(f"{folder} is a {kind or 'network of an unknown kind'}; --control takes ControlNets")
    safe = [path.name for path in folder.glob("*.safetensors")]
    if not safe:
        raise ValueError(f"{folder} has no .safetensors file; other files may run programs and are not read")
    is_union = "num_control_type" in config
    network = (ControlNetUnionModel if is_union else ControlNetModel).from_pretrained(
        folder, use_safetensors=True, dtype=dtype, local_files_only=True,
        variant="fp16" if all(".fp16." in name for name in safe) else None,
    )  # fmt: skip
    for name in ("cross_attention_dim", "block_out_channels"):
        theirs, ours = (_plain(net.config[name]) for net in (network, unet))
        if theirs != ours:
            raise ValueError(f"{folder} was made for another family: its {name} is {theirs}, the checkpoint's {ours}")
    return network, is_union


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value

"""One tiny checkpoint in each form that `--model` takes: a folder, a single file, and a preset in the hub's cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from occscene_server.models.presets import PRESETS, HubFiles
from tests.occscene_server.pipelines.single_file import save_single_file
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_control, save_tiny_kit
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion

FORMS = ("folder", "file", "preset")


def save_checkpoint_forms(root: Path) -> None:
    """Writes a checkpoint in all forms; weights of tiny size stand in `root / "home/hub"` where a preset's are kept."""
    pipeline = save_tiny_kit(root, "sd")[0]
    save_single_file(pipeline, root / "artist.safetensors")
    save_tiny_stable_diffusion(root / "half").save_pretrained(root / "half-only", variant="fp16")
    for name in ("depth", "segment"):
        save_tiny_control(root / name, pipeline.unet).save_pretrained(root / f"{name}-half", variant="fp16")
    preset = PRESETS["sd15"]
    _put(root / "home/hub", preset.checkpoint, root / "half-only")
    for control in preset.family.controls:
        _put(root / "home/hub", control.files, root / f"{control.kind}-half")


def form_arguments(form: str, root: Path) -> tuple[object, ...]:
    """The options of a command that name a form, with a depth ControlNet."""
    control = ("--control", f"depth={root / 'control'}:0.7")
    if form == "folder":
        return "--model", root / "checkpoint", *control
    if form == "file":
        return "--model", root / "artist.safetensors", *control
    return "--model", "sd15"


def _put(cache: Path, files: HubFiles, folder: Path) -> None:
    place = cache / f"models--{files.repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(files.revision)
    shutil.copytree(folder, place / "snapshots" / files.revision)

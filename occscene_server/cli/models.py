"""`occscene-server models`: checkpoints and ControlNets of the Hugging Face hub; the only commands that fetch any."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any

import typer
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from occscene_server.cli.console import console, user_errors
from occscene_server.models.hub_cache import cached, missing_of_preset, needed
from occscene_server.models.presets import FAMILIES, PRESETS, HubFiles
from occscene_server.terminal import PlainTable, one_line, say

models_app = typer.Typer(
    help="List and fetch Stable Diffusion checkpoints and ControlNets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True)
class Download:
    """What is to be fetched of one repository.

    Args:
        repo, revision: where it is.
        files: names of files.
        size: bytes of all of them.
        license: as the card has it.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    size: int
    license: str


@models_app.command("list")
def list_models() -> None:
    """The presets for --model, their licenses, and whether they are on this machine."""
    table = PlainTable("preset", "family", "licenses", "on this machine", box=None)
    for preset in PRESETS.values():
        licenses = ", ".join(dict.fromkeys(part.license for part in preset.parts))
        missing = missing_of_preset(preset.name)
        there = "yes" if not missing else f"{len(preset.parts) - len(missing)} of {len(preset.parts)} parts"
        table.add_row(preset.name, preset.family.label, licenses, there)
    console.print(table)


@models_app.command("get")
def get_models(
    name: Annotated[str, typer.Argument(help="A preset (sdxl, sdxl-lightning, sd15) or a hub id (owner/name).")],
    configuration: Annotated[
        bool, typer.Option("--configuration", help="Only what single files are loaded with, some megabytes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Show the size and license of a checkpoint or ControlNet, and fetch it."""
    with user_errors():
        wanted = _wanted(name, configuration)
        try:
            downloads = [_planned(files) for files in wanted]
        except OfflineModeIsEnabled as error:
            raise ValueError("HF_HUB_OFFLINE is set, so nothing is fetched; unset it") from error
        except HfHubHTTPError as error:
            raise ValueError(f"the hub does not give {name}: {error}") from error
        if not downloads:
            say(one_line(f"{name} is on this machine already"))
            return
        for each in downloads:
            say(one_line(f"{each.repo} at {each.revision[:12]}: {each.size / 1e9:.2f} GB, license {each.license}"))
        whole = sum(each.size for each in downloads)
        if not yes and not typer.confirm(f"Fetch {whole / 1e9:.2f} GB under these licenses?"):
            raise typer.Exit(1)
        for each in downloads:
            snapshot_download(each.repo, revision=each.revision, allow_patterns=list(each.files))
        say(one_line(f"{name} is on this machine; serve it with --model {name}"))


def _wanted(name: str, configuration: bool) -> list[HubFiles]:
    """What of a preset is missing; a repository that is named, as a whole."""
    if name in PRESETS:
        return [PRESETS[name].family.configuration] if configuration else missing_of_preset(name)
    if name.count("/") != 1:
        raise ValueError(f"{name!r} is no preset; give {', '.join(PRESETS)} or a hub id (owner/name)")
    if configuration:
        known = {family.configuration.repo: family.configuration for family in FAMILIES.values()}
        if name not in known:
            raise ValueError(f"{name} is no configuration; those are of {', '.join(known)}")
        return [] if cached(known[name]) else [known[name]]
    named = [part for preset in PRESETS.values() for part in preset.parts if part.repo == name]
    return named[:1] or [HubFiles(name, "main", (), "")]


def _planned(files: HubFiles) -> Download:
    """The files of a repository that are to be fetched, with their size.

    Raises:
        ValueError: it has no weights that are read.
    """
    info: Any = HfApi().model_info(files.repo, revision=files.revision, files_metadata=True)
    sizes = {item.rfilename: item.size or 0 for item in info.siblings}
    if files.files:
        names = [name for name in sizes if any(fnmatch.fnmatchcase(name, pattern) for pattern in files.files)]
        lacking = [p for p in needed(files) if not any(fnmatch.fnmatchcase(name, p) for name in names)]
        if lacking:
            raise ValueError(f"{files.repo} at {files.revision} has no {lacking[0]}; the hub has changed, say so")
    else:
        names = _chosen(list(sizes))
        if not any(name.endswith(".safetensors") for name in names):
            raise ValueError(
                f"{files.repo} has no .safetensors files in diffusers' layout; other files may run programs and are "
                "not fetched"
            )
    card = getattr(info, "card_data", None) or {}
    license_ = files.license or card.get("license") or "unknown: see the model's page"
    return Download(files.repo, files.revision, tuple(names), sum(sizes[name] for name in names), str(license_))


def _chosen(names: list[str]) -> list[str]:
    """What is needed of a repository in diffusers' layout: in each folder half precision where there is any."""
    is_pipeline = "model_index.json" in names
    kept = [name for name in names if name.endswith((".json", ".txt")) or name == "README.md"]
    folders: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix == ".safetensors" and len(path.parts) == (2 if is_pipeline else 1):
            folders.setdefault(str(path.parent), []).append(name)
    for inside in folders.values():
        half = [name for name in inside if ".fp16." in name]
        plain = [name for name in inside if "." not in PurePosixPath(name).stem or "-of-" in name]
        kept += half or plain or inside
    return kept

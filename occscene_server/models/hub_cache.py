"""What of the Hugging Face hub lies on this machine. Nothing here opens a connection."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from occscene_server.models.presets import PRESETS, HubFiles


def cached(files: HubFiles) -> Path | None:
    """The folder with the files of a repository; None unless something fits each of its patterns."""
    folder = cached_repository(files.repo, files.revision)
    if folder is None:
        return None
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    there = all(any(fnmatch.fnmatchcase(name, pattern) for name in names) for pattern in needed(files))
    return folder if there else None


def needed(files: HubFiles) -> tuple[str, ...]:
    """The patterns without those of tokenizers' files, which not every repository has in every form."""
    return tuple(pattern for pattern in files.files if not pattern.endswith(".txt"))


def cached_repository(repo: str, revision: str = "main") -> Path | None:
    """The folder of a repository's files at a revision; None if none of it was ever fetched.

    The hub's own library holds a repository of which not every file was fetched for absent.
    """
    root = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
    named = root / "refs" / revision
    commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision
    folder = root / "snapshots" / commit
    return folder if folder.is_dir() else None


def require(files: HubFiles, wanted: str) -> Path:
    """The folder with files.

    Args:
        files: what is needed.
        wanted: the name that `models get` fetches them by.

    Raises:
        FileNotFoundError: they are not on this machine; the message has the command that fetches them.
    """
    folder = cached(files)
    if folder is None:
        raise FileNotFoundError(
            f"{files.repo} (license {files.license}) is not on this machine, or not all of it; "
            f"`occscene-server models get {wanted}` shows its size and fetches it"
        )
    return folder


def require_repository(repo: str) -> Path:
    """The folder of a repository that is named by its owner and name.

    Raises:
        FileNotFoundError: it is not on this machine.
    """
    folder = cached_repository(repo)
    if folder is None:
        raise FileNotFoundError(
            f"{repo} is not on this machine; `occscene-server models get {repo}` shows its size and license and "
            "fetches it"
        )
    return folder


def missing_of_preset(name: str) -> list[HubFiles]:
    """What of a preset is not on this machine."""
    return [part for part in PRESETS[name].parts if cached(part) is None]

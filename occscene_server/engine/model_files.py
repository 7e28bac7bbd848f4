"""Files of models: fetched once from a store on the network, and compared with the checksums that come with them."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

log = logging.getLogger(__name__)

CHECKSUMS = "SHA256SUMS"
"""The file in a model's folder that says what the others hold, as `sha256sum` writes it; a model may be without."""


def local_model(model: str) -> str:
    """A folder or hub id as it is; for a URL the folder of this machine that holds its files, fetched if need be.

    Processes that ask at the same time wait for the one that fetches. A model whose files have changed in the store is
    another one. `OCCSCENE_CACHE` names the folder of all of them, in the place of the user's cache. Files are compared
    with `SHA256SUMS` where the folder has it.

    Args:
        model: a folder, a hub id, or a URL that fsspec knows (`s3://bucket/folder`).

    Raises:
        OSError: the store refuses, or has no such folder; a file is not what its checksum says.
        ValueError, ImportError: nothing is installed that reads such a URL.
    """
    if "://" not in model:
        _check(Path(model))
        return model
    from filelock import FileLock
    from fsspec.core import url_to_fs

    store, root = url_to_fs(model)
    files: dict[str, dict[str, Any]] = store.find(root, detail=True)
    if not files:
        raise OSError(f"there is no model at {model}; give the URL of a folder with model_index.json")
    cache = Path(os.environ.get("OCCSCENE_CACHE") or user_cache_path("occscene", appauthor=False)) / "models"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{root.rstrip('/').rsplit('/', 1)[-1]}-{_fingerprint(root, files)}"
    with FileLock(f"{folder}.lock"):
        try:
            _check(folder)
        except OSError as error:
            log.warning("%s", error)
            shutil.rmtree(folder)
        if not folder.is_dir():
            size = sum(file["size"] for file in files.values())
            log.info("fetching the model %s, %d files, %.0f MB", model, len(files), size / 1e6)
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            for path, file in files.items():
                target = part / _relative(root, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(path, str(target))
                if target.stat().st_size != file["size"]:
                    raise OSError(f"{path} arrived with {target.stat().st_size} of {file['size']} bytes; try again")
            _check(part)
            part.replace(folder)
    return str(folder)


def _check(folder: Path) -> None:
    """Compares a model's files with its checksums, if it has some.

    Raises:
        OSError: a file is missing or damaged; or the checksums are none.
    """
    path = folder / CHECKSUMS
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        expected, _, name = line.partition(" ")
        if len(expected) != 64 or name[:1] not in (" ", "*"):
            raise OSError(f"{path}, line {number} is not as sha256sum writes it; write the file anew or remove it")
        file = folder / name[1:]
        if not file.is_file():
            raise OSError(f"{file} is missing, which {CHECKSUMS} names; copy the model anew")
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != expected.lower():
            raise OSError(f"{file} is damaged: its SHA-256 is {found}, not {expected}; copy the model anew")


def _fingerprint(root: str, files: dict[str, dict[str, Any]]) -> str:
    """Of names, sizes and what the store says of the contents: a checksum (ETag), or the time of the last change."""
    digest = hashlib.sha256()
    for path, file in sorted(files.items()):
        content = file.get("ETag") or file.get("mtime") or file.get("LastModified") or ""
        digest.update(f"{_relative(root, path)}\0{file['size']}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def _relative(root: str, path: str) -> str:
    return path.removeprefix(root).lstrip("/")

"""Large requests and results, by job and name: in a folder, or in a store on the network that servers share."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from occscene_server.jobs.disk import write_whole
from occscene_server.jobs.errors import StoreError

_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 5, "retries": {"max_attempts": 0}}},
    "file": {"auto_mkdir": True},
}  # by the scheme of the URL
_TRIES = 2  # s3fs's own: a store that is away must not hold up the server for minutes


class Artifacts(Protocol):
    """All methods raise OSError where the store refuses."""

    def write(self, job_id: str, name: str, data: bytes) -> None:
        """Writes whole or not at all."""

    def read(self, job_id: str, name: str) -> bytes:
        """What was written.

        Raises:
            FileNotFoundError: nothing was.
        """

    def remove(self, job_id: str, name: str = "") -> None:
        """Removes one, or all of a job; what is not there, or cannot be removed now, goes at the next `sweep`."""

    def jobs(self) -> set[str]:
        """Ids of the jobs of which there is something."""

    def sweep(self, jobs: set[str]) -> None:
        """Removes what is of no job, and what was half written."""


class FolderArtifacts:
    """A folder of this machine, or one that it has mounted; each write is synced before it returns.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, job_id: str, name: str, data: bytes) -> None:
        """Writes whole or not at all."""
        write_whole(self._folder / job_id / name, data)

    def read(self, job_id: str, name: str) -> bytes:
        """What was written."""
        return (self._folder / job_id / name).read_bytes()

    def remove(self, job_id: str, name: str = "") -> None:
        """Removes one, or all of a job."""
        if name:
            with contextlib.suppress(OSError):
                (self._folder / job_id / name).unlink()
        else:
            shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def jobs(self) -> set[str]:
        """Ids of the jobs of which there is something."""
        return {path.name for path in self._folder.iterdir()}

    def sweep(self, jobs: set[str]) -> None:
        """Removes what is of no job, and what was half written."""
        for job_id in self.jobs() - jobs:
            self.remove(job_id)
        for path in self._folder.glob("*/*.part"):
            path.unlink()


class UrlArtifacts:
    """A store that fsspec knows, such as S3 (`s3://bucket/folder`); what it acknowledges, it keeps.

    Args:
        url: of the folder.

    Raises:
        OSError: it cannot be used.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        with _refusals(url):
            self._store, root = url_to_fs(url, **_OPTIONS.get(url.split("://")[0], {}))
            self._store.retries = _TRIES
        self._url, self._root = url, root.rstrip("/")

    def write(self, job_id: str, name: str, data: bytes) -> None:
        """Writes whole or not at all."""
        with _refusals(self._url):
            self._store.pipe_file(f"{self._root}/{job_id}/{name}", data)

    def read(self, job_id: str, name: str) -> bytes:
        """What was written."""
        with _refusals(self._url):
            return bytes(self._store.cat_file(f"{self._root}/{job_id}/{name}"))

    def remove(self, job_id: str, name: str = "") -> None:
        """Removes one, or all of a job."""
        with contextlib.suppress(OSError), _refusals(self._url):
            self._store.rm(f"{self._root}/{job_id}/{name}".rstrip("/"), recursive=not name)

    def jobs(self) -> set[str]:
        """Ids of the jobs of which there is something."""
        with contextlib.suppress(FileNotFoundError), _refusals(self._url):
            paths = self._store.ls(self._root, detail=False, refresh=True)
            return {path.rstrip("/").rsplit("/", 1)[-1] for path in paths} - {""}
        return set()

    def sweep(self, jobs: set[str]) -> None:
        """Removes what is of no job."""
        for job_id in self.jobs() - jobs:
            self.remove(job_id)


def open_artifacts(url: str) -> Artifacts:
    """The store of a URL, or the folder of a plain path or a file:// URL.

    Raises:
        StoreError: what speaks to it is not installed.
        OSError: it cannot be used.
    """
    if "://" not in url or url.startswith("file://"):
        return FolderArtifacts(Path(url.removeprefix("file://")))
    try:
        return UrlArtifacts(url)
    except (ImportError, ValueError) as error:
        raise StoreError(
            f"the artifact store {url} cannot be used ({error}); for s3:// run: pip install 'occscene-server[cluster]'"
        ) from error


@contextlib.contextmanager
def _refusals(url: str) -> Iterator[None]:
    """Turns what the libraries of a store raise into an OSError without addresses or keys."""
    try:
        yield
    except (FileNotFoundError, ImportError, ValueError):
        raise
    except Exception as error:
        reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        raise OSError(errno.EIO, f"the artifact store {url.split('://')[0]}:// refuses: {reason}") from error

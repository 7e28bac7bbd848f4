"""Large requests and results for an event loop, which must not wait for a disk that is slow or a store that hangs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from occscene_server.jobs.artifacts import Artifacts
from occscene_server.jobs.disk import checksum, store_error

_THREADS = 8

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class JobFiles:
    """The files of jobs; what is awaited happens in threads.

    All methods but `read` raise StoreError, or StoreFullError where there is no room.

    Args:
        artifacts: where they lie.
        folder: the store's own, to ask its disk for its room.
        is_near: whether they lie on that disk too, which the event loop itself can read faster than a thread.
    """

    def __init__(self, artifacts: Artifacts, folder: Path, is_near: bool) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._is_near = is_near
        self._threads = ThreadPoolExecutor(_THREADS, "job-files")

    async def write(self, job_id: str, name: str, data: bytes) -> None:
        """Writes one whole or not at all; where the caller is cancelled, not at all in the end."""
        writing = self._threads.submit(self._artifacts.write, job_id, name, data)
        try:
            await asyncio.wrap_future(writing)
        except asyncio.CancelledError:
            writing.add_done_callback(lambda _: self._remove_later(job_id, name))  # a thread cannot be interrupted
            raise
        except OSError as error:
            raise store_error(error, self._folder) from error

    async def read(self, job_id: str, name: str) -> tuple[bytes, bytes]:
        """One and its checksum.

        Raises:
            FileNotFoundError: there is none.
            StoreError: it cannot be read.
        """
        try:
            return self._read(job_id, name) if self._is_near else await self._in_thread(self._read, job_id, name)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_error(error, self._folder) from error

    async def remove(self, job_id: str, name: str = "") -> None:
        """Removes one, or all of a job; what cannot be removed now goes at the next sweep."""
        await self._in_thread(self._artifacts.remove, job_id, name)

    async def jobs(self) -> set[str]:
        """Ids of the jobs that have files."""
        try:
            return await self._in_thread(self._artifacts.jobs)
        except OSError as error:
            raise store_error(error, self._folder) from error

    def close(self) -> None:
        """Begins nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _remove_later(self, job_id: str, name: str) -> None:
        with contextlib.suppress(RuntimeError):  # closed: it goes at the next sweep
            self._threads.submit(self._artifacts.remove, job_id, name)

    def _read(self, job_id: str, name: str) -> tuple[bytes, bytes]:
        data = self._artifacts.read(job_id, name)
        return data, checksum(data)

    async def _in_thread(
        self, function: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs
    ) -> Result:
        call = partial(function, *arguments, **options)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

"""Rendering many scenes in worker processes of one thread each, so that a crash in Blender costs one scene at most."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from occscene_server.studio.native_output import discard_native_output

ATTEMPTS = 2
SCENES_PER_PROCESS = 100


class Task(Protocol):
    """What a worker is to do with one scene; it is pickled."""

    @property
    def seed(self) -> int:
        """The scene's."""

    def run(self) -> None:
        """Does it, in a worker process; whatever it raises is reported."""


@dataclass(frozen=True)
class SceneTask:
    """A scene of `domain` is rendered from `seed` into `root`, in views of `side` pixels."""

    domain: str
    seed: int
    root: Path
    side: int
    semantics: bool

    def run(self) -> None:
        """Renders the scene and writes it."""
        from occscene_server.data.dataset import write_scene
        from occscene_server.studio.domains import render_scene

        write_scene(self.root, render_scene(self.domain, self.seed, self.side, self.semantics))


@dataclass(frozen=True)
class WindowsTask:
    """The scene of `seed` in `folder` gets `count` windows of each of its views at `size` pixels."""

    seed: int
    folder: Path
    count: int
    size: int

    def run(self) -> None:
        """Renders the windows and stores them."""
        from occscene_server.studio.view_windows import render_missing_windows

        render_missing_windows(self.folder, self.count, self.size)


@dataclass(frozen=True)
class SceneOutcome:
    """What came of a task: `error` is None, or why the scene is not there."""

    task: Task
    error: str | None
    will_retry: bool = False


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    core: int
    task: Task | None = None
    finished: int = 0


def render_all(tasks: Sequence[Task], workers: int) -> Iterator[SceneOutcome]:
    """Runs tasks in `workers` processes and yields what came of each as it ends.

    A scene whose worker raises or dies is tried once more. Processes are replaced now and then, because Blender's
    memory grows.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    queue = deque((task, 1) for task in tasks)
    attempts: dict[int, int] = {}
    crew = [_start(cores[index % len(cores)]) for index in range(min(workers, len(tasks)))]
    try:
        while queue or any(worker.task for worker in crew):
            for worker in crew:
                if worker.task is None and queue:
                    worker.task, attempts[queue[0][0].seed] = queue[0]
                    queue.popleft()
                    worker.pipe.send(worker.task)
            busy = [worker for worker in crew if worker.task]
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                task, error = worker.task, _receive(worker)
                assert task is not None
                worker.task = None
                worker.finished += 1
                retry = error is not None and attempts[task.seed] < ATTEMPTS
                if retry:
                    queue.append((task, attempts[task.seed] + 1))
                yield SceneOutcome(task, error, retry)
                if not worker.process.is_alive() or worker.finished >= SCENES_PER_PROCESS:
                    _stop(worker)
                    crew[crew.index(worker)] = _start(worker.core)
    finally:
        for worker in crew:
            _stop(worker)


def _start(core: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, core), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, core)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.terminate()
    worker.process.join()


def _receive(worker: _Worker) -> str | None:
    """The error of a finished task, None if there was none."""
    try:
        error: str | None = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        error = f"the worker process died with exit code {worker.process.exitcode}"
    return error


def _work(pipe: Connection, core: int) -> None:
    """Renders what comes through the pipe until it closes."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this process
    discard_native_output()  # errors still reach standard error
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        try:
            task.run()
        except Exception as error:  # whatever a scene does, the next one must be rendered
            traceback.print_exc()
            pipe.send(f"{type(error).__name__}: {error}")
        else:
            pipe.send(None)

"""A server that works for hours while it is killed, its disk fills up and its clock jumps; nothing may be lost.

    python -m tests.soak /var/tmp/soak --minutes 120     # again with the same folder: a further piece on the same store
    python -m tests.soak /var/tmp/soak --minutes 0       # only the table and the picture of what is there

Jobs of all kinds go to `occscene-server serve` with the bundled model, `--jobs-per-minute` of them. Every
`--kill-seconds` the worker or the server is killed, in turn, once a job has ended since the last kill. Twice in each
piece the store's disk is full for a minute, and every five minutes the server's clock jumps by hours or weeks and back.
The result of each job is compared byte by byte with that of the first job of its kind that the same version of the
program ran, when it comes and again at the end of the piece; `jobs.jsonl`, `report.md` and `report.png` in the folder
tell what was seen. Everything runs at `--nice` and ends with code 1 if a job is lost, or processes take more than
`--memory-mib`.

The full disk needs root (the store lies in a file system of its own, in `store.img`), the clock needs a C compiler;
without them those parts are left out, which the report says.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
from google.protobuf.message import Message
from occscene.client.client import SceneClient
from occscene.client.errors import SceneError
from occscene.v1 import job_pb2, scene_service_pb2

from tests.occscene_server.requests import generate_request, mesh_request, predict_request, text_request
from tests.occscene_server.serve_process import BUNDLED, ENVIRONMENT, ROOT, STAND_IN
from tests.occscene_server.small_disk import fill, mounted_disk, unmounted_at_last
from tests.shifted_clock import ShiftedClock
from tests.soak_report import Journal, digest, write_report

_DISK_MIB = 384
_FULL_SECONDS = 60.0
_SAMPLE_SECONDS = 10.0
_JUMP_SECONDS = 150.0  # to a jump, and from there back to the right time
_JUMPS = (2.0, -72.0, 960.0, -2.0)  # hours
_PATIENCE = 3600.0  # in which a job must have come to its end, or it is lost
_UNDER_WAY = 8  # jobs: on a busy machine the rate follows what it can do
_CANCELLED = "cancelled"


def _layout_request() -> scene_service_pb2.SubmitJobRequest:
    task = job_pb2.ComposeLayout(prompt="a study with a desk", seed=5, taxonomy="indoor", furnish=True)
    return scene_service_pb2.SubmitJobRequest(compose_layout=task)


KINDS: dict[str, Callable[[], scene_service_pb2.SubmitJobRequest]] = {
    "blockout": lambda: generate_request(seed=1),
    "previews": lambda: mesh_request(seed=2, previews=True, views=1),
    "text": text_request,
    "predict": predict_request,
    "layout": _layout_request,
    _CANCELLED: lambda: generate_request(seed=3, steps=60, views=4),
}
"""What is asked, by its name in the report; in turn."""


class SoakServer:
    """`occscene-server serve` on one store and one port, started again whenever it has ended.

    Args:
        folder: of the soak.
        script: what is served.
        clock: what it reads the time of day from, if that is not the machine's.
    """

    def __init__(self, folder: Path, script: str, clock: ShiftedClock | None) -> None:
        self._folder = folder
        self._environment = dict(ENVIRONMENT) | {"OMP_NUM_THREADS": "1"} | (clock.environment if clock else {})
        (folder / "serve.py").write_text(script)
        self.address = ""
        self.starts = 0
        self._lock = threading.Lock()
        self._ended = False
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    def worker(self) -> psutil.Process | None:
        """The process that holds the model, if there is one."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    return child
        return None

    def kill(self) -> None:
        """kill -9; `keep_up` starts it again."""
        self._process.kill()

    def keep_up(self) -> None:
        """Starts it again if it has ended."""
        with self._lock:
            if self._process.poll() is not None and not self._ended:
                self._process = self._start()

    def close(self) -> None:
        """Ends it in order."""
        with self._lock:
            self._ended = True
            self._process.terminate()
            try:
                self._process.wait(120)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        ready = self._folder / "ready"
        port = self.address.rpartition(":")[2] or "0"
        ready.unlink(missing_ok=True)
        command = [sys.executable, self._folder / "serve.py", "serve", "--port", port, "--ready-file", ready]
        command += ["--store", self._folder / "disk" / "store", "--store-gib", "0.1"]
        with (self._folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command], env=self._environment, stdout=log, stderr=log, cwd=self._folder
            )
        self.starts += 1
        while not ready.exists() and process.poll() is None:
            time.sleep(0.1)
        if ready.exists():
            self.address = ready.read_text().strip()
        elif not self.address:
            raise SystemExit(f"the server does not start; {self._folder / 'server.log'} says why")
        return process


class Soak:
    """One piece of the soak.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._folder: Path = options.folder
        self._has_disk = mounted_disk(self._folder, _DISK_MIB)
        self._journal = Journal(self._folder / "jobs.jsonl")
        self._stop, self._closed = threading.Event(), threading.Event()
        self._ends = threading.Semaphore(0)  # jobs that have ended since the last kill
        self._too_large = 0
        self._followers: list[threading.Thread] = []
        self._clock: ShiftedClock | None = None
        with contextlib.suppress(OSError):
            self._clock = ShiftedClock(self._folder)
        script = BUNDLED if options.model == "bundled" else STAND_IN
        self._server = SoakServer(self._folder, script, self._clock)

    def run(self) -> bool:
        """Runs the piece; returns whether nothing was lost and memory stayed below its limit."""
        parts = {"disk": self._has_disk, "clock": self._clock is not None}
        self._journal.write("piece", **parts, model=self._options.model, program=_program())
        seconds = self._options.minutes * 60.0
        loops = [self._keep_up, self._sample, self._kill]
        if self._has_disk:
            loops.append(lambda: self._fill_disk(seconds))
        clock = self._clock
        if clock is not None:
            loops.append(lambda: self._turn(clock))
        threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        for row in self._journal.unended():  # of a piece before that was cut short
            self._follow(row["name"], row["request_id"])
        self._submit(time.monotonic() + seconds)
        self._journal.write("quiet")  # no more kills; what is under way comes to its end
        self._stop.set()
        for thread in threads[2:]:  # not those that go on through the audit
            thread.join()
        if clock is not None:
            clock.shift(0.0)
        deadline = time.monotonic() + _PATIENCE
        while self._under_way() and time.monotonic() < deadline:
            time.sleep(0.5)
        self._audit()
        self._closed.set()
        self._server.close()
        self._journal.write("closed")
        return not self._too_large and not self._journal.lost()

    def _submit(self, deadline: float) -> None:
        """Submits jobs of all kinds at the rate until then."""
        kinds = [
            name for name in KINDS if name != "layout" or self._options.model == "bundled"
        ]  # the stand-in has none
        number = len(self._journal.rows("accepted"))
        for name in itertools.islice(itertools.cycle(kinds), number % len(kinds), None):
            begin = time.monotonic()
            if begin >= deadline or self._too_large:
                return
            request_id = str(uuid.uuid4())
            self._journal.write("sent", name=name, request_id=request_id)
            self._follow(name, request_id)
            pause = begin + 60.0 / self._options.jobs_per_minute - time.monotonic()
            while (pause > 0 or self._under_way() >= _UNDER_WAY) and time.monotonic() < deadline:
                time.sleep(min(max(pause, 0.1), 1.0))
                pause = begin + 60.0 / self._options.jobs_per_minute - time.monotonic()

    def _follow(self, name: str, request_id: str) -> None:
        follower = threading.Thread(target=self._run_job, args=(name, request_id), daemon=True)
        follower.start()
        self._followers.append(follower)

    def _under_way(self) -> int:
        return sum(follower.is_alive() for follower in self._followers)

    def _run_job(self, name: str, request_id: str) -> None:
        """Submits one job, which may be there already, follows it to its end and compares the result."""
        begin = time.monotonic()
        request = KINDS[name]()
        request.request_id = request_id
        try:
            with SceneClient(self._server.address, patience=_PATIENCE) as client:
                job = client.submit(request)
                self._journal.write("accepted", name=name, request_id=request_id, job_id=job.id)
                end, results = self._watched(client, job.id, cancel=name == _CANCELLED)
        except Exception as error:  # whatever it is, the job is lost
            end, results = f"{type(error).__name__}: {error}", ""
        self._journal.write(
            "ended", name=name, request_id=request_id, end=end, digest=results, seconds=time.monotonic() - begin
        )
        self._ends.release()

    @staticmethod
    def _watched(client: SceneClient, job_id: str, cancel: bool) -> tuple[str, str]:
        """How a job ended ("succeeded", "cancelled" or a failure's reason), and a digest of its results."""
        results: dict[int, Message] = {}
        for event in client.watch(job_id):
            kind = str(event.WhichOneof("kind"))
            if kind in ("view", "occupancy", "layout"):
                results[event.sequence] = getattr(event, kind)
            elif kind == "progress" and event.progress.step and cancel:
                client.cancel(job_id)
                cancel = False
            elif kind == "failed":
                return event.failed.failure.reason, ""
            elif kind == "started":
                results.clear()  # of a run that was cut short
        return kind, digest(results.values())

    def _audit(self) -> None:
        """Fetches again what the server still has, and counts jobs that are there twice."""
        jobs = self._journal.ended()
        with SceneClient(self._server.address, patience=_PATIENCE) as client:
            there = client.jobs(1000)
            seen = [job.request_id for job in there]
            self._journal.write("audit", kept=len(there), doubled=len(seen) - len(set(seen)))
            for job in there:
                row = jobs.get(job.request_id)
                if row is None or row["end"] != "succeeded":
                    continue
                try:
                    end, results = self._watched(client, job.id, cancel=False)
                except SceneError as error:
                    end, results = f"{type(error).__name__}: {error}", ""
                if (end, results) != (row["end"], row["digest"]):
                    self._journal.write("changed", request_id=job.request_id, end=end, name=row["name"])

    def _keep_up(self) -> None:
        while True:  # through the audit too, until the server is closed
            time.sleep(0.5)
            self._server.keep_up()

    def _kill(self) -> None:
        """Kills worker and server in turn."""
        for target in itertools.cycle(("worker", "server")):
            if self._stop.wait(self._options.kill_seconds):
                return
            while not self._ends.acquire(timeout=1.0):
                if self._stop.is_set():
                    return
            while self._ends.acquire(blocking=False):
                pass
            worker = self._server.worker()
            if target == "server":
                self._server.kill()
            elif worker is not None:
                with contextlib.suppress(psutil.Error):
                    worker.kill()
            self._journal.write("kill", target=target)

    def _fill_disk(self, seconds: float) -> None:
        for _ in range(2):
            if self._stop.wait(max(seconds / 3 - _FULL_SECONDS, 1.0)):
                return
            self._journal.write("full", on=True)
            filling = fill(self._folder / "disk")
            self._stop.wait(_FULL_SECONDS)
            filling.unlink()
            self._journal.write("full", on=False)

    def _turn(self, clock: ShiftedClock) -> None:
        """Lets the clock jump, and back."""
        for jump in itertools.cycle(_JUMPS):
            for hours in (jump, 0.0):
                if self._stop.wait(_JUMP_SECONDS):
                    return
                clock.shift(hours)
                self._journal.write("clock", hours=hours)

    def _sample(self) -> None:
        """Writes down what the processes take."""
        while not self._closed.wait(_SAMPLE_SECONDS):
            row: dict[str, float] = {"soak_mib": _mebibytes(psutil.Process())}
            with contextlib.suppress(psutil.Error):
                server = psutil.Process(self._server.pid)
                row |= {"server_mib": _mebibytes(server), "server_files": server.num_fds()}
            worker = self._server.worker()
            with contextlib.suppress(psutil.Error):
                if worker is not None:
                    row |= {"worker_mib": _mebibytes(worker), "worker_files": worker.num_fds()}
            self._journal.write("sample", starts=self._server.starts, under_way=self._under_way(), **row)
            total = sum(size for name, size in row.items() if name.endswith("_mib"))
            if total > self._options.memory_mib:
                self._too_large = int(total)
                self._journal.write("too large", mib=total)


def _program() -> str:
    """A digest of what is served, code and weights."""
    total = hashlib.blake2b(digest_size=8)
    for folder in (ROOT / "occscene_server", ROOT / "protos" / "occscene"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                total.update(path.read_bytes())
    return total.hexdigest()


def _mebibytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


def main() -> None:
    """Runs one piece and writes the report; ends with 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the store and the report; made at the first time")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--jobs-per-minute", type=float, default=6.0)
    parser.add_argument("--kill-seconds", type=float, default=60.0)
    parser.add_argument("--model", choices=("bundled", "stand-in"), default="bundled")
    parser.add_argument("--nice", type=int, default=19)
    parser.add_argument("--memory-mib", type=float, default=2048.0, help="of all processes together; more ends it")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    os.nice(options.nice)
    good = True
    with unmounted_at_last(options.folder):
        if options.minutes > 0:
            good = Soak(options).run()
    print(write_report(options.folder))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()

"""Jobs that are accepted and then hit once by kill -9 of the worker, the server or the client, in any phase.

`python -m tests.kill_campaign --jobs 100` hits that many jobs for each of the three and counts those whose result lies
on the server, once and with the bytes of a run that nobody hit, and arrives at the client. `--model bundled` takes the
bundled model in the stand-in's place.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections import Counter
from pathlib import Path

from google.protobuf.message import Message
from occscene.camera import save_cameras
from occscene.client.client import SceneClient
from occscene.codec import camera_to_message, grid_to_message
from occscene.events import FINAL_EVENTS
from occscene.grid import save_grid
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.cli.fetch import fetch_job
from occscene_server.cli.progress import JobResult
from tests.occscene_server.requests import looking_camera, sample_grid
from tests.occscene_server.serve_process import BUNDLED, ENVIRONMENT, STAND_IN, ServeProcess, worker_of
from tests.patience import PATIENCE, wait_until

PHASES = {
    "worker": ("queued", "loading", "preparing", "denoising", "encoding", "fetching"),
    "server": ("submitting", "queued", "loading", "preparing", "denoising", "encoding", "fetching"),
    "client": ("submitting", "queued", "preparing", "denoising", "encoding", "fetching"),
}
_PROMPT, _SEED, _STEPS = "slow, and it lingers", 3, 4
_CAMERAS = [looking_camera(f"camera {number}", 0.1 * number) for number in range(2)]


class Following(threading.Thread):
    """A client in a thread, which is not hit: it goes on through whatever happens to the server.

    Args:
        address: of the server.
        request: what it submits.
        output: its folder.
        half: to stop after the first view until `go_on` is set.
    """

    def __init__(
        self, address: str, request: scene_service_pb2.SubmitJobRequest, output: Path, half: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self._address, self._request, self._output = address, request, output
        self.go_on = threading.Event()
        if not half:
            self.go_on.set()
        self.start()

    def run(self) -> None:
        """Submits and follows the job."""
        result = JobResult(self._output, self._request, self._address)
        with SceneClient(self._address, patience=PATIENCE) as client:
            job = client.submit(self._request)
            result.accepted(job)
            for event in client.watch(job.id):
                result.take(event)
                if event.HasField("view"):
                    self.go_on.wait()


class Campaign:
    """One store, and the servers that live on it one after the other.

    Args:
        folder: for the store and the results.
        script: of the server, one of `serve_process`.
    """

    def __init__(self, folder: Path, script: str = STAND_IN) -> None:
        self._folder = folder
        self._script = script
        self._random = random.Random(0)
        save_grid(folder / "grid.npz", sample_grid())
        save_cameras(folder / "cameras.json", _CAMERAS)
        self._serve = self._start_server(0)
        self._address = self._serve.address
        self._client = SceneClient(self._address, patience=PATIENCE)
        Following(self._address, self._request(), folder / "expected").join(PATIENCE)
        self._expected = contents(folder / "expected")
        assert len(self._expected) == 6, sorted(self._expected)

    def close(self) -> None:
        """Ends the server."""
        self._client.close()
        self._serve.process.kill()
        self._serve.process.communicate()

    def hit(self, target: str, phase: str) -> None:
        """Runs one job that is hit once.

        Raises:
            AssertionError: the result did not come, came twice, or is another one.
        """
        request = self._request()
        output = self._folder / "results" / request.request_id
        waits_for = self._submit_another() if phase == "queued" else None
        if target == "client":
            self._hit_client(request, output, phase)
        else:
            self._hit_server(request, output, target, phase)
        if waits_for is not None:
            self._client.cancel(waits_for)
        (job,) = [job for job in self._client.jobs(1000) if job.request_id == request.request_id]
        kinds = [str(event.WhichOneof("kind")) for event in self._client.watch(job.id)]
        assert [kind for kind in kinds if kind in FINAL_EVENTS] == ["succeeded"], kinds
        for folder in (output, output.with_suffix(".again")):  # into what is there, half or whole, and into nothing
            fetch_job(job=request.request_id, output=folder, server=self._address)
            assert contents(folder) == self._expected, sorted(contents(folder))

    def _hit_server(self, request: scene_service_pb2.SubmitJobRequest, output: Path, target: str, phase: str) -> None:
        if phase == "loading":
            worker_of(self._serve.process.pid).kill()
            wait_until(lambda: self._client.info().state != scene_service_pb2.SERVER_STATE_READY)
        following = Following(self._address, request, output, half=phase == "fetching")
        if phase == "submitting":
            time.sleep(self._random.uniform(0.0, 0.03))
        else:
            self._reach(request.request_id, phase)
        if target == "worker":
            worker_of(self._serve.process.pid).kill()
        else:
            self._serve.process.kill()
            self._serve.process.communicate()
            self._serve = self._start_server(int(self._address.split(":")[1]))
        following.go_on.set()
        following.join(PATIENCE)
        assert contents(output) == self._expected, sorted(contents(output))

    def _hit_client(self, request: scene_service_pb2.SubmitJobRequest, output: Path, phase: str) -> None:
        options = f"--grid grid.npz --cameras cameras.json --seed {_SEED} --steps {_STEPS}".split()
        command = self._command(
            *("generate", *options, "--prompt", _PROMPT, "--request-id", request.request_id, "--output", output)
        )
        if phase == "fetching":
            assert command.wait(PATIENCE) == 0
            command = self._command("jobs", "fetch", request.request_id, "--output", output.with_suffix(".again"))
            wait_until(lambda: bool(list(output.with_suffix(".again").glob("view*"))))
        else:
            self._reach(request.request_id, phase)
        command.kill()
        command.communicate()

    def _reach(self, request_id: str, phase: str) -> None:
        """Waits until the server has accepted a job, and the job has come to a phase."""
        found: list[job_pb2.Job] = []

        def is_accepted() -> bool:
            found.extend(job for job in self._client.jobs() if job.request_id == request_id)
            return bool(found)

        wait_until(is_accepted)
        if phase in ("submitting", "queued", "loading"):
            return
        phases = {
            "preparing": job_pb2.JOB_PHASE_PREPARING,
            "denoising": job_pb2.JOB_PHASE_DENOISING,
            "encoding": job_pb2.JOB_PHASE_ENCODING,
        }
        for event in self._client.watch(found[0].id):
            if event.progress.phase == phases.get(phase, -1) or event.HasField("succeeded"):
                return

    def _submit_another(self) -> str:
        """A job that runs for some seconds."""
        request = self._request()
        request.generate_scene.steps = 50
        job = self._client.submit(request)
        for event in self._client.watch(job.id):
            if event.HasField("started"):
                break
        return job.id

    def _start_server(self, port: int) -> ServeProcess:
        model = ("--model", "late") if self._script == STAND_IN else ()
        return ServeProcess(self._folder, self._folder / "store", *model, port=port, script=self._script)

    def _command(self, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "occscene_server.cli", *map(str, arguments), "--server", self._address]
        return subprocess.Popen(
            command, cwd=self._folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @staticmethod
    def _request() -> scene_service_pb2.SubmitJobRequest:
        """What is asked every time, under a new request id."""
        cameras = [camera_to_message(camera) for camera in _CAMERAS]
        grid: Message = grid_to_message(sample_grid())
        task = job_pb2.GenerateScene(cameras=cameras, grid=grid, prompt=_PROMPT, seed=_SEED, steps=_STEPS)
        return scene_service_pb2.SubmitJobRequest(request_id=str(uuid.uuid4()), generate_scene=task)


def contents(folder: Path) -> dict[str, bytes]:
    """The results in a folder, but for what is another's in each job: its ids and times."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    if "result.json" in files:
        own = {"request_id", "job_id", "created", "seconds"}
        row = {name: value for name, value in json.loads(files["result.json"]).items() if name not in own}
        files["result.json"] = json.dumps(row).encode()
    return files


def main() -> None:
    """Prints the counts; ends with 1 unless all arrived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100, help="for each of worker, server and client")
    parser.add_argument("--target", choices=tuple(PHASES), action="append", help="only these; may be repeated")
    parser.add_argument("--model", choices=("stand-in", "bundled"), default="stand-in")
    options = parser.parse_args()
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), STAND_IN if options.model == "stand-in" else BUNDLED)
        for target in options.target or PHASES:
            phases = PHASES[target]
            hit, arrived = Counter[str](), Counter[str]()
            begin = time.monotonic()
            for phase in itertools.islice(itertools.cycle(phases), options.jobs):
                hit[phase] += 1
                try:
                    campaign.hit(target, phase)
                    arrived[phase] += 1
                except Exception:
                    traceback.print_exc()
            lost += hit.total() - arrived.total()
            each = ", ".join(f"{phase} {arrived[phase]} of {hit[phase]}" for phase in phases)
            print(
                f"\n{target}: {arrived.total()} of {hit.total()} arrived ({each}) in {time.monotonic() - begin:.0f} s",
                flush=True,
            )
        campaign.close()
    raise SystemExit(1 if lost else 0)


if __name__ == "__main__":
    main()

"""`jobs fetch`, and the request id with which `generate` takes up its job again."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from occscene.camera import load_cameras, save_cameras
from occscene.client.client import SceneClient
from occscene.client.errors import JobNotFoundError
from occscene.grid import load_grid, save_grid
from occscene.v1 import job_pb2
from typer.testing import CliRunner

from occscene_server.cli.root import app
from tests.occscene_server.requests import generate_request, looking_camera, predict_request, sample_grid
from tests.occscene_server.serve_process import ENVIRONMENT, ServeProcess
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, wait_until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("serve")
    serve = ServeProcess(folder, folder / "store")
    yield serve
    serve.interrupted()


@pytest.fixture
def client(served: ServeProcess) -> Iterator[SceneClient]:
    with SceneClient(served.address) as connected:
        yield connected


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    save_grid(tmp_path / "grid.npz", sample_grid())
    save_cameras(tmp_path / "cameras.json", [looking_camera("front"), looking_camera("a/b", 0.1)])
    return tmp_path


def run(served: ServeProcess, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments), "--server", served.address])
    assert result.exit_code == code, result.output + str(result.exception)
    return " ".join(result.output.split())


def generate(served: ServeProcess, inputs: Path, *options: object, code: int = 0) -> str:
    files = ("--grid", inputs / "grid.npz", "--cameras", inputs / "cameras.json")
    return run(served, "generate", *files, "--seed", 3, "--output", inputs / "out", *options, code=code)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_fetch_leaves_the_folder_that_generate_leaves(served: ServeProcess, client: SceneClient, inputs: Path) -> None:
    output = generate(served, inputs, "--prompt", "a room", "--negative-prompt", "fog", "--steps", 2)
    request_id, job_id = output.split()[1], output.split()[3].rstrip(";")
    job = client.find(request_id)
    assert (job.id, len(job_id)) == (job_id, 32)
    for name in (job_id, job_id[:10].upper(), request_id, request_id.upper()):
        run(served, "jobs", "fetch", name, "--output", inputs / "fetched")
        assert contents(inputs / "fetched") == contents(inputs / "out")
    assert load_cameras(inputs / "fetched/cameras.json")[1].name == "a/b"
    assert json.loads((inputs / "fetched/result.json").read_text())["negative_prompt"] == "fog"


def test_result_of_a_killed_generate_is_fetched(served: ServeProcess, inputs: Path) -> None:
    """What it printed until then is enough, and fetching waits for the job's end."""
    command = [sys.executable, "-m", "occscene_server.cli", "generate", "--prompt", "slow", "--steps", "20"]
    process = subprocess.Popen(
        [*command, "--output", str(inputs / "out"), "--server", served.address],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    request_id = process.stdout.readline().split()[1]
    process.stdout.readline()  # the job's id: it is accepted
    process.kill()
    process.communicate()
    run(served, "jobs", "fetch", request_id, "--output", inputs / "fetched")
    assert load_grid(inputs / "fetched/occupancy.npz").shape == (60, 60, 36)
    assert len(list((inputs / "fetched").glob("view_*.png"))) == 4


def test_predicted_occupancy_is_fetched(served: ServeProcess, client: SceneClient, inputs: Path) -> None:
    job = client.submit(predict_request(red=5))
    run(served, "jobs", "fetch", job.id, "--output", inputs / "fetched")
    assert sorted(contents(inputs / "fetched")) == ["cameras.json", "occupancy.npz", "result.json"]
    assert load_grid(inputs / "fetched/occupancy.npz").labels.max() == 5


def test_given_request_id_takes_up_the_same_job(served: ServeProcess, client: SceneClient, inputs: Path) -> None:
    request_id = uuid.uuid4()
    first = generate(served, inputs, "--request-id", request_id)
    again = generate(served, inputs, "--request-id", f"{{{str(request_id).upper()}}}")
    assert first == again
    assert sum(job.request_id == str(request_id) for job in client.jobs(1000)) == 1
    other = generate(served, inputs, "--request-id", request_id, "--prompt", "something else", code=1)
    assert "of which something else was asked" in other
    here = ["generate", "--cameras", str(inputs / "cameras.json"), "--output", str(inputs / "out")]
    here += ["--request-id", str(request_id)]
    assert "there is no --server" in " ".join(CliRunner().invoke(app, here).output.split())
    assert "must be a UUID" in generate(served, inputs, "--request-id", "mine", code=1)


def test_without_a_result_there_is_one_clear_error(served: ServeProcess, client: SceneClient, inputs: Path) -> None:
    failing, long = client.submit(generate_request("error")), client.submit(generate_request(ENDLESS))
    client.cancel(long.id)
    for job in (failing, long):
        list(client.watch(job.id))
    output = ("--output", inputs / "fetched")
    assert "the job failed: the stand-in was asked for an error" in run(
        served, "jobs", "fetch", failing.id, *output, code=1
    )
    assert "the job was cancelled" in run(served, "jobs", "fetch", long.id, *output, code=1)
    assert "there is no job 'ffff'" in run(served, "jobs", "fetch", "ffff", *output, code=1)
    assert "id is empty" in run(served, "jobs", "fetch", "", *output, code=1)
    ids = [client.submit(generate_request(steps=1)).id for _ in range(17)]  # of 16 digits, one begins two of them
    digit = next(digit for digit in "0123456789abcdef" if sum(job_id.startswith(digit) for job_id in ids) > 1)
    assert f"begins with '{digit}'" in run(served, "jobs", "fetch", digit, *output, code=1)
    assert not (inputs / "fetched").exists()


def test_damaged_and_missing_results_are_told_without_the_servers_paths(
    served: ServeProcess, client: SceneClient, inputs: Path
) -> None:
    job = client.submit(generate_request(side=128))
    assert list(client.watch(job.id))[-1].HasField("succeeded")
    assert served.store is not None
    views = [path for path in (served.store / "blobs" / job.id).iterdir() if path.stat().st_size > 30_000]
    data = bytearray(views[0].read_bytes())
    data[20_000] ^= 1
    views[0].write_bytes(data)
    output = run(served, "jobs", "fetch", job.id, "--output", inputs / "fetched", code=1)
    assert f"of job {job.id} is damaged on the server's disk. Delete the job and send its request again." in output
    views[0].unlink()
    output = run(served, "jobs", "fetch", job.id, "--output", inputs / "fetched", code=1)
    assert f"of job {job.id} is missing on the server's disk" in output
    assert str(served.store) not in output
    assert not (inputs / "fetched/result.json").exists()
    run(served, "jobs", "delete", job.id)
    with pytest.raises(JobNotFoundError):
        client.get(job.id)


def test_fetch_waits_and_is_no_cancel(served: ServeProcess, client: SceneClient, inputs: Path) -> None:
    job = client.submit(generate_request(f"half until {inputs / 'go'}"))
    command = [sys.executable, "-m", "occscene_server.cli", "jobs", "fetch", job.id, "--output", str(inputs / "f")]
    process = subprocess.Popen(
        [*command, "--server", served.address], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: process.poll() is not None or bool(list((inputs / "f").glob("view_*"))))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"job {job.id} goes on" in " ".join(errors.split())
    (inputs / "go").touch()
    assert list(client.watch(job.id))[-1].HasField("succeeded")
    assert client.get(job.id).state == job_pb2.JOB_STATE_SUCCEEDED


def test_detached_generate_leaves_its_job_to_be_fetched(
    served: ServeProcess, client: SceneClient, inputs: Path
) -> None:
    output = generate(served, inputs, "--detach", "--priority", "low", "--timeout-seconds", "600")
    match = re.search(r"occscene-server (jobs fetch (\w+)) --output DIR --server (\S+)", output)
    assert match, output
    job = client.get(match[2])
    assert (job.priority, job.expire_time.seconds - job.create_time.seconds) == (job_pb2.JOB_PRIORITY_LOW, 600)
    assert not (inputs / "out").exists()
    assert match[3] == served.address
    run(served, *match[1].split(), "--output", inputs / "later")
    assert (inputs / "later/result.json").exists()


def test_orders_need_a_server(inputs: Path) -> None:
    for options in (("--detach",), ("--priority", "high"), ("--timeout-seconds", "5")):
        arguments = ["generate", "--cameras", inputs / "cameras.json", "--output", inputs / "here", *options]
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 1
        assert f"{options[0]} is for a job on a server, but there is no --server" in " ".join(result.output.split())

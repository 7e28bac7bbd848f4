"""`occscene-server serve`: its options and where they come from, what it says, how it stops."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.client.client import SceneClient
from occscene.client.errors import ShuttingDownError, TokenError
from occscene.v1 import job_pb2, scene_service_pb2
from typer.testing import CliRunner

from occscene_server.api.tokens import read_token
from occscene_server.cli.root import app
from occscene_server.cli.serve import default_store
from occscene_server.jobs.store import JobStore
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.patience import PATIENCE, wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is Linux's")
def test_jobs_are_kept_where_the_user_keeps_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_store() == tmp_path / "data/occscene/jobs"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_store() == tmp_path / "home/.local/share/occscene/jobs"


def test_says_in_one_screen_what_it_is(tmp_path: Path) -> None:
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "some/model", "--metrics-port", 0)
    with SceneClient(serve.address) as client:
        job = client.submit(generate_request("a secret plan"))
        assert list(client.watch(job.id))[-1].HasField("succeeded")
    output = serve.interrupted()
    assert serve.process.returncode == 0
    assert len(output.splitlines()) <= 12
    metrics = next(word for word in output.split() if word.startswith("http://127.0.0.1:"))
    for fact in (serve.address, "this machine only", "some/model", str(tmp_path / "store"), "ready on cpu", "Ctrl-C"):
        assert fact in output
    assert metrics.endswith("/metrics")
    assert job.id in serve.log
    assert "secret" not in serve.log


def test_command_line_before_environment_before_file(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text(f'model = "of-the-file"\nmax-queued = 3\nstore = "{tmp_path / "jobs"}"\nlog_prompts = false\n')
    environment = {"OCCSCENE_CONFIG": str(config), "OCCSCENE_MODEL": "of-the-environment", "OCCSCENE_MAX_QUEUED": "4"}
    serve = ServeProcess(tmp_path, None, "--max-queued", 5, environment=environment)
    with SceneClient(serve.address) as client:
        assert client.info().limits.queued_jobs == 5
    output = serve.interrupted()
    assert "of-the-environment" in output
    assert str(tmp_path / "jobs") in output


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prot = 1", "unknown key 'prot'; did you mean 'port'"),
        ("port = 'abc'", "'port' in"),
        ("port = 70000", "'port' in"),
        ("max_queued = true", "'max_queued' in"),
        ("engine = 'cloud'", "'engine' in"),
        ("port = [1]", "'port' in"),
        ("port: 1", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, text: str | None, complaint: str) -> None:
    config = tmp_path / "s.toml"
    if text is not None:
        config.write_text(text)
    result = CliRunner().invoke(app, ["serve", "--config", str(config)], env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert complaint in result.output
    assert str(config) in result.output


def test_wrong_variable_is_named() -> None:
    result = CliRunner().invoke(app, ["serve"], env={"COLUMNS": "500", "OCCSCENE_STORE_DAYS": "many"})
    assert result.exit_code == 2
    assert "OCCSCENE_STORE_DAYS" in result.output
    assert "'many'" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--host", "0.0.0.0", "--token-file", "token"], "--tls-key"),
        (["--tls-key", "key"], "--tls-certificate"),
        (["--tls-client-ca", "ca"], "--tls-certificate"),
        (["--tls-key", "absent", "--tls-certificate", "absent"], "--tls-key is absent, which cannot be read: No such"),
        (["--host", "192.0.2.77", "--token-file", "new/token"], "--tls-key"),
        (["--token-file", "folder"], "is a folder"),
        (["--device", "gpu7"], "the device is 'gpu7'; it must be auto, cpu, cuda or cuda:N"),
        (["--tls-key", "wide", "--tls-certificate", "wide"], "not a certificate and its private key"),
        (["--token-file", "wide"], "chmod 600"),
    ],
)
def test_wrong_access_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wide").write_text("no certificate and no secret")
    Path("wide").chmod(0o644)
    Path("folder").mkdir(mode=0o700)
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--store", "store", *arguments])
    assert result.exit_code == 1
    assert complaint in result.output.replace("\n", " ")
    assert not Path("new").exists()  # no token is made for an address that is refused


@pytest.mark.parametrize("option", ["--store-gib", "--store-days", "--step-minutes"])
@pytest.mark.parametrize("value", ["1e300", "inf", "nan"])
def test_limits_of_the_store_have_limits(tmp_path: Path, option: str, value: str) -> None:
    result = CliRunner().invoke(app, ["serve", "--store", str(tmp_path / "store"), option, value])
    assert result.exit_code == 2
    assert option in result.output


def test_token_file_is_made_and_its_token_told_to_nobody(tmp_path: Path) -> None:
    file = tmp_path / "keys/token"
    serve = ServeProcess(tmp_path, tmp_path / "store", "--token-file", file, "--log-format", "json", "--log-prompts")
    assert file.stat().st_mode & 0o777 == 0o600
    token = read_token(file)
    with SceneClient(serve.address) as client, pytest.raises(TokenError, match="needs a token"):
        client.info()
    with SceneClient(serve.address, token) as client:
        job = client.submit(generate_request("a blue room"))
        list(client.watch(job.id))
    output = serve.interrupted()
    assert token not in output + serve.log
    lines = [json.loads(line) for line in serve.log.splitlines()]
    assert all(line.keys() >= {"time", "level", "message"} for line in lines)
    of_job = [line["message"] for line in lines if line.get("job_id") == job.id]
    assert any("accepted" in message for message in of_job)
    assert any("a blue room" in message for message in of_job)
    assert any("succeeded" in message for message in of_job)
    assert any(line.get("listens", "").startswith(serve.address) for line in lines)


def test_first_interrupt_finishes_the_running_job_alone(tmp_path: Path) -> None:
    serve = ServeProcess(tmp_path, tmp_path / "store", "--metrics-port", 0)
    with SceneClient(serve.address) as client, grpc.insecure_channel(serve.address) as channel:
        running = client.submit(generate_request(f"until {tmp_path / 'go'}"))
        waiting = client.submit(generate_request())
        events = client.watch(running.id)
        while not next(events).HasField("started"):
            pass
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(health).status == health_pb2.HealthCheckResponse.SERVING
        serve.interrupt()
        assert next(health).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with SceneClient(serve.address, patience=0.0) as hasty, pytest.raises(ShuttingDownError):
            hasty.submit(generate_request())
        (tmp_path / "go").touch()
        assert list(events)[-1].HasField("succeeded")
    output, _ = serve.process.communicate(timeout=PATIENCE)
    assert serve.process.returncode == 0
    assert "stopping" in output
    store = JobStore(tmp_path / "store")
    assert store.get(waiting.id).state == job_pb2.JOB_STATE_QUEUED
    store.close()


@pytest.mark.slow
def test_another_model_takes_over_by_a_restart_and_gets_what_waits(tmp_path: Path) -> None:
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "first")
    with SceneClient(serve.address) as client:
        done = client.submit(generate_request())
        assert list(client.watch(done.id))[-1].HasField("succeeded")
        events = list(client.watch(done.id))  # those that are kept
        running = client.submit(generate_request(f"until {tmp_path / 'go'}"))
        waiting = client.submit(generate_request())
        wait_until(lambda: client.get(running.id).state == job_pb2.JOB_STATE_RUNNING)
        assert [model.name for model in client.info().models] == ["first"]
    serve.interrupt()
    assert serve.process.stdout is not None
    assert any("stopping" in line for line in serve.process.stdout)
    (tmp_path / "go").touch()
    assert serve.process.wait(PATIENCE) == 0
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "second")
    with SceneClient(serve.address) as client:
        assert list(client.watch(waiting.id))[-1].HasField("succeeded")
        assert client.get(running.id).state == job_pb2.JOB_STATE_SUCCEEDED
        assert list(client.watch(done.id)) == events
        assert [model.name for model in client.info().models] == ["second"]
    serve.interrupted()


def test_model_that_cannot_be_loaded_ends_it_with_the_reason(tmp_path: Path) -> None:
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "missing")
    serve.process.communicate(timeout=PATIENCE)
    assert serve.process.returncode == 1
    assert "no such model" in serve.log


def seconds_until_ready(folder: Path) -> float:
    """How long this machine takes now to start a server and its worker."""
    begin = time.monotonic()
    serve = ServeProcess(folder, folder / "trial")
    with SceneClient(serve.address) as client:
        wait_until(lambda: client.info().state == scene_service_pb2.SERVER_STATE_READY)
    seconds = time.monotonic() - begin
    serve.interrupted()
    return seconds


@pytest.mark.slow
def test_step_that_does_not_end_fails_the_job_after_its_second_run(tmp_path: Path) -> None:
    seconds = max(3, round(4 * seconds_until_ready(tmp_path)))  # a worker must have the time to start
    serve = ServeProcess(tmp_path, tmp_path / "store", "--step-minutes", seconds / 60)
    with SceneClient(serve.address) as client:
        job, following = client.submit(generate_request("asleep")), client.submit(generate_request())
        failure = list(client.watch(job.id))[-1].failed.failure
        assert failure.reason == "STEP_TIMEOUT"
        assert failure.message == (
            f"the job made no progress for {seconds} seconds, and its worker was replaced; it has run 2 times"
        )
        assert list(client.watch(following.id))[-1].HasField("succeeded")
    serve.interrupted()


def test_second_server_on_the_same_port_or_store(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    serve = ServeProcess(tmp_path / "first", tmp_path / "store", "--metrics-port", 0)
    port = serve.address.split(":")[1]
    same_port = CliRunner().invoke(app, ["serve", "--port", port, "--store", str(tmp_path / "other")])
    assert same_port.exit_code == 1
    assert "another program listens there; choose another --port" in same_port.output.replace("\n", " ")
    same_store = CliRunner().invoke(app, ["serve", "--port", "0", "--store", str(tmp_path / "store")])
    assert same_store.exit_code == 1
    assert "in use by another server" in same_store.output.replace("\n", " ")
    serve.interrupted()


def test_metrics_are_served_and_the_model_is_warmed_up(tmp_path: Path) -> None:
    serve = ServeProcess(tmp_path, tmp_path / "store", "--metrics-port", 0, "--warm-up")
    assert serve.process.stdout is not None
    url = next(line.split()[-1] for line in serve.process.stdout if "http://" in line)
    with urllib.request.urlopen(url) as answer:
        assert b"occscene_jobs" in answer.read()
    wait_until(lambda: "the model was warmed up in" in serve.log)
    serve.interrupted()


def test_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    options = ["--port", "0", "--store", str(tmp_path), "--engine", "ray", "--ray-address", "127.0.0.1:1"]
    result = CliRunner().invoke(app, ["serve", *options])
    assert result.exit_code == 1
    assert "no Ray cluster answers at 127.0.0.1:1" in result.output.replace("\n", " ")

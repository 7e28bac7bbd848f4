"""A server on a Ray cluster that others keep: its head dies, lacks room, grows and shrinks; the server is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from occscene.client.client import SceneClient
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2

from tests.occscene_server.postgres import postgres
from tests.occscene_server.ray_cluster import RayHead, ray_head
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import BUNDLED, ENVIRONMENT, ServeProcess
from tests.patience import PATIENCE, wait_until

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = pytest.mark.slow

READY, LOADING = scene_service_pb2.SERVER_STATE_READY, scene_service_pb2.SERVER_STATE_LOADING

SLOW_START = """
import ray._private.services
from occscene_server.engine.ray_cluster import ClusterStartsError, RayCluster
from occscene_server.engine.ray_options import RayOptions

def get_node(*arguments):
    raise RuntimeError("the node is not there")

ray._private.services.get_node = get_node
try:
    RayCluster(RayOptions("local", 1))
except ClusterStartsError as error:
    print(error)
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., tuple[ServeProcess, SceneClient]]]:
    """Starts servers, each with a client."""
    started: list[tuple[ServeProcess, SceneClient]] = []

    def start(head: RayHead, *options: object, store: str = "store") -> tuple[ServeProcess, SceneClient]:
        arguments = ("--engine", "ray", "--ray-address", head.address, *options)
        process = ServeProcess(tmp_path, tmp_path / store, *arguments, environment=head.environment)
        started.append((process, SceneClient(process.address, patience=PATIENCE)))
        return started[-1]

    yield start
    for process, client in started:
        client.close()
        process.process.kill()
        process.process.communicate()


def is_ready(client: SceneClient) -> bool:
    return client.info().state == READY


def end(client: SceneClient, job: job_pb2.Job) -> str:
    """How a job ends."""
    kinds = [str(event.WhichOneof("kind")) for event in client.watch(job.id)]
    return next(kind for kind in kinds if kind in FINAL_EVENTS)


def started(client: SceneClient, job: job_pb2.Job) -> bool:
    """Waits until a job denoises."""
    return any(event.progress.step for event in client.watch(job.id) if event.progress.step or event.HasField("failed"))


def test_head_that_dies_and_comes_back_costs_no_job(serve: Any) -> None:
    with ray_head(cpus=1) as head:
        process, client = serve(head)
        assert client.info().state == LOADING  # it answers while Ray starts
        wait_until(lambda: is_ready(client))
        running = client.submit(generate_request("slow", steps=50))
        assert started(client, running)
        head.kill()
        wait_until(lambda: "does not answer" in client.info().message)
        assert client.info().state == LOADING
        waiting = client.submit(generate_request())
        head.start()
        assert [end(client, job) for job in (running, waiting)] == ["succeeded", "succeeded"]
        assert is_ready(client)
        assert process.process.poll() is None


def test_one_replica_serves_while_the_other_lacks_room(serve: Any) -> None:
    with ray_head(cpus=1) as head:
        _, client = serve(head, "--ray-replicas", 2)
        wait_until(lambda: is_ready(client))
        wait_until(lambda: "waiting for 1 CPU" in client.info().message)
        assert client.info().message.startswith("1 of 2 models runs; the cluster is waiting for 1 CPU")
        assert client.info().device == "1 x cpu"
        assert end(client, client.submit(generate_request())) == "succeeded"


def test_replicas_come_with_the_queue_and_go_with_it(serve: Any) -> None:
    with ray_head(cpus=3) as head:
        _, client = serve(head, "--ray-replicas", 1, "--ray-max-replicas", 3, "--ray-shrink-seconds", 5)
        wait_until(lambda: is_ready(client))
        assert client.info().device == "1 x cpu"
        jobs = [client.submit(generate_request("until /that/never/is")) for _ in range(4)]
        wait_until(lambda: client.info().device == "3 x cpu")
        wait_until(lambda: client.info().running >= 3)
        for job in jobs:
            client.cancel(job.id)
        assert [end(client, job) for job in jobs] == ["cancelled"] * 4
        wait_until(lambda: client.info().device == "1 x cpu")
        assert end(client, client.submit(generate_request())) == "succeeded"


def test_sigterm_lets_the_running_job_end(serve: Any) -> None:
    with ray_head(cpus=1) as head:
        process, client = serve(head, "--log-format", "json")
        wait_until(lambda: is_ready(client))
        job = client.submit(generate_request("slow", steps=80))  # longer than the 3 s of Ray's own alarm
        assert started(client, job)
        asked = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        assert end(client, job) == "succeeded"
        assert time.monotonic() - asked > 3.0
        assert process.process.wait(PATIENCE) == 0
        lines = [json.loads(line) for line in process.log.splitlines()]  # Ray's too
        assert any(line.get("job_id") == job.id for line in lines)


def test_wrong_token_is_told(serve: Any) -> None:
    with ray_head(cpus=1) as head:
        head.environment = head.environment | {"RAY_AUTH_TOKEN": "f" * 64}
        process, client = serve(head)
        wait_until(lambda: "another token than the one that RAY_AUTH_TOKEN_PATH names" in client.info().message)
        assert client.info().state == LOADING
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(PATIENCE) == 0


def test_ray_that_is_slow_to_start_is_no_broken_model() -> None:
    command = [sys.executable, "-c", SLOW_START]
    process = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert process.stdout.startswith("Ray gave up to start on this machine, which is busy"), process.stderr


@pytest.mark.weights
def test_a_killed_replica_and_a_killed_server_lose_no_job_of_the_real_model(tmp_path: Path) -> None:
    with ray_head(cpus=2) as head, postgres() as database:
        options: list[object] = ["--engine", "ray", "--ray-address", head.address, "--ray-replicas", 2]
        options += ["--database", database, "--artifacts", tmp_path / "shared"]
        environment = head.environment | {"OMP_NUM_THREADS": "1"}

        def start(name: str) -> ServeProcess:
            folder = tmp_path / name
            return ServeProcess(folder, folder / "store", *options, environment=environment, script=BUNDLED)

        servers = [start("one"), start("two")]
        clients = [SceneClient(server.address, patience=PATIENCE) for server in servers]
        try:
            for client in clients:
                wait_until(lambda client=client: client.info().device.startswith("2 x cpu"))
            request = generate_request(steps=4)
            expected = views(list(clients[1].watch(clients[0].submit(request).id)))
            assert expected
            jobs = []
            for number in range(4):
                request.request_id = f"00000000-0000-0000-0000-00000000000{number}"
                jobs.append(clients[number % 2].submit(request))
            assert started(clients[1], jobs[0])
            head.replicas()[0].kill()
            assert started(clients[1], jobs[2])
            servers[0].process.kill()
            events = [list(clients[1].watch(job.id)) for job in jobs]
            assert [views(job) for job in events] == [expected] * len(jobs)
            runs = [sum(event.HasField("started") for event in job) for job in events]
            assert sum(runs) >= len(jobs) + 2, runs  # both were killed in a job, which ran once more
            assert [job.id for job in reversed(clients[1].jobs())][1:] == [job.id for job in jobs]
            assert servers[1].process.poll() is None
        finally:
            for client in clients:
                client.close()
            for server in servers:
                server.process.kill()
                server.process.communicate()


def views(events: list[job_pb2.JobEvent]) -> list[bytes]:
    """The views of the run in which a job ended well."""
    assert events[-1].HasField("succeeded"), events[-1]
    return [event.view.image.data for event in events if event.HasField("view")][-2:]

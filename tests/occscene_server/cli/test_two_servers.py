"""Two servers on one queue, in PostgreSQL and a folder that both see: each takes every call, and either may die."""

from __future__ import annotations

import contextlib
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from occscene.client.client import SceneClient
from occscene.client.errors import SceneError
from occscene.v1 import job_pb2, scene_service_pb2

from tests.occscene_server.postgres import postgres
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.slow

READY, LOADING = scene_service_pb2.SERVER_STATE_READY, scene_service_pb2.SERVER_STATE_LOADING
QUEUED, RUNNING, CANCELLED = job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_CANCELLED
EACH = 4  # jobs of one client that may wait


class Pair:
    """Two servers, each with an address and a client of its own; the first one runs the jobs.

    Args:
        folder: for both.
        database: URL of the jobs'.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._folder, self._database = folder, database
        self.first, self.second = self._started("one"), self._started("two")
        self.clients = [SceneClient(server.address, patience=PATIENCE) for server in (self.first, self.second)]
        for client in self.clients:
            wait_until(lambda client=client: client.info().state == READY)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for server in (self.first, self.second):
            server.process.kill()
            server.process.communicate()

    def begun(self, prompt: str = "slow", steps: int = 30) -> job_pb2.Job:
        """A job that the second server has taken and the first one runs."""
        job = self.clients[1].submit(generate_request(prompt, steps=steps))
        assert any(event.progress.step for event in self.clients[1].watch(job.id) if event.progress.step)
        return job

    def _started(self, name: str) -> ServeProcess:
        options = ("--database", self._database, "--artifacts", self._folder / "shared", "--log-format", "json")
        return ServeProcess(self._folder / name, self._folder / name / "store", *options, "--max-queued-each", EACH)


class Watcher(threading.Thread):
    """Collects the events of a job, over one stream that must not break."""

    def __init__(self, server: ServeProcess, job: job_pb2.Job) -> None:
        super().__init__(daemon=True)
        self._address, self._job = server.address, job
        self.events: list[job_pb2.JobEvent] = []
        self.failure: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with SceneClient(self._address, patience=0.0) as client:
                self.events.extend(client.watch(self._job.id))
        except SceneError as error:
            self.failure = error

    def ended(self) -> list[job_pb2.JobEvent]:
        """All events, the last of which says that the job has ended well."""
        self.join(PATIENCE)
        assert self.failure is None
        assert not self.is_alive()
        assert self.events[-1].HasField("succeeded"), self.events[-1]
        return self.events


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    with contextlib.ExitStack() as stack:

        def start_pair(database: str) -> Pair:
            pair = Pair(tmp_path, database)
            stack.callback(pair.close)
            return pair

        yield start_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers that the tests leave as they find them."""
    with postgres() as database:
        pair = Pair(tmp_path_factory.mktemp("pair"), database)
        yield pair
        pair.close()


@pytest.fixture
def clients(pair: Pair) -> Iterator[list[SceneClient]]:
    """The clients of both servers, on an empty queue."""
    yield pair.clients
    for job in pair.clients[0].jobs():
        pair.clients[0].cancel(job.id)
        list(pair.clients[0].watch(job.id))
        pair.clients[0].delete(job.id)


def results(client: SceneClient, job: job_pb2.Job) -> list[bytes]:
    """The views of a job that ends well."""
    events = list(client.watch(job.id))
    assert events[-1].HasField("succeeded"), events[-1]
    return [event.view.image.data for event in events if event.HasField("view")][-2:]


def test_jobs_are_watched_at_the_server_that_does_not_run_them(pair: Pair, clients: list[SceneClient]) -> None:
    jobs = [clients[number % 2].submit(generate_request("slow", steps=12, previews=True)) for number in range(4)]
    watchers = [Watcher(server, job) for job in jobs for server in (pair.first, pair.second)]
    for here, there in zip(*[iter(watchers)] * 2, strict=True):
        durable = []
        for events in (here.ended(), there.ended()):
            sequences = [event.sequence for event in events]
            assert sequences == sorted(set(sequences))
            steps = [event.progress.step for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
            assert steps == sorted(set(steps))
            assert len(steps) > 2  # of those that come at the same time, the newest
            assert any(event.HasField("preview") for event in events)
            passing = ("queued", "progress", "preview")
            durable.append([event for event in events if event.WhichOneof("kind") not in passing])
        assert durable[0] == durable[1]
    expected = [job.id for job in reversed(jobs)]
    assert [[job.id for job in client.jobs()] for client in clients] == [expected, expected]
    assert clients[0].get(jobs[0].id) == clients[1].get(jobs[0].id)
    assert clients[0].request(jobs[1].id) == clients[1].request(jobs[1].id)


def test_both_servers_say_the_same_of_model_and_queue(clients: list[SceneClient]) -> None:
    running = clients[1].submit(generate_request(ENDLESS))
    wait_until(lambda: clients[1].get(running.id).state == RUNNING)
    waiting = [clients[number % 2].submit(generate_request(ENDLESS)) for number in range(3)]
    for client in clients:
        wait_until(lambda client=client: [client.get(job.id).queue_position for job in waiting] == [0, 1, 2])
        info = client.info()
        assert (info.state, info.queue_length, info.running, info.device) == (READY, 3, 1, "cpu")
        assert [model.name for model in info.models] == [model.name for model in clients[0].info().models] != []


def test_a_job_ends_at_the_cancel_of_either_server(clients: list[SceneClient]) -> None:
    running, waiting, last = [clients[number % 2].submit(generate_request(ENDLESS)) for number in range(3)]
    wait_until(lambda: clients[1].get(running.id).state == RUNNING)
    assert clients[1].cancel(waiting.id).state == CANCELLED
    assert clients[0].cancel(last.id).state == CANCELLED
    clients[1].cancel(running.id)
    assert [list(client.watch(running.id))[-1].WhichOneof("kind") for client in clients] == ["cancelled"] * 2
    with pytest.raises(SceneError) as refusal:
        clients[1].delete(clients[0].submit(generate_request(ENDLESS)).id)
    assert refusal.value.reason == "JOB_ACTIVE"
    clients[1].delete(running.id)
    for client in clients:
        with pytest.raises(SceneError) as refusal:
            client.get(running.id)
        assert refusal.value.reason == "JOB_NOT_FOUND"


def test_one_request_id_is_one_job_at_both_servers(clients: list[SceneClient]) -> None:
    request = generate_request()
    request.request_id = str(uuid.uuid4())
    found: list[job_pb2.Job] = []
    threads = [threading.Thread(target=lambda c=c: found.append(c.submit(request))) for c in clients * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(found) == 8
    assert len({job.id for job in found}) == 1
    assert len(clients[1].jobs()) == 1
    other = generate_request("another room")
    other.request_id = request.request_id
    with pytest.raises(SceneError) as refusal:
        clients[1].submit(other)
    assert refusal.value.reason == "REQUEST_ID_USED"


def test_limits_priorities_and_timeouts_hold_across_servers(pair: Pair, clients: list[SceneClient]) -> None:
    running = clients[0].submit(generate_request(ENDLESS))
    wait_until(lambda: clients[1].get(running.id).state == RUNNING)
    usual = [clients[number % 2].submit(generate_request()) for number in range(EACH - 2)]
    urgent, brief = generate_request(), generate_request()
    urgent.priority = job_pb2.JOB_PRIORITY_HIGH
    brief.timeout.FromMilliseconds(200)
    first = clients[1].submit(urgent)
    assert list(clients[1].watch(clients[1].submit(brief).id))[-1].failed.failure.reason == "JOB_TIMEOUT"
    last = clients[1].submit(generate_request())
    for server in (pair.first, pair.second):
        with SceneClient(server.address, patience=0.0) as client, pytest.raises(SceneError) as refusal:
            client.submit(generate_request())
        assert refusal.value.reason == "QUEUE_FULL"
    clients[1].cancel(running.id)
    ended = [list(clients[1].watch(job.id))[-1] for job in (first, *usual, last)]
    assert [event.WhichOneof("kind") for event in ended] == ["succeeded"] * (EACH)
    times = [event.time.ToNanoseconds() for event in ended]
    assert times == sorted(times)


def test_nothing_is_lost_and_nothing_runs_twice_at_a_time_when_the_server_that_runs_jobs_is_killed(
    start: Callable[[str], Pair], tmp_path: Path
) -> None:
    with postgres() as database:
        pair = start(database)
        expected = results(pair.clients[1], pair.clients[0].submit(generate_request("slow", steps=30)))
        running = pair.begun(f"slow holds {tmp_path}/0")
        jobs = [running]
        for number in range(1, 5):
            request = generate_request(f"slow holds {tmp_path}/{number}", steps=30)
            jobs.append(pair.clients[number % 2].submit(request))
        watchers = [Watcher(pair.second, job) for job in jobs]
        wait_until(lambda: any(event.progress.step > 2 for event in watchers[0].events))
        pair.first.process.kill()
        late = pair.clients[1].submit(generate_request("slow", steps=30))  # no server runs jobs now
        for watcher in watchers:
            events = watcher.ended()
            assert [event.sequence for event in events] == sorted({event.sequence for event in events})
            assert [event.view.image.data for event in events if event.HasField("view")][-2:] == expected
        assert results(pair.clients[1], late) == expected
        runs = [len((tmp_path / str(number)).read_text().splitlines()) for number in range(len(jobs))]
        assert runs == [2, 1, 1, 1, 1]
        assert [job.id for job in pair.clients[1].jobs()][:-1] == [job.id for job in (late, *reversed(jobs))]
        pair.second.interrupted()
        assert pair.second.process.returncode == 0


def test_a_watcher_of_a_killed_server_goes_on_at_the_other(start: Callable[[str], Pair], tmp_path: Path) -> None:
    with postgres() as database:
        pair = start(database)
        job = pair.begun(f"slow holds {tmp_path}/0", steps=60)
        watcher = Watcher(pair.second, job)
        wait_until(lambda: any(event.progress.step > 2 for event in watcher.events))
        pair.second.process.kill()
        watcher.join(PATIENCE)
        assert watcher.failure is not None
        seen = watcher.events
        rest = list(pair.clients[0].watch(job.id, after=seen[-1].sequence))
        assert rest[-1].HasField("succeeded")
        assert rest[0].sequence > seen[-1].sequence
        assert len((tmp_path / "0").read_text().splitlines()) == 1


def test_server_that_is_stopped_ends_its_job_and_leaves_the_rest(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        running = pair.begun()
        waiting = pair.clients[0].submit(generate_request("slow", steps=30))
        watchers = [Watcher(pair.second, job) for job in (running, waiting)]
        wait_until(lambda: all(watcher.events for watcher in watchers))
        pair.first.process.send_signal(signal.SIGTERM)
        for watcher in watchers:
            assert [event.HasField("started") for event in watcher.ended()].count(True) == 1
        assert pair.first.process.wait(PATIENCE) == 0


def test_server_that_stands_by_can_be_stopped(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        pair.second.process.send_signal(signal.SIGTERM)
        assert pair.second.process.wait(PATIENCE) == 0
        assert results(pair.clients[0], pair.clients[0].submit(generate_request()))


def test_servers_whose_database_goes_end(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        pair.clients[1].submit(generate_request(ENDLESS))
    for server in (pair.first, pair.second):
        assert server.process.wait(PATIENCE) == 1
        assert "the database has gone" in server.log

"""Two servers on one queue, in PostgreSQL and a folder that both see; one of them ends in every way."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from occscene.client.client import SceneClient
from occscene.v1 import job_pb2

from tests.occscene_server.postgres import postgres
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.slow


class Pair:
    """Two servers of one address: the second listens where the first did.

    Args:
        folder: for both.
        database: URL of the jobs'.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._folder, self._database = folder, database
        self.first = self._start("one", 0, stands_by=False)
        self.client = SceneClient(self.first.address, patience=PATIENCE)
        self.second = self._start("two", int(self.first.address.split(":")[1]), stands_by=True)
        wait_until(lambda: "waits to take over" in self.second.log)

    def close(self) -> None:
        self.client.close()
        for server in (self.first, self.second):
            server.process.kill()
            server.process.communicate()

    def started(self) -> job_pb2.Job:
        """A job that runs for some seconds."""
        job = self.client.submit(generate_request("slow", steps=30))
        assert any(event.progress.step for event in self.client.watch(job.id) if event.progress.step)
        return job

    def results(self, job: job_pb2.Job) -> list[bytes]:
        """The views of a job that ends well."""
        events = list(self.client.watch(job.id))
        assert events[-1].HasField("succeeded"), events[-1]
        return [event.view.image.data for event in events if event.HasField("view")][-2:]

    def _start(self, name: str, port: int, stands_by: bool) -> ServeProcess:
        options = ("--database", self._database, "--artifacts", self._folder / "shared", "--log-format", "json")
        folder = self._folder / name
        return ServeProcess(folder, folder / "store", *options, port=port, stands_by=stands_by)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    with contextlib.ExitStack() as stack:

        def start_pair(database: str) -> Pair:
            pair = Pair(tmp_path, database)
            stack.callback(pair.close)
            return pair

        yield start_pair


def test_jobs_of_a_killed_server_are_taken_over(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        ended = pair.client.submit(generate_request("slow", steps=30))
        expected = pair.results(ended)
        running = pair.started()
        waiting = pair.client.submit(generate_request("slow", steps=30))
        pair.first.process.kill()
        assert pair.results(running) == expected
        assert pair.results(waiting) == expected
        assert pair.results(ended) == expected
        assert [job.id for job in pair.client.jobs()] == [waiting.id, running.id, ended.id]
        pair.second.wait_until_it_listens()
        pair.second.interrupted()
        assert pair.second.process.returncode == 0


def test_server_that_is_stopped_ends_its_job_and_leaves_the_rest(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        running = pair.started()
        waiting = pair.client.submit(generate_request("slow", steps=30))
        pair.first.process.send_signal(signal.SIGTERM)
        assert pair.results(running) == pair.results(waiting)
        assert pair.first.process.wait(PATIENCE) == 0


def test_server_that_waits_can_be_stopped(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        pair.second.process.send_signal(signal.SIGTERM)
        assert pair.second.process.wait(PATIENCE) == 0
        assert pair.first.process.poll() is None


def test_server_whose_database_goes_ends(start: Callable[[str], Pair]) -> None:
    with postgres() as database:
        pair = start(database)
        pair.client.submit(generate_request("until /that/never/is"))
    assert pair.first.process.wait(PATIENCE) == 1
    assert "the database has gone" in pair.first.log

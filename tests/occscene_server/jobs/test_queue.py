"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from occscene.v1 import job_pb2

from occscene_server.jobs.queue import FairQueue

LOW, NORMAL, HIGH = job_pb2.JOB_PRIORITY_LOW, job_pb2.JOB_PRIORITY_NORMAL, job_pb2.JOB_PRIORITY_HIGH


def job(name: str, priority: job_pb2.JobPriority = job_pb2.JOB_PRIORITY_UNSPECIFIED) -> job_pb2.Job:
    """A job whose client is the letter that its name begins with."""
    return job_pb2.Job(id=name, client=name[0], priority=priority)


def queue_of(*names: str) -> FairQueue:
    queue = FairQueue()
    for name in names:
        queue.append(job(name))
    return queue


def test_one_client_has_its_jobs_in_their_order() -> None:
    queue = queue_of("a1", "a2", "a3")
    assert [*queue] == ["a1", "a2", "a3"]
    assert [queue.pop() for _ in range(3)] == ["a1", "a2", "a3"]


def test_clients_take_turns() -> None:
    queue = queue_of("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    assert [*queue] == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    assert queue.position("b2") == 4
    assert queue.clients() == {"a": 4, "b": 2, "c": 1}


def test_who_had_a_turn_waits_for_those_who_had_none() -> None:
    queue = queue_of("a1", "a2")
    assert queue.pop() == "a1"
    queue.append(job("b1"))
    assert queue.pop() == "b1"
    queue.append(job("b2"))
    assert [*queue] == ["a2", "b2"]  # though b had none waiting for a moment


def test_urgent_jobs_go_before_the_others_of_their_client_alone() -> None:
    queue = queue_of("a1")
    for waiting in (job("a2", LOW), job("a3", HIGH), job("a4", NORMAL), job("b1", LOW)):
        queue.append(waiting)
    assert [*queue] == ["a3", "b1", "a1", "a4", "a2"]


def test_interrupted_jobs_go_first_and_cost_no_turn() -> None:
    queue = queue_of("a1", "a2", "b1")
    first = queue.pop()
    queue.put_back(job(first))
    assert [*queue] == ["a1", "b1", "a2"]
    assert [queue.pop() for _ in range(3)] == ["a1", "b1", "a2"]


def test_what_is_taken_out_is_gone() -> None:
    queue = queue_of("a1", "b1", "a2")
    queue.remove("a1")
    assert "a1" not in queue
    assert [*queue] == ["b1", "a2"] or [*queue] == ["a2", "b1"]
    assert len(queue) == 2


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), st.integers(0, 40))
def test_no_client_waits_for_two_turns_of_another(clients: list[str], popped: int) -> None:
    """Between two turns of a client that waits, each other one has at most one; and the order told is the order."""
    queue = queue_of(*(f"{client}{number}" for number, client in enumerate(clients)))
    for _ in range(min(popped, len(queue) - 1)):
        queue.pop()
    told = [*queue]
    assert told == [queue.pop() for _ in range(len(queue))]
    for client in {name[0] for name in told}:
        turns = [index for index, name in enumerate(told) if name[0] == client]
        for start, end in zip([-1, *turns], turns, strict=False):
            between = Counter(name[0] for name in told[start + 1 : end])
            assert max(between.values(), default=0) <= 1

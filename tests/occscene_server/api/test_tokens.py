"""Tokens of a server: one for all, or one for each client, who then has only its own jobs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.server import Server
from occscene_server.api.tokens import create_token, read_token, read_tokens
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import serving
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub

TOKENS = {name: f"token-of-{name}-0123456789" for name in ("anna", "ben", "admin")}


def test_token_file(tmp_path: Path) -> None:
    path = tmp_path / "keys/token"
    create_token(path)
    token = read_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_token(path)
    path.chmod(0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        read_token(path)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=f"{path.parent} is a folder"):
        read_token(path.parent)
    for text in ("short", "eine-Lösung-die-lang-genug-ist", ""):
        path.write_text(text)
        with pytest.raises(ValueError, match="16 or more") as caught:
            read_token(path)
        assert not text or text not in str(caught.value)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_tokens_of_several_clients(tmp_path: Path) -> None:
    lines = [f"{name}\t{token}  # a comment" for name, token in TOKENS.items()]
    path = written(tmp_path / "tokens", "\n".join(["# clients", "", *lines]))
    assert read_tokens(path) == TOKENS
    with pytest.raises(ValueError, match="tokens of 3 clients; give a file with the line of one"):
        read_token(path)
    assert read_token(written(tmp_path / "token", lines[0])) == TOKENS["anna"]
    assert read_tokens(written(tmp_path / "token", TOKENS["anna"])) == {"": TOKENS["anna"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# nobody", "holds no token: write one of 16 or more characters"),
        ("anna short", "no token in line 1"),
        (f"anna {TOKENS['anna']}\n{TOKENS['ben']}", "that of line 2 has no name; write NAME TOKEN"),
        (f"anna {TOKENS['anna']}\nanna {TOKENS['ben']}", "a name or a token of line 2 twice"),
        (f"anna {TOKENS['anna']}\nben {TOKENS['anna']}", "a name or a token of line 2 twice"),
        (f"anna of the studio {TOKENS['anna']}", "another text in line 1; it must be NAME TOKEN"),
        (f"an/na {TOKENS['anna']}", "another text in line 1; it must be NAME TOKEN"),
    ],
)
def test_wrong_lines_are_named_and_no_token_is_quoted(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_tokens(written(tmp_path / "tokens", text))
    assert not any(token in str(caught.value) for token in (*TOKENS.values(), "short"))


class Client:
    """One of the clients of a server."""

    def __init__(self, stub: SceneServiceAsyncStub, name: str) -> None:
        self.stub = stub
        self.options: dict[str, Any] = {
            "metadata": (("authorization", f"Bearer {TOKENS[name]}"),), "timeout": PATIENCE,
        }  # fmt: skip

    async def submit(self, prompt: str = ENDLESS, request_id: str = "") -> job_pb2.Job:
        request = generate_request(prompt)
        request.request_id = request_id
        return (await self.stub.SubmitJob(request, **self.options)).job

    async def listed(self) -> set[str]:
        answer = await self.stub.ListJobs(scene_service_pb2.ListJobsRequest(), **self.options)
        return {job.id for job in answer.jobs}

    def _first_event(self, request: scene_service_pb2.WatchJobRequest, **options: Any) -> Awaitable[Any]:
        return self.stub.WatchJob(request, **options).read()

    def questions(self, job: job_pb2.Job) -> list[Callable[[], Awaitable[Any]]]:
        """Every call that names a job, none of them begun; the one that deletes it comes last."""
        calls = (
            (self.stub.GetJob, scene_service_pb2.GetJobRequest(job_id=job.id, with_request=True)),
            (self.stub.GetJob, scene_service_pb2.GetJobRequest(request_id=job.request_id)),
            (self._first_event, scene_service_pb2.WatchJobRequest(job_id=job.id)),
            (self.stub.CancelJob, scene_service_pb2.CancelJobRequest(job_id=job.id)),
            (self.stub.DeleteJob, scene_service_pb2.DeleteJobRequest(job_id=job.id)),
        )
        return [partial(method, request, **self.options) for method, request in calls]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path, tokens=TOKENS, max_queued=6, max_queued_each=3) as running:
        yield running


@pytest.fixture
async def clients(server: Server) -> AsyncIterator[dict[str, Client]]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        yield {name: Client(stub, name) for name in TOKENS}


async def refusal(call: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(caught.value).details[0].Unpack(info)
    return info.reason, str(caught.value.details())


async def test_each_client_has_only_its_own_jobs(clients: dict[str, Client]) -> None:
    anna, ben, admin = (clients[name] for name in ("anna", "ben", "admin"))
    job, bens = await anna.submit(request_id=str(uuid.uuid4())), await ben.submit()
    assert (job.client, bens.client) == ("anna", "ben")
    for ask in ben.questions(job):
        assert (await refusal(ask()))[0] == "JOB_NOT_FOUND"
    reason, text = await refusal(ben.submit(request_id=job.request_id))
    assert (reason, job.id in text) == ("REQUEST_ID_USED", False)
    assert await anna.listed() == {job.id}
    assert await ben.listed() == {bens.id}
    assert await admin.listed() == {job.id, bens.id}
    for ask in (*anna.questions(job)[:4], *admin.questions(bens)[:4]):
        await ask()


async def test_one_client_does_not_take_the_whole_queue(clients: dict[str, Client], server: Server) -> None:
    """The job that runs waits no more; three more of each client may."""
    anna, ben = clients["anna"], clients["ben"]
    await anna.submit()
    while server.jobs.queued:
        await asyncio.sleep(0.01)
    waiting = [await anna.submit("slow") for _ in range(3)]
    reason, text = await refusal(anna.submit())
    assert (reason, text) == ("QUEUE_FULL", "3 jobs of yours wait; the limit for each client is 3")
    bens = [await ben.submit("slow") for _ in range(3)]
    assert [job.queue_position for job in bens] == [0, 2, 4]  # anna has had a turn
    assert [server.jobs.get(job.id).queue_position for job in waiting] == [1, 3, 5]
    reason, text = await refusal(clients["admin"].submit())
    assert (reason, text) == ("QUEUE_FULL", "6 jobs wait; the limit is 6")

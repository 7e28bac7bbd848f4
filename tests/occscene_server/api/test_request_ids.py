"""A request id stands for one request, however it is written."""

from __future__ import annotations

import uuid
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from occscene.request_ids import canonical_request_id
from occscene.v1 import scene_service_pb2

from occscene_server.api.validation import check_request
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, serving, submitted, watched

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
FORMS = (ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f"URN:UUID:{ID.upper()}")
NONE = (
    "mine",
    ID[:-1],
    f"{ID}0",
    ID.replace("0", "\N{FULLWIDTH DIGIT ZERO}"),
    ID.replace("0", "_"),
    f" {ID}",
    f"+{ID[1:]}",
)


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_an_id(form: str) -> None:
    assert canonical_request_id(form) == ID


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_id(text: str) -> None:
    request = generate_request()
    request.request_id = text
    (violation,) = check_request(request)
    assert violation.field == "request_id"
    assert violation.description.startswith(f"request_id is {text!r}; it must be a UUID")


async def test_one_id_is_one_job_in_all_its_forms_and_for_one_request(tmp_path: Path) -> None:
    request = generate_request("a room")
    async with serving(tmp_path) as server, connected(server) as stub:
        ids = set()
        for form in FORMS:
            request.request_id = form
            ids.add((await submitted(stub, request)).id)
        (job_id,) = ids
        await watched(stub, job_id)
        for form in FORMS:
            found = await stub.GetJob(scene_service_pb2.GetJobRequest(request_id=form))
            assert (found.job.id, found.job.request_id) == (job_id, ID)
        for other in (generate_request("another room"), scene_service_pb2.SubmitJobRequest()):
            other.request_id = ID
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await submitted(stub, other)
            assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
            info = error_details_pb2.ErrorInfo()
            rpc_status.from_call(caught.value).details[0].Unpack(info)
            assert info.reason == "REQUEST_ID_USED"
            assert job_id in str(caught.value.details())
        request.request_id = str(uuid.uuid4())
        assert (await submitted(stub, request)).id != job_id


async def test_repeat_of_a_request_whose_copy_is_damaged_gives_its_job(tmp_path: Path) -> None:
    """Bytes of a version before compare unequal, so the stored request is read; here it cannot be."""
    request = generate_request("a room" * 5)
    request.request_id = ID
    async with serving(tmp_path) as server, connected(server) as stub:
        job = await submitted(stub, request)
        await watched(stub, job.id)
        server._store._db.execute("UPDATE jobs SET request = x'00'")
        request.generate_scene.seed += 1
        assert (await submitted(stub, request)).id == job.id

"""One server for rooms and streets, with tiny real networks: the street's are loaded at their first request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from occscene.codec import camera_to_message, grid_from_message, grid_to_message, volume_to_message
from occscene.grid import GridObject, SemanticGrid
from occscene.rig import street_rig
from occscene.taxonomy import OUTDOOR
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2

from occscene_server.api.server import Server
from occscene_server.engine.task import encode_image
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.tiny import load_tiny_domains

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.weights]

Request = scene_service_pb2.SubmitJobRequest


def street() -> SemanticGrid:
    """A house and a car on a road, 32 x 24 x 8 voxels."""
    labels, instances = np.zeros((32, 24, 8), np.uint8), np.zeros((32, 24, 8), np.uint16)
    labels[:, :, 0] = OUTDOOR.index_of("road")
    for number, (name, place) in enumerate({"building": np.s_[:, 20:], "car": np.s_[16:24, 10:14, 1:6]}.items(), 1):
        labels[place], instances[place] = OUTDOOR.index_of(name), number
    return SemanticGrid(
        labels, 0.2, np.eye(4), OUTDOOR.name, instances, (GridObject(1, "house"), GridObject(2, "car", prompt="red"))
    )


def cameras(views: int = 2) -> list[camera_pb2.PinholeCamera]:
    return [camera_to_message(camera) for camera in street_rig(street().volume, 64, 64)[:views]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("store"), model="tiny", loader=load_tiny_domains) as running:
        assert await running.engine.ready()
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def stub(server: Server) -> AsyncIterator[Stub]:
    async with connected(server) as connection:
        yield connection


def loaded(events: list[job_pb2.JobEvent]) -> set[str]:
    """The models that were loaded for a job."""
    return {event.progress.model for event in events if event.progress.phase == job_pb2.JOB_PHASE_LOADING}


async def test_each_request_is_run_by_the_model_of_its_domain(stub: Stub) -> None:
    models = (await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())).models
    assert [(model.name, list(model.taxonomies), model.layout_prior) for model in models] == [
        ("tiny", ["indoor"], True),
        ("tiny-outdoor", ["outdoor"], False),
    ]
    blockout = job_pb2.GenerateScene(grid=grid_to_message(street()), cameras=cameras(), prompt="a street", steps=2)
    words = job_pb2.GenerateScene(
        taxonomy="outdoor", volume=volume_to_message(street().volume), cameras=cameras(1), prompt="a street", steps=2
    )
    pixels = np.full((64, 64, 3), 90, np.uint8)
    images = job_pb2.PredictOccupancy(
        blockout=grid_to_message(street()),
        cameras=cameras(1),
        images=[encode_image(pixels, camera_pb2.IMAGE_FORMAT_PNG)],
    )
    found = []
    for request in (
        Request(generate_scene=blockout),
        generate_request(steps=2),
        Request(generate_scene=words),
        Request(predict_occupancy=images),
    ):
        events = await watched(stub, (await submitted(stub, request)).id)
        assert kinds(events)[-2:] == ["occupancy", "succeeded"], events[-1]
        grid = grid_from_message(next(event.occupancy.grid for event in events if event.HasField("occupancy")))
        assert grid.labels.max() < len(OUTDOOR)
        found.append((grid.taxonomy, grid.shape, loaded(events)))
    assert found == [
        ("outdoor", (32, 24, 8), {"tiny-outdoor"}),
        ("indoor", (6, 5, 4), set()),
        ("outdoor", (32, 24, 8), set()),
        ("outdoor", (32, 24, 8), set()),
    ]


async def test_what_the_model_of_a_domain_lacks_is_refused(stub: Stub) -> None:
    layout = job_pb2.ComposeLayout(taxonomy="outdoor", prompt="a street", furnish=True)
    draft = job_pb2.GenerateScene(
        grid=grid_to_message(street()), cameras=cameras(), quality=job_pb2.SCENE_QUALITY_DRAFT
    )
    for request, field, text in (
        (Request(compose_layout=layout), "compose_layout", "the model tiny-outdoor has no layout prior"),
        (Request(generate_scene=draft), "generate_scene.quality", "the model tiny-outdoor draws no drafts"),
    ):
        assert text in (await violations(stub, request))[field]


async def test_another_domain_than_the_model_that_was_named_is_refused_with_the_way_out(tmp_path: Path) -> None:
    task = job_pb2.GenerateScene(grid=grid_to_message(street()), cameras=cameras())
    async with serving(tmp_path) as running:
        assert await running.engine.ready()
        async with connected(running) as connection:
            refused = await violations(connection, Request(generate_scene=task))
    text = refused["generate_scene.grid.taxonomy"]
    assert text.startswith("taxonomy is 'outdoor'; the model stand-in knows indoor; ")
    assert "occscene-server serve" in text


async def violations(stub: Stub, request: Request) -> dict[str, str]:
    """The descriptions of what is wrong with a request, by field."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await submitted(stub, request)
    status = rpc_status.from_call(refusal.value)
    bad = error_details_pb2.BadRequest()
    assert next(detail for detail in status.details if detail.Is(bad.DESCRIPTOR)).Unpack(bad)
    return {violation.field: violation.description for violation in bad.field_violations}

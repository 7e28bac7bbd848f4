"""Drafts over a real connection, with real networks of a tiny size: no phase but those around them, and old servers."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
import pytest_asyncio
from occscene.codec import camera_to_message, grid_from_message
from occscene.grid import load_grid
from occscene.layout_codec import layout_from_message
from occscene.rig import default_rig
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc
from occscene.volumes import default_volume
from PIL import Image
from typer.testing import CliRunner

from occscene_server.cli.root import app
from tests.occscene_server.requests import mesh_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.weights]


@pytest_asyncio.fixture(loop_scope="module")
async def stub(drawing: str) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(drawing) as channel:
        yield scene_service_pb2_grpc.SceneServiceStub(channel)


def drafted(events: list[job_pb2.JobEvent]) -> tuple[list[bytes], np.ndarray]:
    """The files of the views, and the labels of the occupancy; nothing else may have happened."""
    phases = {event.progress.phase for event in events if event.HasField("progress")}
    assert phases <= {job_pb2.JOB_PHASE_PREPARING, job_pb2.JOB_PHASE_COMPOSING, job_pb2.JOB_PHASE_ENCODING}
    grid = next(event.occupancy.grid for event in events if event.HasField("occupancy"))
    return [event.view.image.data for event in events if event.HasField("view")], grid_from_message(grid).labels


async def test_a_draft_of_a_blockout_is_of_any_size(stub: Stub) -> None:
    request = mesh_request()
    task = request.generate_scene
    task.ClearField("steps")
    task.quality = job_pb2.SCENE_QUALITY_DRAFT
    for camera in task.cameras:
        camera.width, camera.height = 150, 97
    views, labels = drafted(await watched(stub, (await submitted(stub, request)).id))
    assert [Image.open(io.BytesIO(view)).size for view in views] == [(150, 97)] * len(task.cameras)
    np.testing.assert_array_equal(labels, grid_from_message(task.grid).labels)
    again, _ = drafted(await watched(stub, (await submitted(stub, request)).id))
    assert again == views
    (model,) = (await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())).models
    assert model.drafts


async def test_a_draft_of_words_shows_a_layout(stub: Stub) -> None:
    cameras = [camera_to_message(camera) for camera in default_rig(default_volume("indoor"), 2, 64, 64)]
    task = job_pb2.GenerateScene(
        taxonomy="indoor", cameras=cameras, prompt="a bedroom", quality=job_pb2.SCENE_QUALITY_DRAFT
    )
    request = scene_service_pb2.SubmitJobRequest(generate_scene=task)
    events = await watched(stub, (await submitted(stub, request)).id)
    assert kinds(events) == ["started", "layout", "view", "view", "occupancy", "succeeded"]
    views, labels = drafted(events)
    layout = layout_from_message(next(event for event in events if event.HasField("layout")).layout.layout)
    assert "bed" in {obj.name for obj in layout.layout.objects}
    assert labels.any()
    assert len(set(views)) == 2


@pytest.mark.usefixtures("coarse_rooms")
async def test_the_command_line_drafts(drawing: str, tmp_path: Path) -> None:
    drafts = (
        "generate",
        "--prompt",
        "a study",
        "--quality",
        "draft",
        "--output",
        str(tmp_path / "out"),
        "--image-size",
        "96",
    )
    result = await asyncio.to_thread(CliRunner().invoke, app, [*drafts, "--server", drawing])
    assert result.exit_code == 0, result.output
    assert load_grid(tmp_path / "out/occupancy.npz").labels.any()
    assert json.loads((tmp_path / "out/result.json").read_text())["prompt"] == "a study"
    assert {Image.open(view).size for view in (tmp_path / "out").glob("view_*.png")} == {(96, 96)}


async def test_a_server_without_a_decoder_says_so(tmp_path: Path) -> None:
    full, request = mesh_request(), mesh_request()
    request.generate_scene.ClearField("steps")
    request.generate_scene.quality = job_pb2.SCENE_QUALITY_DRAFT
    async with serving(tmp_path / "store") as plain, connected(plain) as stub:
        assert kinds(await watched(stub, (await submitted(stub, full)).id))[-1] == "succeeded"  # the model is loaded
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await submitted(stub, request)
        assert "draws no drafts" in str(refusal.value.details())
        drafts = ("generate", "--quality", "draft", "--output", str(tmp_path / "out"))
        result = await asyncio.to_thread(CliRunner().invoke, app, [*drafts, "--server", f"127.0.0.1:{plain.port}"])
        assert result.exit_code == 1
        assert "draws no drafts" in result.output

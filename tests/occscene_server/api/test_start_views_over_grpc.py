"""Views that a scene begins at, and views that stay, over a real connection with real networks of a tiny size."""

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
from occscene.camera import save_cameras
from occscene.codec import camera_from_message, grid_from_message
from occscene.grid import save_grid
from occscene.results import read_result
from occscene.v1 import camera_pb2, scene_service_pb2, scene_service_pb2_grpc
from PIL import Image
from typer.testing import CliRunner, Result

from occscene_server.cli.root import app
from occscene_server.engine.task import encode_image
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import submitted, watched

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.weights]

GRADIENT = np.mgrid[:64, :64].transpose(1, 2, 0).repeat(2, -1)[..., :3].astype(np.uint8) * 3
"""(64, 64, 3)"""


@pytest_asyncio.fixture(loop_scope="module")
async def stub(composing: str) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(composing) as channel:
        yield scene_service_pb2_grpc.SceneServiceStub(channel)


async def views_of(stub: Stub, request: scene_service_pb2.SubmitJobRequest) -> list[bytes]:
    events = await watched(stub, (await submitted(stub, request)).id)
    assert events[-1].HasField("succeeded"), events[-1]
    kept = {item.view for item in request.generate_scene.start_views if item.keep}
    assert not kept & {event.preview.view for event in events if event.HasField("preview")}
    return [event.view.image.data for event in events if event.HasField("view")]


async def test_kept_views_come_back_byte_for_byte(stub: Stub) -> None:
    first = await views_of(stub, generate_request(views=3))
    again = generate_request(views=3, seed=5, previews=True)
    for view in (0, 2):
        image = camera_pb2.EncodedImage(format=camera_pb2.IMAGE_FORMAT_PNG, data=first[view], width=64, height=64)
        again.generate_scene.start_views.add(view=view, image=image, keep=True)
    second = await views_of(stub, again)
    assert [first[0], first[2]] == [second[0], second[2]]
    assert first[1] != second[1]
    again.generate_scene.start_views[0].image.CopyFrom(encode_image(255 - GRADIENT, camera_pb2.IMAGE_FORMAT_PNG))
    assert (await views_of(stub, again))[1] != second[1]  # it sees the views that stay


async def test_strength_says_how_much_changes(stub: Stub) -> None:
    async def change(strength: float | None) -> float:
        request = generate_request(views=1, steps=8)
        image = encode_image(GRADIENT, camera_pb2.IMAGE_FORMAT_PNG)
        request.generate_scene.start_views.add(view=0, image=image)
        if strength is not None:
            request.generate_scene.strength = strength
        (view,) = await views_of(stub, request)
        return float(np.abs(np.asarray(Image.open(io.BytesIO(view)), float) - least).mean())

    least = np.zeros_like(GRADIENT)
    request = generate_request(views=1, steps=8)
    request.generate_scene.start_views.add(view=0, image=encode_image(GRADIENT, camera_pb2.IMAGE_FORMAT_PNG))
    request.generate_scene.strength = 0.0
    least = np.asarray(Image.open(io.BytesIO((await views_of(stub, request))[0])))
    assert await change(0.0) == 0.0
    assert await change(0.3) < await change(1.0)
    assert await change(None) == pytest.approx(await change(0.6))


async def command(composing: str, *arguments: str | Path) -> Result:
    line = [*map(str, arguments), "--server", composing]
    return await asyncio.to_thread(CliRunner().invoke, app, line)


async def test_the_command_line_begins_at_images_and_keeps_views(composing: str, tmp_path: Path) -> None:
    task = generate_request(views=2).generate_scene
    save_grid(tmp_path / "grid.npz", grid_from_message(task.grid))
    save_cameras(tmp_path / "cameras.json", [camera_from_message(message) for message in task.cameras])
    (tmp_path / "renders").mkdir()
    for number in (0, 1):
        Image.fromarray(GRADIENT).resize((256, 256)).save(tmp_path / f"renders/camera {number}.jpg")
    scene = ("generate", "--grid", tmp_path / "grid.npz", "--cameras", tmp_path / "cameras.json", "--steps", "4")
    result = await command(composing, *scene, "--prompt", "a hall", "--start", tmp_path / "renders", "--strength",
                           "0.25", "--output", tmp_path / "one")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "one/result.json").read_text())["strength"] == 0.25

    redo = ("generate", "--keep", tmp_path / "one", "--redo", "camera 1", "--seed", "4", "--steps", "4")
    result = await command(composing, *redo, "--output", tmp_path / "two")
    assert result.exit_code == 0, result.output
    one, two = read_result(tmp_path / "one"), read_result(tmp_path / "two")
    assert two.origin.prompt == "a hall"
    assert two.origin.kept_views == ("camera 0",)
    same = [one.views[name].read_bytes() == two.views[name].read_bytes() for name in ("camera 0", "camera 1")]
    assert same == [True, False]
    assert two.blockout is not None

    for options, message in (
        (("--redo", "camera 1"), "--redo needs --keep"),
        (("--keep", tmp_path / "one"), "--keep needs --redo, one of the cameras: camera 0, camera 1"),
        (("--keep", tmp_path / "one", "--redo", "camera 9"), "--redo 'camera 9' is none of the cameras"),
        (("--keep", tmp_path / "renders", "--redo", "camera 1"), "has no result.json"),
        (("--strength", "0.5"), "strength is 0.5, but no view is begun at"),
    ):
        refused = await command(composing, "generate", *options, "--grid", tmp_path / "grid.npz", "--cameras",
                                tmp_path / "cameras.json", "--output", tmp_path / "none")  # fmt: skip
        assert refused.exit_code == 1
        assert message in refused.output
    Image.fromarray(GRADIENT[:32]).save(tmp_path / "renders/camera 1.png")
    refused = await command(composing, *scene, "--start", tmp_path / "renders", "--output", tmp_path / "none")
    assert "is 64 x 32 pixels, but camera 'camera 1' 64 x 64: crop it to that shape" in refused.output
    refused = await command(
        composing, *scene, "--start", tmp_path / "renders/camera 0.jpg", "--output", tmp_path / "none"
    )
    assert "--start names 1 files for 2 cameras" in refused.output


@pytest.mark.usefixtures("coarse_rooms")
async def test_a_room_of_words_is_kept_with_its_views(composing: str, tmp_path: Path) -> None:
    """Text to scene without a prior: what it lies in is the result's."""
    made = await command(composing, "generate", "--prompt", "a den", "--steps", "2", "--no-prior", "--volume-corner",
                         "1", "2", "0", "--image-size", "64", "--output", tmp_path / "one")  # fmt: skip
    assert made.exit_code == 0, made.output
    names = [camera.name for camera in read_result(tmp_path / "one").cameras]
    again = await command(composing, "generate", "--keep", tmp_path / "one", "--redo", names[0], "--redo", names[1],
                          "--steps", "2", "--seed", "7", "--output", tmp_path / "two")  # fmt: skip
    assert again.exit_code == 0, again.output
    one, two = read_result(tmp_path / "one"), read_result(tmp_path / "two")
    assert two.origin.kind == "text"
    assert two.origin.without_prior
    same = [one.views[name].read_bytes() == two.views[name].read_bytes() for name in names]
    assert same == [False, False] + [True] * (len(names) - 2)

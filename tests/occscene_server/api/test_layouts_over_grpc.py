"""Layouts through a real server, a real channel and a real worker process, with the bundled layout prior."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from occscene.camera import load_cameras
from occscene.codec import camera_to_message, volume_to_message
from occscene.grid import load_grid
from occscene.layout import Layout, LayoutObject
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.placed_layout import PlacedLayout, load_layout, placed_to_json, room_pose
from occscene.rig import default_rig
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc
from occscene.volumes import default_volume
from typer.testing import CliRunner

from occscene_server.cli.root import app
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.weights]

VOLUME = default_volume("indoor")
COARSE = replace(VOLUME, shape=tuple(count // 2 for count in VOLUME.shape), voxel_size=2 * VOLUME.voxel_size)


@pytest_asyncio.fixture(loop_scope="module")
async def stub(composing: str) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(composing) as channel:
        yield scene_service_pb2_grpc.SceneServiceStub(channel)


def composition(**fields: object) -> scene_service_pb2.SubmitJobRequest:
    task = {"prompt": "a bedroom with a wardrobe", "taxonomy": "indoor", "furnish": True} | fields
    return scene_service_pb2.SubmitJobRequest(compose_layout=job_pb2.ComposeLayout(**task))  # type: ignore[arg-type]


async def composed(stub: Stub, **fields: object) -> job_pb2.JobLayout:
    events = await watched(stub, (await submitted(stub, composition(**fields))).id)
    assert kinds(events) == ["started", "layout", "succeeded"]
    return next(event.layout for event in events if event.HasField("layout"))


def text_to_scene(**fields: object) -> scene_service_pb2.SubmitJobRequest:
    cameras = [camera_to_message(camera) for camera in default_rig(VOLUME, 2, 64, 64)]
    given: dict[str, Any] = {"taxonomy": "indoor", "volume": volume_to_message(COARSE), "prompt": "a bedroom"} | fields
    task = job_pb2.GenerateScene(cameras=cameras, steps=4, **given)
    return scene_service_pb2.SubmitJobRequest(generate_scene=task)


async def test_the_model_says_that_it_writes_layouts(stub: Stub) -> None:
    await composed(stub)  # then the model is loaded
    (model,) = (await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())).models
    assert model.layout_prior
    assert model.parts_prior


async def test_a_room_from_words_lies_in_the_volume_and_is_replayed(stub: Stub) -> None:
    job = await submitted(stub, composition(seed=5))
    assert (job.kind, job.prompt) == (job_pb2.JOB_KIND_COMPOSE_LAYOUT, "a bedroom with a wardrobe")
    events = await watched(stub, job.id)
    made = next(event for event in events if event.HasField("layout"))
    placed = layout_from_message(made.layout.layout)
    assert placed.layout.room is not None
    assert {"bed", "wardrobe"} <= {obj.name for obj in placed.layout.objects}
    half = np.array(VOLUME.shape) * VOLUME.voxel_size / 2
    for obj in placed.objects_in(np.eye(4)):
        assert (np.abs(obj.corners[:, :2]) < half[:2]).all()
    again = await watched(stub, job.id, after=made.sequence - 1)
    assert again[0].layout == made.layout
    other = await composed(stub, seed=5)
    assert other == made.layout
    assert await composed(stub, seed=6) != made.layout


async def test_what_stands_there_is_completed_where_it_stands(stub: Stub) -> None:
    """Walls that are turned and away from the origin, as an artist has them, without a room of the contract."""
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]]
    pose[:3, 3] = 12.0, -7.0, 0.5
    walls = (
        LayoutObject("Wall", "wall", (-2.0, 0, 1.25), (0.1, 4, 2.5)),
        LayoutObject("Wall.001", "wall", (0, -2.0, 1.25), (4, 0.1, 2.5)),
        LayoutObject("Ground", "floor", (0, 0, -0.05), (4, 4, 0.1)),
    )
    bed = LayoutObject("Her bed", "bed", (0.9, 0.9, 0.3), (1.6, 2.0, 0.6), math.pi)
    here = PlacedLayout(Layout("indoor", None, (*walls, bed)), pose)
    given = PlacedLayout(Layout("indoor", None, here.objects_in(np.eye(4))))
    in_room = room_pose(VOLUME)
    volume = replace(VOLUME, world_from_grid=pose @ np.linalg.inv(in_room) @ VOLUME.world_from_grid)
    made = await composed(stub, layout=layout_to_message(given), volume=volume_to_message(volume), taxonomy="")
    placed = layout_from_message(made.layout)
    assert placed.layout.room is not None
    assert placed.layout.room.size == pytest.approx((3.95, 3.95, 2.5))
    world = placed.objects_in(np.eye(4))
    for old, new in zip(given.layout.objects, world, strict=False):
        np.testing.assert_allclose(new.corners, old.corners, atol=1e-9)
        assert (new.name, new.class_name, new.color) == (old.name, old.class_name, old.color)
    added = placed.layout.objects[4:]
    assert "wardrobe" in {obj.name for obj in added}
    assert not {"bed"} & {obj.name for obj in added}  # the scene has one
    for obj in added:
        assert (np.abs(obj.corners[:, :2]) < 2.2).all()


async def test_only_what_is_named_is_drawn_anew(stub: Stub) -> None:
    before = layout_from_message((await composed(stub, seed=1)).layout)
    names = [obj.name for obj in before.layout.objects]
    index = names.index("bed")
    made = await composed(stub, seed=3, layout=layout_to_message(before), redraw=[index], furnish=False)
    after = layout_from_message(made.layout)
    changed = [
        place for place, (a, b) in enumerate(zip(before.layout.objects, after.layout.objects, strict=True)) if a != b
    ]
    assert changed in ([index], [])
    assert bool(changed) != any("stays as it is" in note for note in made.notes)
    assert after.layout.objects[index].name == "bed"


async def test_the_largest_seed_is_a_seed(stub: Stub) -> None:
    last = 2**64 - 1
    before = await composed(stub, seed=last, with_parts=True)
    made = await composed(stub, seed=last, layout=before.layout, redraw=[1, 0], furnish=False)
    assert len(made.layout.objects) == len(before.layout.objects)


async def test_boxes_get_parts_that_stay_in_them(stub: Stub) -> None:
    plain = layout_from_message((await composed(stub, seed=2)).layout)
    made = await composed(stub, layout=layout_to_message(plain), furnish=False, with_parts=True)
    finer = layout_from_message(made.layout).layout.objects
    assert [replace(obj, parts=()) for obj in finer] == list(plain.layout.objects)
    bed = next(obj for obj in finer if obj.name == "bed")
    assert len(bed.parts) > 2
    for part in bed.parts:
        assert (np.abs(part.center) <= np.array(bed.size) / 2 + 0.1).all()
    assert not any(obj.parts for obj in finer if obj.name in ("door", "window"))


async def test_what_the_prior_does_not_know_is_noted(stub: Stub) -> None:
    made = await composed(stub, prompt="a room with a grand piano and a blue sofa")
    (note,) = made.notes
    assert note == "“grand piano”: drawn as a sideboard."
    assert "sofa" in {obj.name for obj in made.layout.objects}


async def test_text_to_scene_begins_from_a_layout_and_sends_it(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, text_to_scene())).id)
    assert kinds(events) == ["started", "layout", "view", "view", "occupancy", "succeeded"]
    placed = layout_from_message(next(event.layout.layout for event in events if event.HasField("layout")))
    assert "bed" in {obj.name for obj in placed.layout.objects}


async def test_text_to_scene_without_prior_has_no_layout(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, text_to_scene(without_prior=True))).id)
    assert kinds(events) == ["started", "view", "view", "occupancy", "succeeded"]
    steps = [event.progress.steps for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    assert steps
    assert set(steps) == {8}  # the draft's among them


async def test_text_to_scene_takes_a_layout_by_hand(stub: Stub) -> None:
    sofa = LayoutObject("couch", "sofa", (0.0, 0.0, 0.4), (2.0, 0.9, 0.8), 0.3, color=(0.5, 0.25, 0.125))
    start = layout_to_message(PlacedLayout(Layout("indoor", None, (sofa,))))
    events = await watched(stub, (await submitted(stub, text_to_scene(layout=start))).id)
    made = next(event.layout for event in events if event.HasField("layout"))
    assert layout_from_message(made.layout).layout.objects == (sofa,)  # without a room nothing is drawn anew


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"furnish": False}, "compose_layout", "nothing is to be done"),
        ({"taxonomy": "outdoor"}, "compose_layout.taxonomy", "knows indoor"),
        ({"taxonomy": ""}, "compose_layout.taxonomy", "must be one of"),
        ({"prompt": "x" * 2001}, "compose_layout.prompt", "the limit is 2000"),
        ({"redraw": [0]}, "compose_layout.redraw[0]", "redraw has 0; the layout has 0 objects"),
        ({"volume": volume_to_message(replace(VOLUME, voxel_size=0.02))}, "", ""),
    ],
)
async def test_what_is_wrong_is_told(stub: Stub, fields: dict[str, object], path: str, message: str) -> None:
    if not path:  # a volume too small for a room is found out by the job
        events = await watched(stub, (await submitted(stub, composition(**fields))).id)
        assert events[-1].failed.failure.reason == "UNSUPPORTED_REQUEST"
        assert "does not fit: make it larger" in events[-1].failed.failure.message
        return
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await submitted(stub, composition(**fields))
    violations = _violations(refusal.value)
    assert path in violations
    assert message in violations[path]


async def test_every_wrong_object_is_told_with_its_path(stub: Stub) -> None:
    chair = LayoutObject("chair", "chair", (0, 0, 0.4), (0.5, 0.5, 0.8))
    message = layout_to_message(PlacedLayout(Layout("indoor", None, (chair,) * 3)))
    message.objects[0].class_name = "piano"
    message.objects[2].size.x = math.nan
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await submitted(stub, composition(layout=message))
    violations = _violations(refusal.value)
    assert "compose_layout.layout.objects[2].size" in violations
    assert "'piano'; indoor has bed" in violations["compose_layout.layout.objects[0].class_name"]


async def test_a_start_with_a_grid_or_without_prior_is_refused(stub: Stub) -> None:
    sofa = LayoutObject("couch", "sofa", (0.0, 0.0, 0.4), (2.0, 0.9, 0.8))
    start = layout_to_message(PlacedLayout(Layout("indoor", None, (sofa,))))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await submitted(stub, text_to_scene(layout=start, without_prior=True))
    assert "omit one of them" in _violations(refusal.value)["generate_scene.layout"]


async def test_a_server_without_prior_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "store") as old, connected(old) as stub:
        events = await watched(stub, (await submitted(stub, text_to_scene())).id)
        assert kinds(events) == ["started", "view", "view", "occupancy", "succeeded"]
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await submitted(stub, composition())
        assert "has no layout prior" in _violations(refusal.value)["compose_layout"]
        output = await _run("layout", "--output", tmp_path / "out", "--server", f"127.0.0.1:{old.port}", code=1)
        assert "has no layout prior. Update the server" in output


async def test_the_command_line_writes_layouts(composing: str, tmp_path: Path) -> None:
    address = ("--server", composing)
    first, second = tmp_path / "first", tmp_path / "second"
    output = await _run("layout", "--prompt", "a study with a harp", "--output", first, *address)
    assert "“harp”" in output
    before = load_layout(first / "layout.json").layout
    assert load_grid(first / "blockout.npz").shape == (60, 60, 36)
    given = ("--given", first / "layout.json")
    await _run("layout", *given, "--redraw", "DESK", "--seed", 2, "--output", second, *address)
    after = load_layout(second / "layout.json").layout
    assert [obj.name for obj in after.objects] == [obj.name for obj in before.objects]
    kept = [a == b for a, b in zip(before.objects, after.objects, strict=True) if a.name != "desk"]
    assert all(kept)
    output = await _run("layout", *given, "--redraw", "harp", "--output", second, *address, code=1)
    assert "has no such object; it has" in output
    output = await _run("layout", "--redraw", "desk", "--output", second, *address, code=1)
    assert "nothing stands there; give both" in output


@pytest.mark.usefixtures("coarse_rooms")
async def test_the_command_line_works_where_a_layout_lies(composing: str, tmp_path: Path) -> None:
    """A file of Blender lies anywhere; one without a pose, as older programs wrote them, at the world's origin."""
    address = ("--server", composing)
    await _run("layout", "--prompt", "a study with a harp", "--output", tmp_path, *address)
    written = json.loads((tmp_path / "layout.json").read_text())
    assert written["version"] == 1
    assert "“harp”" in written.pop("notes")[0]
    here = load_layout(tmp_path / "layout.json")
    assert written.keys() == placed_to_json(here).keys()
    np.testing.assert_array_equal(here.world_from_layout, np.eye(4))
    pose = np.eye(4)
    pose[:2, :2], pose[:3, 3] = [[0.8, -0.6], [0.6, 0.8]], (30.0, -7.0, 3.0)
    del written["world_from_layout"]
    layouts = {"old": written, "elsewhere": {**written, "world_from_layout": pose.tolist()}}
    for name, fields in layouts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(fields))
        given = ("--given", tmp_path / f"{name}.json")
        await _run("layout", *given, "--redraw", "desk", "--output", tmp_path / name, *address)
    old, elsewhere = (load_layout(tmp_path / name / "layout.json") for name in layouts)
    np.testing.assert_array_equal(old.world_from_layout, np.eye(4))
    np.testing.assert_array_equal(elsewhere.world_from_layout, pose)
    assert elsewhere.layout == old.layout
    grid, same = load_grid(tmp_path / "elsewhere/blockout.npz"), load_grid(tmp_path / "old/blockout.npz")
    assert (grid.labels != same.labels).mean() < 1e-3
    np.testing.assert_allclose(room_pose(grid.volume), pose, atol=1e-12)
    start = ("--layout", tmp_path / "elsewhere/layout.json", "--steps", 2, "--image-size", 64, *address)
    await _run("generate", *start, "--output", tmp_path / "views")
    np.testing.assert_array_equal(load_layout(tmp_path / "views/layout.json").world_from_layout, pose)
    await _run("generate", *start, "--volume-corner", "1", "2", "3", "--output", tmp_path / "moved")
    moved = load_layout(tmp_path / "moved/layout.json").world_from_layout
    np.testing.assert_allclose(moved[:3, 3], (3.4, 4.4, 3.16))


@pytest.mark.usefixtures("coarse_rooms")
async def test_the_command_line_generates_from_words_in_the_drawn_room(composing: str, tmp_path: Path) -> None:
    address = ("--server", composing)
    words = ("--prompt", "a bedroom", "--steps", 2, "--image-size", 64)
    await _run("generate", *words, "--output", tmp_path / "scene", *address)
    layout = load_layout(tmp_path / "scene/layout.json").layout
    blockout = load_grid(tmp_path / "scene/blockout.npz")
    assert {obj.name for obj in layout.objects} <= {obj.name for obj in blockout.objects}
    colors = {obj.name: obj.hint for obj in blockout.objects}
    bed = next(obj for obj in layout.objects if obj.name == "bed")
    assert colors["bed"] == pytest.approx(bed.color, abs=1e-6)
    assert layout.room is not None
    half = np.array(layout.room.size[:2]) / 2
    eyes = [camera.world_from_camera[:2, 3] for camera in load_cameras(tmp_path / "scene/cameras.json")]
    assert len(eyes) == 4
    assert all((np.abs(eye) < half).all() for eye in eyes)
    start = ("--layout", tmp_path / "scene/layout.json")
    await _run("generate", *words, *start, "--output", tmp_path / "again", *address)
    again = load_layout(tmp_path / "again/layout.json").layout
    assert again.room == layout.room
    assert [obj.name for obj in again.objects] == [obj.name for obj in layout.objects]
    await _run("generate", *words, "--no-prior", "--output", tmp_path / "bare", *address)
    assert not (tmp_path / "bare/layout.json").exists()


async def _run(*arguments: object, code: int = 0) -> str:
    words = [str(argument) for argument in arguments]
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == code, result.output + str(result.exception)
    return " ".join(result.output.split())


def _violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    request = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(request)
    return {item.field: item.description for item in request.field_violations}

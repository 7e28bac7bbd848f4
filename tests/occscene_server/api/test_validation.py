"""Wrong requests: every violation is named at once, hostile ones end in an error and nothing else."""

from __future__ import annotations

import io
import math
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable, MutableSequence

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.codec import pack_block, volume_to_message
from occscene.grid import GridVolume
from occscene.v1 import grid_pb2, scene_service_pb2
from PIL import Image

from occscene_server.api.validation import check_request
from occscene_server.api.violations import GivenUpError
from tests.occscene_server.hostile import hostile_submissions
from tests.occscene_server.requests import (
    generate_request,
    mesh_request,
    predict_request,
    sample_grid,
    text_request,
)

MODEL = scene_service_pb2.ModelInfo(name="compact-indoor", taxonomies=["indoor"])
Request = scene_service_pb2.SubmitJobRequest


@pytest.mark.parametrize("request_", [generate_request(), mesh_request(), text_request(), predict_request()])
def test_right_requests_pass(request_: Request) -> None:
    assert check_request(request_, MODEL) == []


@pytest.mark.parametrize(("width", "height"), [(256, 107), (65, 1023), (144, 256), (1024, 64)])
def test_images_may_have_any_sides_within_the_limits(width: int, height: int) -> None:
    request = generate_request()
    for camera in request.generate_scene.cameras:
        camera.width, camera.height = width, height
    assert check_request(request, MODEL) == []


def _own_volume(request: Request) -> None:
    request.generate_scene.volume.CopyFrom(volume_to_message(GridVolume((4, 4, 4), 0.1, sample_grid().world_from_grid)))


def _turn_away(request: Request) -> None:
    request.generate_scene.cameras[1].world_from_camera[7] = 50.0


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("request_id", lambda r: setattr(r, "request_id", "../../etc/passwd")),
        ("task", lambda r: r.ClearField("generate_scene")),
        ("generate_scene.prompt", lambda r: setattr(r.generate_scene, "prompt", "x" * 2001)),
        ("generate_scene.negative_prompt", lambda r: setattr(r.generate_scene, "negative_prompt", "x" * 2001)),
        ("generate_scene.steps", lambda r: setattr(r.generate_scene, "steps", 0)),
        ("generate_scene.steps", lambda r: setattr(r.generate_scene, "steps", 2**31)),
        ("generate_scene.text_guidance_scale", lambda r: setattr(r.generate_scene, "text_guidance_scale", math.nan)),
        (
            "generate_scene.occupancy_guidance_scale",
            lambda r: setattr(r.generate_scene, "occupancy_guidance_scale", -1),
        ),
        ("generate_scene.cameras", lambda r: r.generate_scene.ClearField("cameras")),
        ("generate_scene.cameras", lambda r: r.generate_scene.cameras.extend(list(r.generate_scene.cameras) * 8)),
        ("generate_scene.cameras", lambda r: setattr(r.generate_scene.cameras[1], "name", "camera 0")),
        ("generate_scene.cameras[1].fx", lambda r: setattr(r.generate_scene.cameras[1], "fx", math.inf)),
        ("generate_scene.cameras[1]", lambda r: setattr(r.generate_scene.cameras[1], "width", 96)),
        ("generate_scene.cameras[0].width", lambda r: [setattr(c, "width", 63) for c in r.generate_scene.cameras]),
        ("generate_scene.cameras[0].height", lambda r: [setattr(c, "height", 2048) for c in r.generate_scene.cameras]),
        ("generate_scene.cameras[1].world_from_camera", lambda r: r.generate_scene.cameras[1].world_from_camera.pop()),
        ("generate_scene.cameras[1]", _turn_away),
        ("generate_scene.volume", _own_volume),
        ("generate_scene.taxonomy", lambda r: setattr(r.generate_scene, "taxonomy", "outdoor")),
        ("generate_scene.taxonomy", lambda r: r.generate_scene.ClearField("grid")),
        ("generate_scene.grid.volume.size_x", lambda r: setattr(r.generate_scene.grid.volume, "size_x", 513)),
        ("generate_scene.grid.labels", lambda r: setattr(r.generate_scene.grid.labels, "raw_size", 2**60)),
        ("predict_occupancy.images", lambda r: r.MergeFrom(predict_request()) or r.predict_occupancy.images.pop()),
        (
            "predict_occupancy.images[0].data",
            lambda r: r.CopyFrom(predict_request()) or setattr(r.predict_occupancy.images[0], "data", b"\x89PNG"),
        ),
        (
            "predict_occupancy.images[0]",
            lambda r: r.CopyFrom(predict_request()) or setattr(r.predict_occupancy.images[0], "width", 128),
        ),
    ],
)
def test_wrong_field_is_named(field: str, change: Callable[[Request], object]) -> None:
    request = generate_request()
    change(request)
    violations = check_request(request, MODEL)
    assert field in [violation.field for violation in violations], violations
    assert all(violation.description for violation in violations)


@pytest.mark.parametrize(
    ("field", "change", "text"),
    [
        (
            "mesh.vertices.raw_size",
            lambda t: t.mesh.vertices.ClearField("raw_size"),
            "raw_size is 0; it must be 12 bytes for",
        ),
        ("mesh.triangles", lambda t: setattr(t.mesh.triangles, "data", b"no zstd"), "data is not a zstd frame"),
        ("mesh.runs[0].label", lambda t: setattr(t.mesh.runs[0], "label", 40), "label is 40; taxonomy 'indoor' has"),
        (
            "mesh.runs[0].object_id",
            lambda t: t.grid.ClearField("objects"),
            "object_id is 5, which the grid's objects do not",
        ),
        ("mesh", lambda t: t.ClearField("grid") or setattr(t, "taxonomy", "indoor"), "mesh is given without a grid"),
        ("grid.objects[0]", lambda t: setattr(t.grid.objects[0], "prompt", "x" * 201), "prompt has 201 characters"),
    ],
)
def test_what_is_wrong_with_a_mesh_or_words_is_told_once(field: str, change: Callable[..., object], text: str) -> None:
    request = mesh_request()
    change(request.generate_scene)
    violations = [item for item in check_request(request, MODEL) if item.field == f"generate_scene.{field}"]
    assert len(violations) == 1, check_request(request, MODEL)
    assert text in f"{field} {violations[0].description}"


def test_a_wrong_grid_is_told_of_and_its_mesh_is_not() -> None:
    request = mesh_request()
    request.generate_scene.grid.volume.voxel_size = math.nan
    assert [item.field for item in check_request(request)] == ["generate_scene.grid.volume.voxel_size"]
    request = mesh_request()
    request.generate_scene.grid.taxonomy = "kitchen"
    assert [item.field for item in check_request(request)] == ["generate_scene.grid.taxonomy"]


def test_all_violations_are_told_at_once() -> None:
    request = generate_request()
    request.request_id = "no uuid"
    task = request.generate_scene
    task.prompt, task.negative_prompt, task.steps, task.text_guidance_scale = "x" * 3000, "x" * 3000, 500, math.nan
    volume = task.grid.volume
    volume.size_x, volume.size_z, volume.voxel_size, volume.world_from_grid[3] = 0, 600, math.nan, math.inf
    task.grid.taxonomy = "kitchen"
    task.grid.objects.add(id=70_000, name="x")
    first, second = task.cameras
    first.name, first.width, first.fx, first.fy, first.cx = "", 63, math.inf, -1, math.nan
    first.world_from_camera[0] = math.nan
    del second.world_from_camera[:]
    at = "generate_scene"
    assert {violation.field for violation in check_request(request)} == {
        "request_id",
        *(f"{at}.{field}" for field in ("prompt", "negative_prompt", "steps", "text_guidance_scale")),
        *(f"{at}.grid.volume.{field}" for field in ("size_x", "size_z", "voxel_size", "world_from_grid")),
        *(f"{at}.grid.{field}" for field in ("taxonomy", "objects[0]")),
        *(f"{at}.cameras[0].{field}" for field in ("name", "width", "fx", "fy", "cx", "world_from_camera")),
        f"{at}.cameras[1].world_from_camera",
    }


def test_path_is_told_once() -> None:
    request = generate_request()
    request.generate_scene.grid.objects.add(id=1, name="x" * 201)
    (violation,) = check_request(request)
    assert violation.field == "generate_scene.grid.objects[0]"
    assert violation.description == "object 1: name has 201 characters; the limit is 200"


def test_data_that_is_no_picture_is_told_so() -> None:
    request = predict_request()
    request.predict_occupancy.images[0].data = b"no picture"
    (violation,) = check_request(request)
    assert violation.description == "predict_occupancy.images[0].data is not a PNG file"


def test_a_side_out_of_its_range_is_told_once() -> None:
    request = generate_request(views=2)
    request.generate_scene.cameras[1].width = 5000
    (violation,) = check_request(request)
    assert violation.field == "generate_scene.cameras[1].width"


def test_labels_and_instances_are_told_at_once() -> None:
    request = predict_request()
    task = request.predict_occupancy
    task.ClearField("taxonomy")
    task.blockout.CopyFrom(generate_request().generate_scene.grid)
    task.blockout.labels.crc32 += 1
    task.blockout.instances.raw_size = 5
    task.images[0].data = task.images[0].data[:40]
    at = "predict_occupancy"
    assert {violation.field for violation in check_request(request)} == {
        f"{at}.blockout.labels",
        f"{at}.blockout.instances",
        f"{at}.images[0].data",
    }


def _only_unknown(request: Request) -> None:
    grid = sample_grid()
    labels = np.where(grid.labels == 2, 0, 255).astype(np.uint8)
    request.generate_scene.grid.labels.CopyFrom(pack_block(labels))


def _unlisted_instance(request: Request) -> None:
    request.generate_scene.grid.instances.CopyFrom(pack_block(np.full((6, 5, 4), 9, np.uint16)))


@pytest.mark.parametrize(
    ("field", "text", "change"),
    [
        ("grid.labels", "no voxel with a class", _only_unknown),
        ("grid.labels", "class 12", lambda r: _fill(r, 12)),
        ("grid.objects", "id 9", _unlisted_instance),
        ("grid.volume", "33,554,432", lambda r: _resize(r, 512, 512, 129)),
        ("grid.volume.size_y", "voxels along y; it must have 1 to 512", lambda r: _resize(r, 6, 2**32 - 1, 4)),
        ("grid.volume.voxel_size", "0.01 to 10", lambda r: setattr(r.generate_scene.grid.volume, "voxel_size", 0.0)),
        ("grid.volume.world_from_grid", "1e+06 metres", lambda r: _set(_grid(r), 3, 1e7)),
        ("cameras[0].world_from_camera", "1e+06 metres", lambda r: _set(_camera(r), 3, 1e7)),
        ("cameras[0].world_from_camera", "not rigid", lambda r: _set(_camera(r), 0, 1.1)),
        ("cameras[0].fx", "0.32 to 640000", lambda r: setattr(r.generate_scene.cameras[0], "fx", 1e-3)),
        ("cameras[0].cy", "-1280 to 1280", lambda r: setattr(r.generate_scene.cameras[0], "cy", -1e30)),
        ("cameras[1]", "sees nothing", _turn_away),
        ("grid.taxonomy", "model compact-indoor", lambda r: setattr(r.generate_scene.grid, "taxonomy", "outdoor")),
    ],
)  # fmt: skip
def test_violations_say_value_and_limit(field: str, text: str, change: Callable[[Request], object]) -> None:
    request = generate_request()
    change(request)
    described = {violation.field: violation.description for violation in check_request(request, MODEL)}
    assert text in described[f"generate_scene.{field}"]


def _resize(request: Request, x: int, y: int, z: int) -> None:
    volume = request.generate_scene.grid.volume
    volume.size_x, volume.size_y, volume.size_z = x, y, z


def _fill(request: Request, label: int) -> None:
    request.generate_scene.grid.labels.CopyFrom(pack_block(np.full((6, 5, 4), label, np.uint8)))


def _grid(request: Request) -> MutableSequence[float]:
    return request.generate_scene.grid.volume.world_from_grid


def _camera(request: Request) -> MutableSequence[float]:
    return request.generate_scene.cameras[0].world_from_camera


def _set(pose: MutableSequence[float], index: int, value: float) -> None:
    pose[index] = value


def _bomb(compression: int, size: int) -> grid_pb2.VoxelBlock:
    """A small block that unpacks to `size` zeros."""
    if compression == grid_pb2.COMPRESSION_ZLIB:
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(2**20)) for _ in range(size >> 20)) + packer.flush()
    else:
        packer = zstandard.ZstdCompressor(level=1).compressobj(size=size)
        data = b"".join(packer.compress(bytes(2**20)) for _ in range(size >> 20)) + packer.flush()
    return grid_pb2.VoxelBlock(compression=compression, data=data)


@pytest.mark.parametrize("compression", [grid_pb2.COMPRESSION_ZSTD, grid_pb2.COMPRESSION_ZLIB])
@pytest.mark.parametrize("declared", [120, 2**26])
def test_bombs_and_lying_sizes_take_no_memory(compression: int, declared: int) -> None:
    """64 MiB of zeros in a small block, whose size is declared as the grid's or as what it is."""
    request = generate_request()
    bomb = _bomb(compression, 2**26)
    bomb.raw_size = declared
    request.generate_scene.grid.labels.CopyFrom(bomb)
    tracemalloc.start()
    (violation,) = check_request(request)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert violation.field == "generate_scene.grid.labels"
    assert peak < 2**22


def test_large_image_in_a_small_file_is_not_decoded() -> None:
    file = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(file, "PNG")
    request = predict_request()
    request.predict_occupancy.images[0].data = file.getvalue()
    tracemalloc.start()
    (violation,) = check_request(request)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "64 x 64 pixels, but its file says 8000 x 8000" in violation.description
    assert peak < 2**22


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_pictures_are_violations(data: st.DataObject) -> None:
    """Chunks with wrong contents and right checksums reach every reader in the image library."""
    request = predict_request()
    image = request.predict_occupancy.images[0]
    names = st.sampled_from(
        [b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"cHRM", b"pHYs", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"IEND"]
    )
    chunks = data.draw(st.lists(st.tuples(names, st.binary(max_size=30)), min_size=1, max_size=3))
    extra = b"".join(struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    place = data.draw(st.sampled_from([8, 33]))  # before and after the header
    image.data = image.data[:place] + extra + image.data[place:]
    assert all(v.field.startswith("predict_occupancy.images[0]") for v in check_request(request))


def _python_calls(work: Callable[[], object]) -> int:
    """How many functions a piece of work calls."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("hint", [False, True])
@pytest.mark.parametrize("name", ["o", "x" * 201])
def test_each_object_is_looked_at_once(hint: bool, name: str) -> None:
    """Eight times the objects are eight times the work at most, right and wrong ones."""

    def work(count: int) -> int:
        request = generate_request()
        for number in range(count):
            item = request.generate_scene.grid.objects.add(id=number + 1, name=name)
            if hint:
                item.hint.SetInParent()
        return _python_calls(lambda: check_request(request))

    few, many = work(1_000), work(8_000)
    assert many < 8.5 * few


@pytest.mark.parametrize("ids", [[1, 2, 2], [1, 2], [1, 2, 3, 4]])
def test_instances_and_table_are_held_against_each_other(ids: list[int]) -> None:
    request = generate_request()
    grid = request.generate_scene.grid
    grid.instances.CopyFrom(pack_block(np.arange(120, dtype=np.uint16).reshape(6, 5, 4) % 4))
    for number in ids:
        grid.objects.add(id=number, name="o")
    described = [violation.description for violation in check_request(request)]
    assert (
        described
        == {
            3: ["objects has an id twice; ids must be unique"],
            2: ["instances uses id 3, which objects does not list"],
            4: [],
        }[len(ids)]
    )


def test_check_that_nobody_waits_for_ends() -> None:
    request = generate_request()
    for number in range(5_000):
        request.generate_scene.grid.objects.add(id=number + 1, name="o")
    asked = iter([False] * 3)
    with pytest.raises(GivenUpError):
        check_request(request, given_up=lambda: next(asked, True))


@settings(max_examples=150, deadline=None)
@given(hostile_submissions())
def test_hostile_messages_end_in_violations_alone(request_: Request) -> None:
    for violation in check_request(Request.FromString(request_.SerializeToString()), MODEL):
        assert violation.field
        assert violation.description

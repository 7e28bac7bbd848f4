"""What views a scene may begin at, and which may stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from occscene.client.abilities import check_abilities
from occscene.client.errors import NoStartViewsError
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2

from occscene_server.api.validation import check_request
from occscene_server.engine.task import encode_image
from tests.occscene_server.requests import generate_request

CAN = scene_service_pb2.ModelInfo(name="crisp", taxonomies=["indoor"], start_views=True, drafts=True)
CANNOT = scene_service_pb2.ModelInfo(name="compact", taxonomies=["indoor"], drafts=True)


def png(side: int = 64) -> camera_pb2.EncodedImage:
    return encode_image(np.zeros((side, side, 3), np.uint8), camera_pb2.IMAGE_FORMAT_PNG)


def started(
    views: Sequence[tuple[int, bool]], strength: float | None = None, cameras: int = 3
) -> scene_service_pb2.SubmitJobRequest:
    """A request with a start view at each place, and whether it stays."""
    request = generate_request(views=cameras)
    for view, keep in views:
        request.generate_scene.start_views.add(view=view, image=png(), keep=keep)
    if strength is not None:
        request.generate_scene.strength = strength
    return request


@pytest.mark.parametrize("model", [CAN, None])
@pytest.mark.parametrize(
    "request_",
    [
        started([(0, False), (1, False), (2, False)]),
        started([(2, False), (0, False), (1, False)], 0.0),
        started([(0, True), (2, True)]),
        started([(0, True), (1, False), (2, False)], 1.0),
        started([]),
    ],
)
def test_all_or_none_are_begun_at(
    request_: scene_service_pb2.SubmitJobRequest, model: scene_service_pb2.ModelInfo | None
) -> None:
    assert check_request(request_, model) == []


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (started([(3, True)]), "start_views[0].view", "view is 3; there are 3 cameras, numbered from 0"),
        (started([(1, True), (1, True)]), "start_views[1].view", "view 1 is given twice; send each view once"),
        (started([(0, True), (1, True), (2, True)]), "start_views", "all 3 views stay; leave at least one to generate"),
        (started([(0, False), (1, True)]), "start_views", "view 2 has no image, but others that do not stay have one"),
        (started([(0, True)], 0.5), "strength", "strength is 0.5, but no view is begun at; omit strength"),
        (started([], 0.5), "strength", "strength is 0.5, but no view is begun at; omit strength"),
        (started([(0, False)], 1.5, 1), "strength", "strength is 1.5; it must be 0 to 1, or absent"),
        (started([(0, False)], float("nan"), 1), "strength", "strength is nan; it must be 0 to 1"),
        (started([(0, True)] * 4), "start_views", "there are 4 start views for 3 cameras; send at most one each"),
    ],
)
def test_each_fault_is_named_once(request_: scene_service_pb2.SubmitJobRequest, field: str, message: str) -> None:
    (found,) = check_request(request_, CAN)
    assert found.field == f"generate_scene.{field}"
    assert message in found.description


@pytest.mark.parametrize(
    ("image", "field", "message"),
    [
        (png(80), "", "the image has 80 x 80 pixels; its camera has 64 x 64"),
        (camera_pb2.EncodedImage(format=2, data=png().data, width=64, height=64), ".format", "must be PNG"),
        (camera_pb2.EncodedImage(format=1, data=b"no", width=64, height=64), ".data", "is not a PNG file"),
        (camera_pb2.EncodedImage(format=1, data=png(80).data, width=64, height=64), "", "its file says 80 x 80"),
    ],
)
def test_images_are_pngs_of_their_cameras(image: camera_pb2.EncodedImage, field: str, message: str) -> None:
    request = started([(0, True)])
    request.generate_scene.start_views[0].image.CopyFrom(image)
    (found,) = check_request(request, CAN)
    assert found.field == f"generate_scene.start_views[0].image{field}"
    assert message in found.description


def test_a_draft_begins_at_nothing() -> None:
    request = started([(0, True)])
    request.generate_scene.ClearField("steps")
    request.generate_scene.quality = job_pb2.SCENE_QUALITY_DRAFT
    (found,) = check_request(request, CAN)
    assert "which denoises nothing; omit one of them" in found.description


def test_models_and_servers_that_cannot_say_so() -> None:
    request = started([(0, True)])
    (found,) = check_request(request, CANNOT)
    assert "the model compact cannot begin at given views" in found.description
    check_abilities(request, [CAN])
    check_abilities(request, [])
    check_abilities(generate_request(), [CANNOT])  # what an older extension asks for
    with pytest.raises(NoStartViewsError, match="cannot begin at given views, or keep some"):
        check_abilities(request, [CANNOT])  # a server of before the field says the same: the field is false

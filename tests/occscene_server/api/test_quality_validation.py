"""What a scene's quality may be, and what a draft needs."""

from __future__ import annotations

import pytest
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.validation import check_request
from tests.occscene_server.requests import generate_request, mesh_request, text_request

CAN = scene_service_pb2.ModelInfo(name="crisp", taxonomies=["indoor"], drafts=True, layout_prior=True)
CANNOT = scene_service_pb2.ModelInfo(name="compact", taxonomies=["indoor"], layout_prior=True)
WITHOUT_PRIOR = scene_service_pb2.ModelInfo(name="crisp", taxonomies=["indoor"], drafts=True)
DRAFT = job_pb2.SCENE_QUALITY_DRAFT


def of_quality(
    quality: int, request: scene_service_pb2.SubmitJobRequest | None = None, **fields: bool
) -> scene_service_pb2.SubmitJobRequest:
    request = request or generate_request()
    request.generate_scene.ClearField("steps")
    request.generate_scene.MergeFrom(job_pb2.GenerateScene(**fields))  # type: ignore[arg-type]
    request.generate_scene.quality = quality  # type: ignore[assignment]
    return request


@pytest.mark.parametrize("model", [CAN, CANNOT])
@pytest.mark.parametrize("quality", [job_pb2.SCENE_QUALITY_UNSPECIFIED, job_pb2.SCENE_QUALITY_FULL])
def test_full_quality_needs_nothing(quality: int, model: scene_service_pb2.ModelInfo) -> None:
    assert check_request(of_quality(quality), model) == []
    assert check_request(of_quality(quality, text_request(), without_prior=True), model) == []


@pytest.mark.parametrize("request_", [generate_request(), mesh_request(), text_request()])
def test_a_draft_needs_shapes_and_a_model_that_draws_drafts(request_: scene_service_pb2.SubmitJobRequest) -> None:
    assert check_request(of_quality(DRAFT, request_), CAN) == []
    (found,) = check_request(of_quality(DRAFT, request_), CANNOT)
    assert found.field == "generate_scene.quality"
    assert "the model compact draws no drafts" in found.description
    assert "ask for FULL" in found.description


@pytest.mark.parametrize(
    ("request_", "model", "field", "message"),
    [
        (of_quality(3), CAN, "quality", r"quality is 3; it must be DRAFT \(1\) or FULL \(2\)"),
        (of_quality(-1), CAN, "quality", "quality is -1"),
        (of_quality(DRAFT, text_request(), without_prior=True), CAN, "quality", "omit without_prior"),
        (of_quality(DRAFT, text_request()), WITHOUT_PRIOR, "quality", "no layout prior"),
    ],
)
def test_others_are_refused(
    request_: scene_service_pb2.SubmitJobRequest, model: scene_service_pb2.ModelInfo, field: str, message: str
) -> None:
    (found,) = check_request(request_, model)
    assert found.field == f"generate_scene.{field}"
    with pytest.raises(ValueError, match=message):
        raise ValueError(found.description)


def test_a_draft_has_no_steps() -> None:
    request = of_quality(DRAFT)
    request.generate_scene.steps = 8
    (found,) = check_request(request, CAN)
    assert found.field == "generate_scene.steps"
    assert "omit steps" in found.description


def test_older_servers_pass_the_field_over() -> None:
    """They know no field 15, which stays with the unknown ones."""
    sent = of_quality(DRAFT).generate_scene
    numbers = {field.number: field.name for field in job_pb2.GenerateScene.DESCRIPTOR.fields}
    assert numbers[15] == "quality"
    again = job_pb2.GenerateScene.FromString(sent.SerializeToString())
    again.ClearField("quality")
    assert again.quality == job_pb2.SCENE_QUALITY_UNSPECIFIED  # what an older client's request says
    assert b"\x78\x01" in sent.SerializeToString()

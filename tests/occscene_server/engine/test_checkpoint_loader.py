"""A checkpoint as a server's model: what it says of itself, and jobs on it from the request to the last event."""

from __future__ import annotations

from pathlib import Path

import pytest
from occscene.codec import grid_from_message
from occscene.result_codec import occupancy_source
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.memory import advice_on_memory
from occscene_server.engine.pipeline_loader import LoadedPipeline, load_pipeline
from occscene_server.engine.task import decode_image, run_task
from occscene_server.engine.warm_up import small_request
from occscene_server.models.checkpoint_device import views_that_fit
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.weights import default_model
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit
from tests.occscene_server.requests import generate_request, mesh_request, predict_request, text_request

FEATURE = scene_service_pb2.ModelFeature


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    save_tiny_kit(folder, "sd")
    (folder / "checkpoint/README.md").write_text("---\nlicense: creativeml-openrail-m\n---\n")
    return folder


@pytest.fixture(scope="module")
def loaded(root: Path) -> LoadedPipeline:
    options = CheckpointOptions(controls=(f"depth={root / 'control'}:0.5",), draft="none")
    return load_pipeline(str(root / "checkpoint"), "cpu", options)


def events_of(loaded: LoadedPipeline, request: scene_service_pb2.SubmitJobRequest) -> list[job_pb2.JobEvent]:
    events: list[job_pb2.JobEvent] = []
    run_task(loaded.pipe, request, events.append, priors=loaded.priors)
    return events


@pytest.mark.slow
def test_a_checkpoint_says_what_it_is_and_what_it_can(loaded: LoadedPipeline) -> None:
    model = loaded.model
    assert (model.name, model.family, model.license) == ("checkpoint", "sd", "creativeml-openrail-m")
    assert (model.default_steps, model.default_text_guidance_scale, model.image_width) == (20, 7.0, 64)
    assert [(control.name, control.strength) for control in model.controls] == [("depth", 0.5)]
    assert FEATURE.MODEL_FEATURE_OBJECT_PROMPT in model.features
    assert FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY not in model.features
    assert list(model.taxonomies) == ["indoor"]
    assert not model.drafts


@pytest.mark.slow
def test_streets_are_painted_by_the_same_networks(loaded: LoadedPipeline) -> None:
    (other,) = loaded.others
    assert (other.model.name, list(other.model.taxonomies)) == ("checkpoint", ["outdoor"])
    outdoors = other.load()
    assert outdoors.pipe is not loaded.pipe
    assert outdoors.pipe.checkpoint is loaded.pipe.checkpoint  # type: ignore[union-attr]
    run_task(outdoors.pipe, small_request("outdoor"), lambda event: None, priors=outdoors.priors)


@pytest.mark.parametrize("request_of", [generate_request, mesh_request])
def test_a_job_goes_from_the_request_to_views_and_the_blockout(loaded: LoadedPipeline, request_of: type) -> None:
    request = request_of(steps=3, views=2, previews=True)
    events = events_of(loaded, request)
    kinds = [event.WhichOneof("kind") for event in events]
    assert kinds.count("view") == 2
    assert kinds[-2:] == ["occupancy", "succeeded"]
    assert kinds.count("preview") >= 2
    views = [decode_image(event.view.image) for event in events if event.HasField("view")]
    assert all(view.shape == (64, 64, 3) for view in views)
    occupancy = next(event.occupancy for event in events if event.HasField("occupancy"))
    assert occupancy_source(occupancy) == "blockout"
    assert grid_from_message(occupancy.grid).labels.any()
    again = [event.view.image.data for event in events_of(loaded, request) if event.HasField("view")]
    assert again == [event.view.image.data for event in events if event.HasField("view")]


def test_a_job_ends_within_a_step_when_it_is_cancelled(loaded: LoadedPipeline) -> None:
    events: list[job_pb2.JobEvent] = []

    def denoises() -> bool:
        return any(event.progress.phase == job_pb2.JOB_PHASE_DENOISING for event in events)

    run_task(loaded.pipe, generate_request(steps=50), events.append, denoises, loaded.priors)
    assert events[-1].HasField("cancelled")
    steps = [event.progress.step for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    assert steps == [1]


def test_what_it_cannot_do_is_refused_with_the_way_out(loaded: LoadedPipeline) -> None:
    with pytest.raises(ValueError, match=r"only the bundled model predicts occupancy.*--draft none"):
        events_of(loaded, predict_request())
    drafted = generate_request()
    drafted.generate_scene.quality = job_pb2.SCENE_QUALITY_DRAFT
    with pytest.raises(ValueError, match="only the bundled model draws drafts"):
        events_of(loaded, drafted)
    with pytest.raises(ValueError, match="send a blockout or a layout"):
        events_of(loaded, text_request())


def test_advice_on_memory_takes_no_trial(loaded: LoadedPipeline) -> None:
    advice = advice_on_memory(loaded.pipe, generate_request(), lambda: False)
    assert "64 x 64 pixels does not fit even alone" in advice
    assert "--consistency linked" in advice


def test_a_pass_has_as_many_views_as_fit() -> None:
    assert views_that_fit(10_000, 1_000, 16) == 9
    assert views_that_fit(10_000, 20_000, 16) == 1
    assert views_that_fit(10_000, 10, 16) == 16


def test_options_of_checkpoints_are_refused_for_a_model_of_the_projects_own() -> None:
    with pytest.raises(ValueError, match="takes no ControlNets"):
        load_pipeline(str(default_model()), "cpu", CheckpointOptions(sampler="euler"))


@pytest.mark.weights
@pytest.mark.slow
def test_the_bundled_model_drafts_and_the_checkpoint_paints(root: Path) -> None:
    options = CheckpointOptions(controls=(f"depth={root / 'control'}",))
    loaded = load_pipeline(str(root / "checkpoint"), "cpu", options)
    assert FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY in loaded.model.features
    events = events_of(loaded, generate_request(steps=5, views=2))
    progress = [event.progress for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    drafting = [each.drafting for each in progress]
    assert drafting == sorted(drafting, reverse=True)  # first the draft, then the painting
    assert True in drafting
    assert sum(not each for each in drafting) == 4  # of five steps one is skipped after a draft
    occupancy = next(event.occupancy for event in events if event.HasField("occupancy"))
    assert occupancy_source(occupancy) == "compact"
    assert grid_from_message(occupancy.grid).shape == (6, 5, 4)
    cancelled: list[job_pb2.JobEvent] = []
    run_task(
        loaded.pipe, generate_request(steps=5, views=1), cancelled.append,
        lambda: any(event.progress.drafting for event in cancelled), loaded.priors,
    )  # fmt: skip
    assert cancelled[-1].HasField("cancelled")
    assert all(event.progress.drafting for event in cancelled if event.progress.phase == job_pb2.JOB_PHASE_DENOISING)

"""Which of the bundled models runs a request, and what is said where none does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server import weights
from occscene_server.engine.model_info import describe_bundled, unknown_domain
from occscene_server.engine.pipeline_loader import LoadedPipeline, OnDemand, load_pipeline
from occscene_server.engine.served_models import ModelNotLoadedError, ServedModels
from occscene_server.engine.warm_up import small_request
from occscene_server.engine.worker import execute
from occscene_server.weights import bundled_models, default_model
from tests.occscene_server.stand_in import load_stand_in

CONFIG = json.loads((default_model() / "model_index.json").read_text(encoding="utf-8"))


def bundle(root: Path, taxonomy: str) -> Path:
    """A bundled model without its weights."""
    folder = root / f"compact-{taxonomy}"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps(CONFIG | {"taxonomy": taxonomy}), encoding="utf-8")
    return folder


def two_domains(load: Callable[[], LoadedPipeline]) -> ServedModels:
    first = load_stand_in("stand-in", "cpu")
    other = scene_service_pb2.ModelInfo(name="streets", taxonomies=["outdoor"])
    return ServedModels(replace(first, others=(OnDemand(other, load),)))


def test_the_other_model_is_loaded_once() -> None:
    loads: list[int] = []

    def load() -> LoadedPipeline:
        loads.append(1)
        return replace(load_stand_in("streets", "cpu"), model=served.models[1])

    served = two_domains(load)
    events: list[job_pb2.JobEvent] = []
    assert served.of(small_request("indoor"), events.append).model.name == "stand-in"
    assert not events
    assert [served.of(small_request("outdoor"), events.append).model.name for _ in range(2)] == ["streets"] * 2
    assert [(event.progress.model, event.progress.step) for event in events] == [("streets", 0), ("streets", 1)]
    assert len(loads) == 1


def test_a_model_that_cannot_be_loaded_costs_one_job() -> None:
    answers: list[BaseException | None] = [OSError("weights are missing"), MemoryError("no room"), None]

    def load() -> LoadedPipeline:
        if (error := answers.pop(0)) is not None:
            raise error
        return replace(load_stand_in("streets", "cpu"), model=served.models[1])

    served = two_domains(load)
    ends = []
    for _ in range(3):
        events: list[job_pb2.JobEvent] = []
        execute(served, "job", small_request("outdoor").SerializeToString(), events.append, lambda: False)
        ends.append(events[-1])
    assert [end.failed.failure.reason for end in ends[:2]] == ["MODEL_NOT_LOADED"] * 2
    assert "streets, of the domain outdoor, could not be loaded: weights are missing" in ends[0].failed.failure.message
    assert "too little memory" in ends[1].failed.failure.message
    assert ends[2].HasField("succeeded")


def test_the_way_out_depends_on_what_is_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_FOLDER", tmp_path)
    rooms = describe_bundled(bundle(tmp_path, "indoor"))
    assert "no model of that domain is bundled" in unknown_domain("outdoor", [rooms])
    with pytest.raises(ValueError, match="no model of the domain outdoor is bundled; give one with --model"):
        load_pipeline("", "cpu", taxonomy="outdoor")
    bundle(tmp_path, "outdoor")
    assert list(bundled_models()) == ["indoor", "outdoor"]
    text = unknown_domain("outdoor", [rooms])
    assert text == (
        "taxonomy is 'outdoor'; the model compact-indoor knows indoor; without --model both domains are run: "
        "occscene-server serve"
    )


@pytest.mark.weights
def test_a_bundled_model_is_described_before_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streets = bundle(tmp_path, "outdoor")
    folders = {"indoor": default_model(), "outdoor": streets}
    monkeypatch.setattr("occscene_server.engine.pipeline_loader.bundled_models", lambda: folders)
    loaded = load_pipeline("", "cpu")
    assert loaded.model == describe_bundled(default_model())
    (other,) = loaded.others
    assert (other.model.name, list(other.model.taxonomies)) == ("compact-outdoor", ["outdoor"])
    with pytest.raises(ModelNotLoadedError, match="compact-outdoor, of the domain outdoor"):
        ServedModels(loaded).of(small_request("outdoor"), lambda event: None)
    named = load_pipeline("compact-indoor", "cpu")
    assert (named.model, named.others) == (loaded.model, ())

"""A request run on a pipeline, in this process."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from occscene.codec import grid_from_message, grid_to_message
from occscene.layout import Layout, LayoutObject, LayoutRoom
from occscene.mesh import TriangleMesh
from occscene.mesh_codec import mesh_to_message
from occscene.taxonomy import INDOOR
from occscene.v1 import job_pb2
from occscene.volumes import default_volume
from scipy.spatial import ConvexHull

from occscene_server.engine import task
from occscene_server.engine.task import run_task
from occscene_server.geometry.layout_grid import layout_grid
from occscene_server.pipelines.scene_priors import ScenePriors
from tests.occscene_server.requests import generate_request, mesh_request, predict_request, sample_mesh
from tests.occscene_server.stand_in import StandInPipeline


@pytest.mark.parametrize("seconds_a_step", [0.001, 0.05, 0.1, 0.26, 2.0])
def test_at_most_four_previews_a_second(seconds_a_step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock moves with the steps; no two rounds of previews are closer than a quarter of a second."""
    now = 0.0
    rounds: list[float] = []

    def emit(event: job_pb2.JobEvent) -> None:
        nonlocal now
        if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
            now += seconds_a_step
        elif event.HasField("preview") and event.preview.view == 0:
            rounds.append(now)

    monkeypatch.setattr(task.time, "monotonic", lambda: now)
    run_task(StandInPipeline(), generate_request(steps=100, previews=True), emit)
    assert rounds
    assert all(later - earlier >= 0.25 for earlier, later in itertools.pairwise(rounds))
    assert len(rounds) == 99 or seconds_a_step < 0.25  # a slow model shows every step but the last


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_cancel_is_asked_for_before_and_after_every_step(polls: int) -> None:
    asked = itertools.count()
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), generate_request(steps=10), events.append, lambda: next(asked) == polls)
    assert events[-1].HasField("cancelled")
    assert sum(event.progress.phase == job_pb2.JOB_PHASE_DENOISING for event in events) == max(polls - 1, 0)
    assert not any(event.HasField("view") for event in events)


def test_mesh_and_words_reach_the_pipeline() -> None:
    pipe = StandInPipeline()
    run_task(pipe, mesh_request(steps=1), lambda event: None)
    assert pipe.meshes is not None
    np.testing.assert_array_equal(pipe.meshes.vertices, sample_mesh().vertices)
    np.testing.assert_array_equal(pipe.meshes.object_ids, sample_mesh().object_ids)
    assert {item.id: item.prompt for item in pipe.grid.objects if item.prompt} == {5: "a worn oak floor"}
    run_task(pipe, generate_request(steps=1), lambda event: None)
    assert pipe.meshes is None


def test_a_draft_takes_no_step_and_gives_what_it_shows() -> None:
    pipe, events = StandInPipeline(), []
    request = mesh_request()
    request.generate_scene.quality = job_pb2.SCENE_QUALITY_DRAFT
    run_task(pipe, request, events.append)
    phases = [event.progress.phase for event in events if event.HasField("progress")]
    assert phases == [job_pb2.JOB_PHASE_PREPARING, job_pb2.JOB_PHASE_ENCODING]
    assert pipe.num_timesteps == 0
    assert pipe.meshes is not None
    assert [event.WhichOneof("kind") for event in events[2:]] == ["view", "view", "occupancy", "succeeded"]
    blockout = grid_from_message(request.generate_scene.grid)
    shown = grid_from_message(next(event for event in events if event.HasField("occupancy")).occupancy.grid)
    np.testing.assert_array_equal(shown.labels, blockout.labels)


@pytest.mark.weights
def test_a_turned_box_gets_parts_in_its_exact_place() -> None:
    """With its triangles; voxels of 8 cm do not say how a box is turned."""
    table = LayoutObject("Cube", "table", (0.413, -0.284, 0.37), (1.43, 0.83, 0.74), turn=0.3)
    grid = layout_grid(Layout("indoor", LayoutRoom((4.02, 4.02, 2.6)), (table,)), default_volume("indoor"))
    number = next(item.id for item in grid.objects if item.name == "Cube")
    objects = tuple(replace(item, prompt="a dining table" * (item.id == number)) for item in grid.objects)
    corners = np.array(list(itertools.product((-0.5, 0.5), repeat=3))) * table.size @ table.axes.T + table.center
    hull = ConvexHull(corners)
    ids = np.full(len(hull.simplices), number, np.uint16)
    mesh = TriangleMesh(corners, hull.simplices, np.full(len(ids), INDOOR.index_of("table"), np.uint8), ids)
    request = generate_request(steps=1)
    request.generate_scene.grid.CopyFrom(grid_to_message(replace(grid, objects=objects)))
    request.generate_scene.mesh.CopyFrom(mesh_to_message(mesh, grid.volume))
    priors = ScenePriors.bundled("indoor")
    assert priors is not None
    seen: list[LayoutObject] = []
    refine = priors.parts.refine

    def watched(*arguments: Any, **options: Any) -> Any:
        finer, changed = refine(*arguments, **options)
        seen.append(changed[number])
        return finer, changed

    priors.parts.refine = watched  # type: ignore[method-assign]
    run_task(StandInPipeline(), request, lambda event: None, priors=priors)
    (found,) = seen
    np.testing.assert_allclose(found.center, table.center, atol=2e-4)
    np.testing.assert_allclose(sorted(found.size), sorted(table.size), atol=4e-4)
    assert abs((found.turn - table.turn + math.pi / 4) % (math.pi / 2) - math.pi / 4) < 5e-4
    assert found.parts


def test_cancelled_prediction_sends_no_occupancy() -> None:
    asked = itertools.count()
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), predict_request(), events.append, lambda: next(asked) == 1)
    assert events[-1].HasField("cancelled")
    assert not any(event.HasField("occupancy") for event in events)

"""The bundled model in a room that was modelled finer than boxes: nothing thin that was placed is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.taxonomy import INDOOR

from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.output import OccSceneOutput
from occscene_server.weights import default_model
from tests.occscene_server.detailed_room import detailed_room

pytestmark = pytest.mark.weights
MODELLED = ("table", "bars", "lamp pole", "pipe", "letters", "rail", *(f"chair {number}" for number in range(1, 5)))


@pytest.fixture(scope="module")
def pipe() -> OccScenePipeline:
    pipeline = OccScenePipeline.from_pretrained(str(default_model()))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def room() -> tuple[SemanticGrid, list[PinholeCamera]]:
    return detailed_room()


@pytest.fixture(scope="module")
def made(pipe: OccScenePipeline, room: tuple[SemanticGrid, list[PinholeCamera]]) -> OccSceneOutput:
    grid, cameras = room
    return pipe("a dining room with white walls and an oak floor", cameras, grid, num_inference_steps=4, seed=1)


def voxels_of(grid: SemanticGrid, name: str) -> NDArray[np.bool_]:
    (number,) = [item.id for item in grid.objects if item.name == name]
    assert grid.instances is not None
    mask: NDArray[np.bool_] = grid.instances == number
    assert mask.any()
    return mask


@pytest.mark.parametrize("name", MODELLED)
@pytest.mark.slow
def test_legs_poles_pipes_letters_and_rails_stay(
    room: tuple[SemanticGrid, list[PinholeCamera]], made: OccSceneOutput, name: str
) -> None:
    mask = voxels_of(room[0], name)
    np.testing.assert_array_equal(made.grid.labels[mask], room[0].labels[mask])


@pytest.mark.slow
def test_panes_get_no_slits(room: tuple[SemanticGrid, list[PinholeCamera]], made: OccSceneOutput) -> None:
    """At most a row at the rim of a pane is lost: from its first to its last voxel there is nothing between."""
    for name in ("window", "glass pane"):
        mask = voxels_of(room[0], name)
        left = mask & (made.grid.labels == INDOOR.index_of("window"))
        assert left.sum() >= 0.95 * mask.sum()
        across = int(np.argmin([len(np.unique(places)) for places in np.nonzero(mask)]))
        sheet = left.any(across)
        for rows in (sheet, sheet.T):
            between = np.maximum.accumulate(rows, 1) & np.maximum.accumulate(rows[:, ::-1], 1)[:, ::-1]
            np.testing.assert_array_equal(between, rows)


@pytest.mark.slow
def test_boxes_are_still_made_finer(room: tuple[SemanticGrid, list[PinholeCamera]], made: OccSceneOutput) -> None:
    shade = voxels_of(room[0], "lamp shade")
    assert (made.grid.labels[shade] == 0).any()


@pytest.mark.slow
def test_a_pole_that_views_do_not_show_goes(
    pipe: OccScenePipeline, room: tuple[SemanticGrid, list[PinholeCamera]], made: OccSceneOutput
) -> None:
    """The chairs, which they do show, stay."""
    grid, cameras = room
    assert grid.instances is not None
    labels, instances = grid.labels.copy(), grid.instances.copy()
    pole = np.zeros(grid.shape, bool)
    pole[40, 38, 1:28] = True
    assert not labels[pole].any()
    labels[pole], instances[pole] = INDOOR.index_of("objs"), 99
    blockout = replace(grid, labels=labels, instances=instances, objects=(*grid.objects, GridObject(99, "pole")))
    seen = pipe.predict_occupancy(made.images, cameras, blockout=blockout)
    assert not seen.labels[pole].any()
    for number in range(1, 5):
        chair = voxels_of(grid, f"chair {number}")
        np.testing.assert_array_equal(seen.labels[chair], grid.labels[chair])
    painted = pipe("a dining room", cameras, blockout, num_inference_steps=1, seed=1)
    assert painted.grid.labels[pole].all()

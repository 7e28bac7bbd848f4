"""Which of an artist's objects are boxes, which are flat, which were modelled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.grid import UNKNOWN, GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.placed_objects import PlacedObjects
from occscene_server.studio.room import Box
from occscene_server.studio.scene_grids import box_triangles
from tests.occscene_server.detailed_room import detailed_room


def objects_of(grid: SemanticGrid) -> PlacedObjects:
    tensors = GridTensors.from_grids([grid])
    assert tensors.instances is not None
    return PlacedObjects.find(tensors.labels[0], tensors.instances[0])


def names(grid: SemanticGrid, which: torch.Tensor) -> set[str]:
    rows = objects_of(grid).keys[which] // 256
    return {grid.objects[int(row) - 1].name for row in rows}


def test_a_detailed_room() -> None:
    grid, _ = detailed_room()
    objects = objects_of(grid)
    fine = {"table", "bars", "lamp pole", "pipe", "letters", "rail", "chair 1", "chair 2", "chair 3", "chair 4"}
    assert names(grid, objects.modelled) == fine
    assert {"window", "glass pane", "floor", "left wall"} <= names(grid, objects.flat)
    assert "lamp shade" not in names(grid, objects.modelled | objects.flat)


@pytest.mark.parametrize("seed", range(40))
def test_boxes_of_any_kind_are_not_modelled(seed: int) -> None:
    """One box, or a seat with a back, in any direction, of 0.32 to 2 m a side."""
    rng = np.random.default_rng(seed)
    side = rng.uniform(0.32, 2.0, 3)
    angle = float(rng.choice([0.0, rng.uniform(0, 6.3)]))
    boxes = [Box((2.4, 2.4, side[2] / 2), tuple(side), angle)]
    if rng.random() < 0.5:
        turned = np.array([-np.sin(angle), np.cos(angle)]) * (side[1] / 2 - 0.16)
        boxes.append(Box((2.4 + turned[0], 2.4 + turned[1], 0.6), (side[0], 0.32, 1.2), angle))
    item = TriangleObject("box", INDOOR.index_of("sofa"), box_triangles(tuple(boxes)))
    grid = voxelize([item], GridVolume((60, 60, 36), 0.08, np.eye(4)), INDOOR)
    objects = objects_of(grid)
    assert not objects.modelled.any()
    assert not objects.flat.any()


def test_what_is_no_object_is_neither_flat_nor_modelled() -> None:
    labels, rows = torch.zeros(2, 12, 12, 12, dtype=torch.uint8)
    labels[2, 2], labels[5, :, :] = 5, 4
    labels[8, 2], rows[8, 2] = UNKNOWN, 1
    rows = rows.int()
    for instances in (None, rows):
        objects = PlacedObjects.find(labels, instances)
        assert not (objects.modelled | objects.flat).any()
    rows[2, 2], rows[5] = 2, 3
    objects = PlacedObjects.find(labels, rows)
    assert objects.keys[objects.modelled].tolist() == [2 * 256 + 5]
    assert objects.keys[objects.flat].tolist() == [3 * 256 + 4]


def test_places_and_means() -> None:
    labels = torch.zeros(9, 8, 7, dtype=torch.uint8)
    labels[1:4, 2:7, 3:5] = 7
    values = torch.rand(9, 8, 7, generator=torch.Generator().manual_seed(0))
    objects = PlacedObjects.find(labels, None)
    index = int((objects.classes == 7).nonzero())
    assert objects.box(index) == (slice(1, 4), slice(2, 7), slice(3, 5))
    torch.testing.assert_close(objects.mean(values)[index], values[1:4, 2:7, 3:5].mean())
    highest = objects.highest_of_layers(values)[1][:, index]
    torch.testing.assert_close(highest[2:7], values[1:4, 2:7, 3:5].amax((0, 2)))
    assert (highest[[0, 1, 7]] == -1).all()

"""What objects are called, and which words of a prompt are theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occscene.grid import GridObject, SemanticGrid

from occscene_server.pipelines.guided_decoding import scene_words


def test_names_that_say_nothing_are_told_by_their_class(grid: SemanticGrid) -> None:
    names = ("Cube.001", "", "Plane", "Armchair.002")
    objects = tuple(GridObject(number, name) for number, name in enumerate(names, start=1))
    instances = np.array(grid.instances)
    instances[4, 4, 1:5] = 2
    instances[5, 4, 1:5] = 4
    words = scene_words("a room", replace(grid, instances=instances, objects=objects))
    assert words.names == ["sofa", "sofa", "plane", "armchair"]  # of the plane there is no voxel
    assert words.phrases == [""] * 4


@pytest.mark.parametrize("name", ["Sofa", "SM_Sofa_01", "big sofa", "GEO-sofa.001", "Cube", "Canapé", "asset_12"])
def test_what_a_prompt_says_reaches_objects_whatever_they_are_called(grid: SemanticGrid, name: str) -> None:
    instances = np.array(grid.instances)
    instances[4, 4, 1:5] = 1
    instances[5, 4, 1:5] = 2
    objects = GridObject(1, name), GridObject(2, name, prompt="a velvet one")
    words = scene_words("white walls, a mustard sofa", replace(grid, instances=instances, objects=objects))
    assert words.phrases == ["a mustard sofa", "a velvet one"]

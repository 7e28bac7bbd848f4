"""What cameras look through, in the axes of a layout that stands anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.rigid import looking_at

from occscene_server.geometry.layout_rules import SIGHT
from occscene_server.pipelines.layout_composition import sights


def test_the_box_lies_before_the_camera_whichever_way_the_layout_stands() -> None:
    eye, target = np.array([3.0, 1.0, 1.5]), np.array([3.0, 4.0, 0.9])
    camera = PinholeCamera("c", 64, 64, 50.0, 50.0, 32.0, 32.0, looking_at(eye, target))
    layout = np.eye(4)
    layout[:3, :3] = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]  # its x is the world's y
    layout[:3, 3] = 2.0, 0.0, 0.1
    (box,) = sights([camera], layout)
    middle = layout @ [*box.center, 1.0]
    np.testing.assert_allclose(middle[:3], eye + np.array([0.0, SIGHT[1] / 2, 0.0]), atol=1e-9)
    assert box.size == SIGHT
    assert math.cos(2 * box.turn) == pytest.approx(-1.0), "its depth lies along the layout's x"

"""Faces of several objects in one place are shown in one order, whatever rounding says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.rigid import Float64Array
from occscene.taxonomy import INDOOR

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.coplanar import MAX_LAYERS, find_contested
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from tests.occscene_server.geometry.random_scenes import looking_at

SIZE = (64, 64)
_SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
_FANS = np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]])

Box = tuple[str, tuple[float, float, float], tuple[float, float, float]]


def _mesh(boxes: list[Box], turn: Float64Array, noise: float = 0.0, seed: int = 0) -> TriangleMesh:
    """Boxes by class, lowest and highest corner; id i + 1 is entry i; triangles in any order, corners off by noise."""
    rng = np.random.default_rng(seed)
    corners = np.array(list(product((0, 1), repeat=3)))
    vertices = [np.where(corners, high, low) for _, low, high in boxes]
    triangles = np.concatenate([_FANS + 8 * index for index in range(len(boxes))])
    ids = np.repeat(np.arange(1, len(boxes) + 1, dtype=np.uint16), len(_FANS))
    labels = np.array([INDOOR.index_of(name) for name, _, _ in boxes], np.uint8)[ids - 1]
    order = rng.permutation(len(triangles))
    placed = np.concatenate(vertices).astype(float)
    placed = (placed + rng.uniform(-noise, noise, placed.shape)) @ turn.T
    return TriangleMesh(placed, triangles[order], labels[order], ids[order])


def _objects(boxes: list[Box], mesh: TriangleMesh, turn: Float64Array) -> torch.Tensor:
    """Which box each pixel of a camera shows that stands in front of the wall's middle, toward -y."""
    return _draw(boxes, mesh, turn).objects[0, 0]


def _draw(boxes: list[Box], mesh: TriangleMesh, turn: Float64Array) -> GBuffer:
    table = tuple(GridObject(number, "") for number in range(1, len(boxes) + 1))
    grid = SemanticGrid(np.zeros((4, 4, 4), np.uint8), 1.0, np.eye(4), "indoor", np.zeros((4, 4, 4), np.uint16), table)
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose = pose @ looking_at((2.13, -2.0, 1.31), (2.0, 1.0, 1.2))
    camera = PinholeCamera("a", 64, 64, 60.0, 60.0, 32.0, 32.0, pose)
    return mesh_gbuffer([RayScene(mesh, grid)], CameraTensors.from_cameras([[camera]]), SIZE)


def _turned(degrees: float) -> Float64Array:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])


def _alone(boxes: list[Box], index: int, turn: Float64Array) -> torch.Tensor:
    """Where box `index` is seen if it stands in front of everything."""
    return _objects([boxes[index]], _mesh([boxes[index]], turn), turn) > 0


WALL: Box = ("wall", (0, 0, 0), (4, 0.2, 2.5))
WINDOW: Box = ("window", (1.2, 0, 0.9), (2.4, 0.2, 2.0))


@pytest.mark.parametrize("degrees", [0.0, 30.0, 45.0, 90.0, 137.3])
@pytest.mark.parametrize("noise", [0.0, 0.0001])
def test_a_window_is_shown_in_a_wall_as_thick_as_it(degrees: float, noise: float) -> None:
    for seed, boxes in enumerate(([WALL, WINDOW], [WINDOW, WALL])):
        turn = _turned(degrees)
        objects = _objects(boxes, _mesh(boxes, turn, noise, seed), turn)
        window = boxes.index(WINDOW)
        front = _alone(boxes, window, turn)
        right = objects[front] == window + 1
        # of a window whose corners are off by noise a pixel at its edge may miss
        assert right.float().mean() >= (1.0 if noise == 0 else 0.97)
        assert not (objects[~front] == window + 1).any() or noise


def test_of_one_class_the_smaller_is_shown_and_of_twins_the_later() -> None:
    turn = _turned(20.0)
    boxes: list[Box] = [
        ("objs", (1.5, 0, 1.0), (2.0, 0.2, 1.5)),
        WALL,
        ("objs", (1.0, 0, 0.5), (3.0, 0.2, 2.2)),
        ("objs", (1.5, 0, 1.0), (2.0, 0.2, 1.5)),
        WINDOW,
    ]
    for seed in range(4):
        objects = _objects(boxes, _mesh(boxes, turn, seed=seed), turn)
        small, large = _alone(boxes, 0, turn), _alone(boxes, 2, turn)
        assert (objects[small] == 4).all()
        assert (objects[large & ~small] == 3).all()
        assert not (objects == 1).any()


def test_what_stands_two_millimetres_proud_is_shown_and_keeps_its_own_depth() -> None:
    turn = _turned(0.0)
    boxes: list[Box] = [WALL, ("wall", (0.5, -0.002, 0.5), (3.5, 0.2, 2.2)), WINDOW]
    maps = _draw(boxes, _mesh(boxes, turn), turn)
    proud = _alone(boxes, 1, turn)
    assert (maps.objects[0, 0][proud] == 2).all()
    alone = _draw([boxes[1]], _mesh([boxes[1]], turn), turn)
    torch.testing.assert_close(maps.depth[0, 0][proud], alone.depth[0, 0][proud])


def test_the_winner_brings_its_own_class_and_place() -> None:
    turn = _turned(0.0)
    boxes = [WALL, WINDOW]
    maps = _draw(boxes, _mesh(boxes, turn), turn)
    front = _alone(boxes, 1, turn)
    assert (maps.labels[0, 0][front] == INDOOR.index_of("window")).all()
    alone = _draw([WINDOW], _mesh([WINDOW], turn), turn)
    torch.testing.assert_close(maps.surface[0, 0][:, front], alone.surface[0, 0][:, front], atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.depth[0, 0][front], alone.depth[0, 0][front])


def test_thousands_of_tiles_flush_with_one_floor_are_found() -> None:
    side = 60
    floor = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float) * side * 2
    x, y = (values.ravel() for values in np.mgrid[:side, :side])
    tiles = np.stack([x, y, np.zeros_like(x)], axis=1)[:, None] + np.array([[0, 0, 0], [0.9, 0, 0], [0, 0.9, 0]])
    corners = np.concatenate([tiles, floor[None]])
    normal = np.tile([0.0, 0.0, 1.0], (len(corners), 1))
    order = np.append(np.arange(1, len(corners)), 0)
    found = find_contested(corners, normal, order)
    assert found.covered.tolist() == [False] * side**2 + [True]
    assert found.layer.tolist() == [1] * side**2 + [0]


def test_of_very_many_faces_in_one_place_few_are_told_apart() -> None:
    count = 1000
    corners = np.tile([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]], (count, 1, 1))
    found = find_contested(corners, np.tile([0.0, 0.0, 1.0], (count, 1)), np.arange(count))
    assert found.layer.max() == MAX_LAYERS

"""Leaves: the same wherever a plant stands, on whatever is thick and green."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.part_shapes import part_shape, triangulated
from occscene.taxonomy import INDOOR, OUTDOOR

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.leaves import leaves_of, leaves_on, share_of_leaves
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from tests.occscene_server.geometry.random_scenes import looking_at

Floats = NDArray[np.float64]

VEGETATION, BUILDING = OUTDOOR.index_of("vegetation"), OUTDOOR.index_of("building")


def _body(kind: str = "ellipsoid", size: tuple[float, float, float] = (4.0, 4.0, 5.0)) -> Floats:
    """(T, 3, 3) of a body 10 m away from the origin."""
    vertices, faces = part_shape(kind, np.array(size))
    return vertices[triangulated(faces)] + (10.0, 0.0, 3.0)


def _apart(leaves: Floats, other: Floats) -> float:
    """Metres between the leaves' middles, as far as these are the same ones."""
    return float(np.abs(leaves.mean(1) - other.mean(1)).max())


def test_a_crown_is_covered_with_small_leaves() -> None:
    body = _body()
    leaves = leaves_on(body)
    assert 800 < len(leaves.seat) < 2000
    middle = (10.0, 0.0, 3.0)
    away = np.linalg.norm((leaves.corners.mean(1) - middle) / (2.0, 2.0, 2.5), axis=1)
    assert 0.9 < away.min() < 0.98, "some lie within"
    assert 1.05 < away.max() < 1.25, "others make the outline ragged"
    octants = np.unique((leaves.corners.mean(1) > middle) @ (1, 2, 4), return_counts=True)[1]
    assert len(octants) == 8
    assert octants.max() < 1.2 * octants.min(), "evenly"
    sizes = np.ptp(leaves.corners, axis=1).max(1)
    assert 0.05 < sizes.min() < sizes.max() < 0.5


def test_leaves_move_and_turn_with_their_plant() -> None:
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    body = _body()
    moved = leaves_on(body @ turn.T + (30.0, -7.0, 1.0))
    assert _apart(moved.corners, leaves_on(body).corners @ turn.T + (30.0, -7.0, 1.0)) < 1e-6


def test_rounded_places_change_few_leaves() -> None:
    """Stored triangles are rounded to some millimetres."""
    body = _body()
    leaves, rounded = leaves_on(body), leaves_on(np.round(body / 0.0025) * 0.0025)
    before, after = (dict(zip(map(tuple, place), x, strict=True)) for place, x in (
        (_numbered(leaves.seat), leaves.corners), (_numbered(rounded.seat), rounded.corners)))  # fmt: skip
    both = before.keys() & after.keys()
    assert len(both) > 0.98 * max(len(before), len(after))
    assert _apart(np.stack([before[key] for key in both]), np.stack([after[key] for key in both])) < 0.02


def _numbered(seat: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The seat of each leaf with its number on it."""
    first = np.searchsorted(seat, seat)
    return list(zip(seat.tolist(), (np.arange(len(seat)) - first).tolist(), strict=True))


@pytest.mark.parametrize(
    ("kind", "size", "grows"),
    [
        ("box", (8.0, 0.7, 1.2), True),  # a hedge
        ("ellipsoid", (1.2, 1.2, 1.0), True),  # a bush
        ("rod", (0.1, 0.1, 4.0), False),  # a branch
        ("blade", (0.3, 0.02, 0.6), False),  # a leaf that was modelled
        ("box", (20.0, 20.0, 0.05), False),  # a lawn
    ],
)
def test_only_thick_bodies_bear_leaves(kind: str, size: tuple[float, float, float], grows: bool) -> None:
    assert (len(leaves_on(_body(kind, size)).seat) > 100) is grows


def test_a_flat_or_empty_body_bears_none() -> None:
    assert len(leaves_on(np.zeros((5, 3, 3))).seat) == 0
    assert len(leaves_on(np.zeros((0, 3, 3))).seat) == 0


def test_only_vegetation_of_streets_bears_leaves() -> None:
    corners = np.concatenate([_body(), _body() + 20.0])
    half = len(corners) // 2
    labels = np.repeat(np.array([VEGETATION, BUILDING], np.uint8), half)
    ids = np.repeat(np.array([3, 9], np.uint16), half)
    leaves = leaves_of(OUTDOOR.name, labels, ids, corners)
    assert len(leaves.seat) > 1000
    assert leaves.seat.max() < half
    assert not len(leaves_of(INDOOR.name, labels, ids, corners).seat)


def test_a_forest_has_no_more_than_a_scene_can_bear() -> None:
    bodies = [np.add(_body(), (5.0 * row, 0.0, 0.0)) for row in range(120)]
    corners = np.concatenate(bodies)
    ids = np.repeat(np.arange(1, 121, dtype=np.uint16), len(bodies[0]))
    leaves = leaves_of(OUTDOOR.name, np.full(len(corners), VEGETATION, np.uint8), ids, corners)
    assert 175_000 < len(leaves.seat) < 185_000
    alone = leaves_on(bodies[0])
    grown = leaves.corners[leaves.seat < len(bodies[0])]
    covers = [
        len(each) * np.linalg.norm(each[:, 0] - each[:, 1], axis=1).mean() ** 2 for each in (alone.corners, grown)
    ]
    assert covers[1] == pytest.approx(covers[0], rel=0.15), "fewer, but larger ones"
    assert share_of_leaves(bodies) == pytest.approx(180_000 / 120 / len(alone.seat), rel=0.02)


def test_leaves_are_seen_as_what_they_grow_on() -> None:
    body = _body(size=(4.0, 4.0, 4.0))
    ids = np.full(len(body), 7, np.uint16)
    mesh = TriangleMesh(
        body.reshape(-1, 3), np.arange(body.size // 3).reshape(-1, 3), np.full(len(body), VEGETATION, np.uint8), ids
    )
    grid = SemanticGrid(
        np.zeros((8, 8, 8), np.uint8), 0.2, np.eye(4), OUTDOOR.name, np.zeros((8, 8, 8), np.uint16),
        (GridObject(7, "tree"),),
    )  # fmt: skip
    pose = looking_at((0.0, 0.0, 3.0), (10.0, 0.0, 3.0))
    camera = PinholeCamera("c", 128, 128, 160.0, 160.0, 64.0, 64.0, pose)
    buffer = mesh_gbuffer([RayScene(mesh, grid)], CameraTensors.from_cameras([[camera]]), (128, 128))
    seen = torch.isfinite(buffer.depth[0, 0])
    assert buffer.labels[0, 0][seen].unique().tolist() == [VEGETATION]
    assert buffer.objects[0, 0][seen].unique().tolist() == [1]
    parts = buffer.parts[0, 0][seen]
    assert float((parts > 1).float().mean()) > 0.45, "half of what is seen are leaves"
    assert len(parts.unique()) > 300, "each is a part of its own"
    y, x = torch.meshgrid(torch.arange(128) - 63.5, torch.arange(128) - 63.5, indexing="ij")
    outside = (x**2 + y**2).sqrt() > 160 * 2.0 / np.sqrt(10.0**2 - 2.0**2) + 0.5
    assert int((seen & outside).sum()) > 100, "they stand out from the ball"
    normal = buffer.normal[0, 0][:, seen]
    assert torch.allclose(normal.norm(dim=0), torch.ones(normal.shape[1]), atol=1e-4)


def test_no_leaf_hides_all_from_a_camera_beside_a_crown() -> None:
    body = _body("box", (4.0, 4.0, 4.0))
    vertices = body.reshape(-1, 3)
    count = len(body)
    mesh = TriangleMesh(
        vertices,
        np.arange(3 * count).reshape(-1, 3),
        np.full(count, VEGETATION, np.uint8),
        np.ones(count, np.uint16),
    )
    labels = np.zeros((100, 100, 40), np.uint8)
    grid = SemanticGrid(labels, 0.2, np.eye(4), "outdoor", labels.astype(np.uint16), (GridObject(1, "hedge"),))
    scene = RayScene(mesh, grid)
    leaves = leaves_on(body).corners
    nearest = []
    for leaf in leaves[::40]:
        middle = leaf.mean(0)
        normal = np.cross(leaf[1] - leaf[0], leaf[2] - leaf[0])
        normal /= np.linalg.norm(normal)
        position = middle + 0.05 * normal
        camera = PinholeCamera("c", 64, 64, 48.0, 48.0, 32.0, 32.0, looking_at(tuple(position), tuple(middle)))
        buffer = mesh_gbuffer([scene], CameraTensors.from_cameras([[camera]]), (64, 64))
        seen = buffer.depth[buffer.depth.isfinite() & (buffer.materials > 0)]
        nearest.append(float(seen.min()) if len(seen) else np.inf)
    assert len(nearest) > 20
    assert min(nearest) > 0.49
    assert np.isfinite(nearest).any(), "leaves farther off are seen"

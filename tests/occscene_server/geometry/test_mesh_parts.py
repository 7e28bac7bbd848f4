"""The parts of meshes: who belongs together, and what each part is like."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.mesh import TriangleMesh

from occscene_server.geometry.mesh_parts import PART_FACTS, MeshParts, mesh_parts
from tests.occscene_server.training.test_decoder_stage import box

TOP = ((0.0, 0.0, 0.7), (1.6, 0.8, 0.75))
LEGS = [((x, y, 0.0), (x + 0.06, y + 0.06, 0.7)) for x in (0.02, 1.52) for y in (0.02, 0.72)]


def table(turn: float = 0.0, welded: bool = True) -> TriangleMesh:
    """A top and four legs that touch it, next to a crate that is another object."""
    vertices, triangles, ids = [], [], []
    for number, (low, high) in [(1, TOP), *((1, leg) for leg in LEGS), (2, ((3.0, 0.0, 0.0), (4.0, 1.0, 1.0)))]:
        corners, faces = box(low, high)
        triangles.append(faces + sum(map(len, vertices)))
        vertices.append(corners)
        ids.append(np.full(len(faces), number, np.uint16))
    points, faces, objects = np.concatenate(vertices), np.concatenate(triangles), np.concatenate(ids)
    cosine, sine = np.cos(turn), np.sin(turn)
    points = points @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    if not welded:
        points, faces = points[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3)
    return TriangleMesh(points, faces, np.full(len(faces), 8, np.uint8), objects)


def parts_of(mesh: TriangleMesh) -> MeshParts:
    return mesh_parts(mesh, mesh.vertices[mesh.triangles])


@pytest.mark.parametrize("welded", [True, False])
def test_tops_legs_and_crates_are_parts_of_their_own(welded: bool) -> None:
    parts = parts_of(table(welded=welded))
    own = parts.number.reshape(6, 12)
    assert (own == own[:, :1]).all()
    assert own[:, 0].tolist() == [0, 1, 2, 3, 4, 0]  # the crate is another object


def test_legs_are_alike_and_unlike_the_top_however_the_table_is_turned() -> None:
    facts = parts_of(table()).facts.reshape(6, 12, PART_FACTS)[:, 0]
    np.testing.assert_allclose(facts[1:5], facts[1:2].repeat(4, 0), atol=1e-5)
    assert np.abs(facts[0] - facts[1]).max() > 0.3
    assert np.abs(facts).max() < 2
    np.testing.assert_allclose(parts_of(table(0.7)).facts.reshape(6, 12, PART_FACTS)[:, 0], facts, atol=1e-4)


def test_height_is_within_the_object_and_sizes_are_of_the_surface() -> None:
    facts = parts_of(table()).facts.reshape(6, 12, PART_FACTS)[:, 0]
    assert facts[:, 3] == pytest.approx([2 * 0.725 / 0.75 - 1, *[2 * 0.35 / 0.75 - 1] * 4, 0.0], abs=1e-5)
    # of a cube's surface the coordinates have the variance (1/12 + 1/12 + 1/4) / 3
    deviation = np.sqrt((1 / 12 + 1 / 12 + 1 / 4) / 3)
    assert facts[5, :3] == pytest.approx([np.log2(deviation + 0.004) / 4 + 1] * 3, abs=1e-4)


def test_objects_that_share_vertices_are_apart() -> None:
    points, faces = box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    mesh = TriangleMesh(points, faces, np.ones(12, np.uint8), np.repeat(np.array([1, 2], np.uint16), (4, 8)))
    parts = parts_of(mesh)
    assert not parts.number.any()
    assert np.ptp(parts.facts[:4], axis=0).max() == np.ptp(parts.facts[4:], axis=0).max() == 0
    assert (parts.facts[0, :3] != parts.facts[4, :3]).any()


@pytest.mark.parametrize("welded", [True, False])
def test_an_object_has_the_same_parts_whatever_else_is_in_the_scene(welded: bool) -> None:
    mesh = table(welded=welded)
    own = mesh.object_ids == 2
    alone = TriangleMesh(mesh.vertices, mesh.triangles[own], mesh.labels[own], mesh.object_ids[own])
    seen, whole = parts_of(alone), parts_of(mesh)
    np.testing.assert_array_equal(seen.number, whole.number[own])
    np.testing.assert_array_equal(seen.facts, whole.facts[own])


@pytest.mark.parametrize("welded", [True, False])
def test_corners_are_where_they_were_and_those_of_an_object_in_one_place_are_one(welded: bool) -> None:
    mesh = table(welded=welded)
    parts = parts_of(mesh)
    np.testing.assert_array_equal(parts.vertices[parts.triangles], mesh.vertices[mesh.triangles])
    assert len(parts.vertices) == 6 * 8


def test_a_mesh_of_nothing_has_no_parts() -> None:
    empty = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0, np.uint8), np.zeros(0, np.uint16))
    assert parts_of(empty).facts.shape == (0, PART_FACTS)

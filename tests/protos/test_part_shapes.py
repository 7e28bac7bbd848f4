"""The shapes of parts: closed, outward, within their box, and the triangles that the parts prior was trained with."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from occscene.layout import PART_KINDS
from occscene.part_shapes import part_shape, rotations, triangulated
from scipy.spatial.transform import Rotation

TRAINED = [
    ("box", (0.8, 0.3, 0.5), 12, 1.58, 0.12, 4.80000764543),
    ("rounded box", (0.8, 0.3, 0.5), 300, 1.46547480887, 0.11769638506, 99.2755491646),
    ("cushion", (0.8, 0.3, 0.5), 432, 0.981551048967, 0.0718799160368, 76.8842583818),
    ("ellipsoid", (0.8, 0.3, 0.5), 432, 0.851790134347, 0.0609760835423, 69.5630547671),
    ("cylinder", (0.8, 0.3, 0.5), 60, 0.922470846976, 0.0535756805311, 10.6573195319),
    ("rod", (0.8, 0.3, 0.5), 60, 0.922470846976, 0.0535756805311, 10.6573195319),  # a wheel is as round as a cylinder
    ("blade", (0.8, 0.3, 0.5), 20, 0.752699112063, 0.033, 4.62764287396),
    ("curtain", (0.8, 0.3, 0.5), 388, 3.45824298725, 0.004, 80.6537065186),
    ("box", (0.03, 1.7, 0.06), 12, 0.3096, 0.00306, -7.02395292964),
    ("rounded box", (0.03, 1.7, 0.06), 300, 0.263085583101, 0.0027018896726, -175.320331527),
    ("cushion", (0.03, 1.7, 0.06), 432, 0.22067513136, 0.00183293785894, -83.8588476071),
    ("ellipsoid", (0.03, 1.7, 0.06), 432, 0.191197561021, 0.00155489013033, -68.5244225522),
    ("cylinder", (0.03, 1.7, 0.06), 60, 0.20574493642, 0.00136617985354, -8.0992786854),
    ("rod", (0.03, 1.7, 0.06), 28, 0.2009578526, 0.00126218560442, -4.31909778418),
    ("blade", (0.03, 1.7, 0.06), 20, 0.166248595146, 0.0008415, -5.86053207823),
    ("curtain", (0.03, 1.7, 0.06), 100, 0.55304016275, 1.8e-05, -14.0783965782),
]
"""Of each kind and size with a taper of 0.5, turned and moved: how many triangles, their area, the volume inside, and
the sum of the cubes of all coordinates."""

LENGTHS = st.floats(0.002, 20.0)


@pytest.mark.parametrize(("kind", "size", "count", "area", "volume", "cubes"), TRAINED)
def test_triangles_are_those_of_training(
    kind: str, size: tuple[float, float, float], count: int, area: float, volume: float, cubes: float
) -> None:
    vertices, faces = part_shape(kind, np.array(size), 0.5)
    turn = rotations(np.array([[0.9, 0.1, 0.3, -0.2]]))[0]
    triangles = (vertices @ turn.T + (0.3, -0.2, 0.1))[triangulated(faces)]
    a, b, c = triangles.transpose(1, 0, 2)
    assert len(triangles) == count
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == pytest.approx(area, rel=1e-9)
    assert np.einsum("ti,ti->", a, np.cross(b, c)) / 6 == pytest.approx(volume, rel=1e-9)
    assert (triangles**3).sum() == pytest.approx(cubes, rel=1e-9)


@given(st.sampled_from(PART_KINDS), st.tuples(LENGTHS, LENGTHS, LENGTHS), st.floats(0.05, 20.0))
def test_shapes_are_closed_and_stay_in_their_box(kind: str, size: tuple[float, float, float], taper: float) -> None:
    vertices, faces = part_shape(kind, np.array(size), taper)
    assert (np.abs(vertices) <= np.array(size) / 2 * (1 + 1e-9)).all()
    edges = Counter((face[i], face[(i + 1) % len(face)]) for face in faces for i in range(len(face)))
    assert set(edges.values()) == {1}
    assert {(b, a) for a, b in edges} == set(edges)
    a, b, c = vertices[triangulated(faces)].transpose(1, 0, 2)
    assert np.einsum("ti,ti->", a, np.cross(b, c)) > 0  # outwards


def test_rotations_are_those_of_quaternions() -> None:
    quaternions = np.random.default_rng(3).normal(size=(20, 4))
    expected = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(rotations(quaternions), expected, atol=1e-12)

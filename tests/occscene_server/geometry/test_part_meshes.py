"""Meshes of two sources in one: all triangles of a class from one of them, everything else from the other."""

from __future__ import annotations

import numpy as np
from occscene.mesh import TriangleMesh

from occscene_server.geometry.part_meshes import with_classes_of


def mesh(labels: list[int], shift: float) -> TriangleMesh:
    """A triangle for each label, whose corners lie apart from all others."""
    vertices = np.arange(9.0 * len(labels)).reshape(-1, 3) + shift
    triangles = np.arange(len(vertices)).reshape(-1, 3)
    ids = np.arange(1, len(labels) + 1).astype(np.uint16)
    return TriangleMesh(vertices, triangles, np.array(labels, np.uint8), ids, vertices / 2)


def test_one_class_comes_from_the_other_mesh() -> None:
    boxes, true = mesh([3, 5, 3], 0.0), mesh([5, 4, 5], 1000.0)
    joined = with_classes_of(boxes, true, [5])
    np.testing.assert_array_equal(joined.labels, [3, 3, 5, 5])
    np.testing.assert_array_equal(joined.object_ids, [1, 3, 1, 3])
    corners = joined.vertices[joined.triangles]
    np.testing.assert_array_equal(corners[:2], boxes.vertices[boxes.triangles[[0, 2]]])
    np.testing.assert_array_equal(corners[2:], true.vertices[true.triangles[[0, 2]]])
    assert joined.surface is not None
    np.testing.assert_array_equal(joined.surface[joined.triangles], corners / 2)

"""The triangles of parts, and the half-spaces that bound them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.layout import PART_KINDS
from occscene.part_shapes import part_shape, triangulated

from occscene_server.geometry.solids import BOX, CURTAIN, WALLS, Floats, Ints, Solids


def solid_triangles(solids: Solids) -> tuple[Floats, Ints]:
    """Triangles (T, 3, 3) of all parts along the object's axes, counter-clockwise from outside, and whose they are."""
    triangles, owner = [np.zeros((0, 3, 3))], [np.zeros(0, np.int64)]
    for row in range(len(solids)):
        vertices, faces = part_shape(PART_KINDS[solids.kind[row]], solids.size[row], float(solids.taper[row]))
        placed = vertices @ solids.axes[row].T + solids.center[row]
        corners = triangulated(faces)
        triangles.append(placed[corners])
        owner.append(np.full(len(corners), row))
    return np.concatenate(triangles), np.concatenate(owner)


def face_planes(kind: int, size: Floats, taper: float) -> tuple[Floats, Floats]:
    """Half-spaces (F, 3) and (F,) whose intersection a part is, about its middle: n . p <= d.

    Curtains and walls are their boxes.
    """
    vertices, faces = part_shape(PART_KINDS[BOX if kind in (CURTAIN, *WALLS) else kind], size, taper)
    a, b, c = vertices[triangulated(faces)].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    real: NDArray[np.bool_] = length > 1e-12
    normal = normal[real] / length[real, None]
    # the two triangles of a bent quad would cut each other's corners: each plane is moved to the outermost vertex
    return normal, (vertices @ normal.T).max(0)

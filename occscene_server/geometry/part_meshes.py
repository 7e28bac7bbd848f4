"""Meshes of blockouts whose objects are made of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.facade_shapes import facade_boxes
from occscene.grid import SemanticGrid
from occscene.layout import PART_KINDS, LayoutObject
from occscene.mesh import TriangleMesh
from occscene.taxonomy import TAXONOMIES

from occscene_server.geometry.materials import known_materials, material_rows
from occscene_server.geometry.road_markings import with_markings
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.solids import BLADE, CURTAIN, ROD, WALLS, Floats, Ints, Solids
from occscene_server.geometry.surface_frames import pattern_shift, surface_corners

_OF_PIECES = {"pane": None, "frame": "painted", "door": "painted"}
"""Materials of what fills the openings of a wall; panes are those of dark rooms or of lit ones."""
_LIT_ROOMS = 0.35
"""Share of a house's windows that are lit after dusk."""
_PEOPLE = ("person", "bicyclist", "motorcyclist")


def mesh_with_parts(mesh: TriangleMesh, grid: SemanticGrid, objects: Mapping[int, LayoutObject]) -> TriangleMesh:
    """A mesh in which objects consist of their parts, each with the texture frame of its kind and its material, and
    roads are marked.

    Args:
        mesh: of the blockout.
        grid: of the same scene.
        objects: by id, in the world's axes, as `BlockoutParts.refine` returns them; one without parts stays as it is.
    """
    with_parts = {number: obj for number, obj in objects.items() if obj.parts}
    kept = ~np.isin(mesh.object_ids, list(with_parts))
    corners, surface = [mesh.vertices[mesh.triangles[kept]]], [surface_corners(mesh, grid)[kept]]
    labels, ids, materials = [mesh.labels[kept]], [mesh.object_ids[kept]], [known_materials(mesh)[kept]]
    for number, obj in with_parts.items():
        solids = Solids.of_layout(obj.parts)
        triangles, owner = solid_triangles(solids)
        corners.append(triangles @ obj.axes.T + obj.center)
        surface.append(_part_surface(solids, triangles, owner))
        label = TAXONOMIES[grid.taxonomy].index_of(obj.class_name)
        labels.append(np.full(len(triangles), label, np.uint8))
        ids.append(np.full(len(triangles), number, np.uint16))
        materials.append(_part_materials(solids, owner, obj.class_name, number))
    vertices = np.concatenate(corners).reshape(-1, 3)
    parted = TriangleMesh(
        vertices,
        np.arange(len(vertices)).reshape(-1, 3),
        np.concatenate(labels),
        np.concatenate(ids),
        np.concatenate(surface).reshape(-1, 3),
        np.concatenate(materials),
    )
    return with_markings(parted, grid)


def with_classes_of(mesh: TriangleMesh, other: TriangleMesh, labels: Sequence[int]) -> TriangleMesh:
    """A mesh with all triangles of some classes taken from another mesh of the scene; both with surface coordinates."""
    assert mesh.surface is not None
    assert other.surface is not None
    own, taken = ~np.isin(mesh.labels, labels), np.isin(other.labels, labels)
    return TriangleMesh(
        np.concatenate([mesh.vertices, other.vertices]),
        np.concatenate([mesh.triangles[own], other.triangles[taken] + len(mesh.vertices)]),
        np.concatenate([mesh.labels[own], other.labels[taken]]),
        np.concatenate([mesh.object_ids[own], other.object_ids[taken]]),
        np.concatenate([mesh.surface, other.surface]),
        np.concatenate([known_materials(mesh)[own], known_materials(other)[taken]]),
    )


def _part_materials(solids: Solids, owner: Ints, class_name: str, number: int) -> NDArray[np.uint8]:
    """(T,) rows of `MATERIALS` of the triangles of parts, in walls with windows of each pane, frame and door.

    Args:
        solids: the parts.
        owner: (T,) rising, whose part a triangle is, as of `solid_triangles`.
        class_name, number: of the object; its number says which of its rooms are lit.
    """
    words = _clothed(solids) if class_name in _PEOPLE else solids.material
    names: list[str] = []
    for row, count in enumerate(np.bincount(owner, minlength=len(solids)).tolist()):
        kind, own = int(solids.kind[row]), words[row]
        if kind in WALLS:
            pieces = facade_boxes(PART_KINDS[kind], solids.size[row])[1]
            lit = np.random.default_rng([number, row]).random(len(pieces)) < _LIT_ROOMS
            lit |= PART_KINDS[kind] == "shop front"
            panes = np.where(lit, "lit_pane", "pane").tolist()
            made_of = [_OF_PIECES.get(piece, own) or pane for piece, pane in zip(pieces, panes, strict=True)]
            names += [name for name in made_of for _ in range(count // len(pieces))]
        else:
            names += [own] * count
    return material_rows(names)


def _clothed(solids: Solids) -> list[str]:
    """Materials of a person's parts: the highest of cloth is a jacket, and what goes with it; other cloth is trousers,
    and what is rough is hair."""
    words = ["hair" if word == "rough" else word for word in solids.material]
    cloth = [row for row, word in enumerate(words) if word == "cloth"]
    if cloth:
        jacket = solids.role[max(cloth, key=lambda row: float(solids.center[row, 2]))]
        for row in cloth:
            words[row] = "cloth" if solids.role[row] == jacket else "trousers"
    return words


def _part_surface(solids: Solids, triangles: Floats, owner: Ints) -> Floats:
    """Where the corners of parts' triangles (T, 3, 3) lie in the parts' textures, as the studio's shapes have it."""
    kind, size = solids.kind[owner], solids.size[owner]
    own = np.einsum("tci,tij->tcj", triangles - solids.center[owner, None], solids.axes[owner])
    # rods and leaves count from their lower end, curtains from their lower left corner
    order = np.argsort(-solids.size, axis=1, kind="stable")
    order[solids.kind == ROD] = (2, 0, 1)
    order[np.isin(solids.kind, (CURTAIN, *WALLS))] = (0, 2, 1)
    order = order[owner]
    local = np.take_along_axis(own, order[:, None], axis=2)
    ends = np.take_along_axis(size, order, axis=1) / 2
    ends[:, 2] = 0.0
    ends[kind != CURTAIN, 1] = 0.0
    from_end = np.isin(kind, (ROD, BLADE, CURTAIN))
    shift = pattern_shift(solids.center, solids.size)[owner]
    shift[kind == ROD, 1:] = 0.0
    shift[np.isin(kind, (BLADE, CURTAIN))] = 0.0
    surface: Floats = local + np.where(from_end[:, None], ends, 0.0)[:, None] + shift[:, None]
    return surface

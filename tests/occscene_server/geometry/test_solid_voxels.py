"""Parts as triangles and voxels by formula: the extension's voxeliser finds the same for the studio's own meshes."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.layout import PART_KINDS, LayoutObject, LayoutPart
from occscene.taxonomy import INDOOR
from occscene.volumes import default_volume

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize
from occscene_server.data.recorded_parts import recorded_solids
from occscene_server.geometry.box_voxels import box_voxels
from occscene_server.geometry.layout_grid import object_voxels
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.solids import Solids
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import layout_items, room_record
from occscene_server.studio.scene_grids import indoor_volume, item_triangles


def by_extension(triangles: NDArray[np.float64], volume: GridVolume) -> NDArray[np.bool_]:
    grid = voxelize([TriangleObject("piece", 1, triangles, 50)], volume, INDOOR)
    return grid.labels > 0


def by_formula(obj: LayoutObject, volume: GridVolume) -> NDArray[np.bool_]:
    found = np.zeros(volume.shape, bool)
    low, block = object_voxels(obj, volume)
    found[tuple(slice(a, a + side) for a, side in zip(low, block.shape, strict=True))] = block
    return found


@pytest.mark.slow
def test_studio_rooms_are_voxelised_as_by_the_extension() -> None:
    shared: Counter[tuple[str, str]] = Counter()
    either: Counter[tuple[str, str]] = Counter()
    for seed in (20, 45, 60, 101, 780, 20011):
        room, record = build_room(seed), room_record(seed)
        volume = indoor_volume(room)
        for item, parts, obj in zip(layout_items(room), record.parts, record.layout.objects, strict=True):
            if item.fill is Fill.SURFACE or item.extent is None:
                continue
            solids = recorded_solids(parts)
            center = item.extent.center
            placed = LayoutObject(obj.name, obj.class_name, center, obj.size, obj.turn, parts=solids.layout_parts())
            found = by_formula(placed, volume)
            triangles, _ = solid_triangles(solids)
            for name, wanted in (
                ("mesh", by_extension(item_triangles(item), volume)),
                ("own", by_extension(triangles @ placed.axes.T + center, volume)),
            ):
                for kind in (obj.name, "all"):
                    shared[name, kind] += int((found & wanted).sum())
                    either[name, kind] += int((found | wanted).sum())
    iou = {key: shared[key] / either[key] for key in either}
    assert iou["own", "all"] > 0.97
    assert iou["mesh", "all"] > 0.95
    for (name, kind), value in iou.items():
        # folds are voxelised as the box around them, leaves one by one; a thin top at the border of two voxels falls to
        # either, as parts are kept in whole millimetres
        least = 0.35 if name == "mesh" else 0.75 if kind in ("curtain", "vase") else 0.9
        assert value > least, (name, kind, value)


@given(
    st.tuples(*[st.floats(-2.0, 2.0)] * 2, st.floats(0.2, 2.2)),
    st.tuples(*[st.floats(0.17, 1.5)] * 3),
    st.integers(0, 7),
)
@settings(max_examples=60, deadline=None)
def test_a_single_box_is_the_box(
    center: tuple[float, float, float], size: tuple[float, float, float], eighths: int
) -> None:
    volume = default_volume("indoor")
    obj = LayoutObject(
        "box", "furn", center, size, eighths * math.pi / 4, parts=(LayoutPart("box", (0.0, 0.0, 0.0), size),)
    )
    corners = (obj.corners - volume.world_from_grid[:3, 3]) / volume.voxel_size
    wanted = np.zeros(volume.shape, bool)
    low, block = box_voxels(corners, volume.shape)
    wanted[tuple(slice(a, a + side) for a, side in zip(low, block.shape, strict=True))] = block
    # corners are snapped to a lattice there, so a face that lies on voxel centres may fall to the other side
    assert (by_formula(obj, volume) ^ wanted).sum() <= 0.02 * wanted.sum() + 1


@pytest.mark.parametrize("kind", PART_KINDS)
@pytest.mark.parametrize("size", [(0.4, 0.3, 0.5), (1.2, 0.02, 0.7), (0.03, 0.9, 0.31)])
@pytest.mark.parametrize("taper", [1.0, 0.4, 2.5])
def test_meshes_are_closed_face_outward_and_fill_their_size(
    kind: str, size: tuple[float, float, float], taper: float
) -> None:
    part = LayoutPart(kind, (1.0, -2.0, 0.5), size, (0.9, 0.1, -0.3, 0.2), taper)
    solids = Solids.of_layout([part])
    triangles, owner = solid_triangles(solids)
    assert (owner == 0).all()
    points, index = np.unique(np.round(triangles.reshape(-1, 3), 9), axis=0, return_inverse=True)
    faces = index.reshape(-1, 3)
    faces = faces[[len(set(face)) == 3 for face in faces.tolist()]]
    edges = Counter((a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True))
    assert all(edges[b, a] == count for (a, b), count in edges.items())
    moved = triangles - triangles.reshape(-1, 3).mean(0)
    volume = np.einsum("ti,ti->t", moved[:, 0], np.cross(moved[:, 1], moved[:, 2])).sum() / 6
    assert volume > 0
    extent = np.ptp((points - part.center) @ solids.axes[0], axis=0)
    least = 0.9 if kind != "curtain" else 0.3
    assert (extent <= np.array(size) + (0.011 if kind == "curtain" else 1e-6)).all()
    assert (extent >= least * np.array(size) - 1e-6).all()


def test_what_is_thinner_than_a_voxel_is_not_lost() -> None:
    leg = LayoutPart("rod", (0.0, 0.0, 0.0), (0.02, 0.02, 0.8), (0.99, 0.08, 0.05, 0.0))
    obj = LayoutObject("stick", "objs", (0.317, 0.211, 1.0), (0.3, 0.3, 0.8), 0.3, parts=(leg,))
    found = by_formula(obj, default_volume("indoor"))
    levels = np.nonzero(found.any((0, 1)))[0]
    assert len(levels) >= 9
    assert (np.diff(levels) <= 2).all()


def test_what_sticks_out_of_the_grid_is_cut() -> None:
    board = LayoutPart("box", (0.0, 0.0, 0.0), (9.0, 0.5, 0.5))
    obj = LayoutObject("board", "furn", (0.0, 0.0, 1.0), (9.0, 0.5, 0.5), 0.2, parts=(board,))
    far = LayoutObject("far", "furn", (50.0, 0.0, 1.0), (9.0, 0.5, 0.5), 0.2, parts=(board,))
    volume = default_volume("indoor")
    assert by_formula(obj, volume).any((1, 2)).all()
    assert not by_formula(far, volume).any()

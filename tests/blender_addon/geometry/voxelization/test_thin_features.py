"""Cables, rails, fences, rugs and specks, at any angle and offset."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import trimesh
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize
from tests.blender_addon.geometry.voxelization.test_voxelize_properties import TETRAHEDRON_FACES, box, metres

SHAPE = (24, 22, 20)
VOLUME = GridVolume(SHAPE, 1.0, np.eye(4))
MIDDLE = np.array(SHAPE) / 2
HALF_DIAGONAL = np.sqrt(3) / 2 + 2**-12  # everything is moved by a hair, so that ties are broken alike

Triangles = NDArray[np.float64]


def occupied(triangles: Triangles, fill: Fill = Fill.AUTOMATIC, volume: GridVolume = VOLUME) -> NDArray[np.bool_]:
    return voxelize([TriangleObject("object", 7, np.asarray(triangles), fill=fill)], volume, INDOOR).labels > 0


def pieces(shown: NDArray[np.bool_]) -> int:
    """How many there are, where voxels that share a corner are one."""
    return int(scipy.ndimage.label(shown, np.ones((3, 3, 3)))[1])


def cylinder(start: NDArray[np.float64], end: NDArray[np.float64], radius: float, sections: int = 8) -> Triangles:
    return np.asarray(trimesh.creation.cylinder(radius, segment=[start, end], sections=sections).triangles)


def away(shown: NDArray[np.bool_], start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the voxels' centres are from a line segment, voxels."""
    centers = np.argwhere(shown) + 0.5 - start
    length = np.linalg.norm(end - start)
    along = np.clip(centers @ (end - start) / length, 0, length)
    return np.linalg.norm(centers - along[:, None] * (end - start) / length, axis=1)


units = st.floats(-1, 1)
offsets = st.tuples(units, units, units).map(np.array)
directions = offsets.filter(lambda way: np.linalg.norm(way) > 0.1).map(lambda way: way / np.linalg.norm(way))
GRAZING = np.array((0.895, 0.02, 0.447))


@given(directions, offsets, st.floats(0.005, 0.45), st.integers(3, 12))
@example(GRAZING, np.zeros(3), 0.125, 12)
@example(np.array((1.0, 0.0, 0.0)), np.array((0.5, 0.0, 0.0)), 0.25, 8)  # along an edge of four voxels
@settings(max_examples=150, deadline=None)
def test_what_is_long_and_thin_is_whole(
    way: NDArray[np.float64], offset: NDArray[np.float64], radius: float, sections: int
) -> None:
    start, end = MIDDLE + offset - 8 * way, MIDDLE + offset + 8 * way
    shown = occupied(cylinder(start, end, radius, sections))
    assert pieces(shown) == 1
    axis = int(np.abs(way).argmax())
    low, high = sorted((start[axis], end[axis]))
    layers = np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis})))
    assert layers[0] <= np.ceil(low - 0.5 + radius)
    assert layers[-1] >= np.floor(high - 0.5 - radius)
    distance = away(shown, start, end)
    along = (np.argwhere(shown) + 0.5 - start) @ way
    assert distance.max() <= np.sqrt(0.5) + radius  # the caps' middles are not on the axis
    assert distance[(along > 1) & (along < 15)].max() <= HALF_DIAGONAL


places = st.integers(3 * 16, 11 * 16)  # within the grid that `box` and `metres` are made for
points = st.tuples(places, places, places)
extents = st.tuples(*[st.integers(1, 7 * 16)] * 3)
bodies = st.one_of(
    st.builds(box, st.tuples(*[st.integers(3 * 16, 4 * 16)] * 3), extents),
    st.lists(points, min_size=4, max_size=4).map(lambda corners: metres(corners)[TETRAHEDRON_FACES]),
    st.lists(points, min_size=3, max_size=3).map(lambda corners: metres(corners)[None]),
    st.lists(points, min_size=5, max_size=5).map(lambda c: metres([[c[0], c[k], c[k + 1]] for k in range(1, 4)])),
)


@given(bodies, st.sampled_from(Fill))
@settings(max_examples=200, deadline=None)
def test_what_is_connected_is_one_piece(body: Triangles, fill: Fill) -> None:
    assume(np.ptp(body, axis=(0, 1)).any())
    assert pieces(occupied(body, fill, GridVolume((14, 14, 14), 0.125, np.eye(4)))) == 1


@given(st.floats(1.5, 4), st.floats(1.5, 4), st.floats(0.02, 0.3), offsets, st.integers(0, 2))
@example(2.0, 8.0, 0.125, np.array((0.5, 0.0, 0.0)), 1)
@example(3.0, 3.0, 0.125, np.zeros(3), 1)  # on voxel planes
@settings(max_examples=60, deadline=None)
def test_fences_are_their_wires(
    apart: float, rails_apart: float, radius: float, offset: NDArray[np.float64], normal: int
) -> None:
    first, second = (axis for axis in range(3) if axis != normal)
    wires = []
    for along, across, step in ((first, second, rails_apart), (second, first, apart)):
        for place in np.arange(3, 17, step):
            ends = np.tile(MIDDLE, (2, 1))
            ends[:, along], ends[:, across] = (2.5, 17.5), place
            wires.append(ends + offset)
    shown = occupied(np.concatenate([cylinder(*ends, radius) for ends in wires]))
    assert pieces(shown) == 1
    assert np.min([away(shown, *ends) for ends in wires], axis=0).max() <= HALF_DIAGONAL
    for start, end in wires:  # every wire from one end to the other: it was not taken for a part of its neighbors
        near = np.argwhere(shown)[away(shown, start, end) <= HALF_DIAGONAL + radius]
        along = int(np.abs(end - start).argmax())
        assert set(near[:, along]) >= set(range(int(np.ceil(start[along])), int(end[along])))
    if apart > 2 and rails_apart > 2:  # neither a plate nor a second layer
        assert shown.any(axis=(first, second)).sum() == 1
        assert shown.sum() < 0.95 * 16 * 16


@given(st.floats(0.01, 0.99), st.floats(-1, 1), st.integers(0, 2))
@example(0.25, 0.0, 2)
@example(0.25, -0.125, 2)  # it straddles a voxel plane
@settings(max_examples=60, deadline=None)
def test_rugs_are_one_layer(thickness: float, offset: float, axis: int) -> None:
    low, high = np.full(3, 3.2), np.full(3, 16.8)
    low[axis] = 10 + offset
    high[axis] = low[axis] + thickness
    shown = occupied(np.asarray(trimesh.creation.box(bounds=[low, high]).triangles))
    layers = np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis})))
    assert len(layers) == 1
    assert low[axis] - 0.5 < layers[0] + 0.5 < high[axis] + 0.5
    assert shown.sum() == 14 * 14


@given(directions, st.floats(-2, 2))
@settings(max_examples=60, deadline=None)
def test_sheets_let_nothing_through_and_are_thin(normal: NDArray[np.float64], offset: float) -> None:
    sides = np.linalg.svd(normal[None])[2][1:] * 60
    corners = MIDDLE + offset * normal + np.array([-sides[0] - sides[1], sides[0] - sides[1], sides[1] * 2])
    shown = occupied(corners[None])
    pieces_of_free, count = scipy.ndimage.label(~shown)
    distance = (np.argwhere(~shown) + 0.5 - MIDDLE) @ normal - offset
    assert count >= 2
    assert not set(pieces_of_free[~shown][distance > 0]) & set(pieces_of_free[~shown][distance < 0])
    of_voxels = (np.argwhere(shown) + 0.5 - MIDDLE) @ normal - offset
    assert np.abs(of_voxels).max() <= np.abs(normal).max() / 2 + 2e-3  # corners lie 60 voxels away


@given(offsets, st.floats(0.01, 0.45))
@settings(max_examples=60, deadline=None)
def test_specks_are_one_voxel_or_those_that_they_touch(offset: NDArray[np.float64], radius: float) -> None:
    ball = trimesh.creation.icosphere(1, radius).apply_translation(MIDDLE + offset)
    shown = occupied(np.asarray(ball.triangles))
    assert 1 <= shown.sum() <= (1 if radius < 0.25 else 4)
    assert away(shown, MIDDLE + offset, MIDDLE + offset + 1e-6).max() <= HALF_DIAGONAL


@pytest.mark.parametrize("radius", [7.5, 6.25, 5.0])
def test_thick_bodies_get_no_bumps(radius: float) -> None:
    ball = trimesh.creation.icosphere(4, radius).apply_translation((11, 11, 10))
    shown = occupied(np.asarray(ball.triangles))
    extents = [np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    assert {len(extent) for extent in extents} == {2 * int(np.floor(radius + 0.5 - 1e-3))}


def test_a_wire_in_front_of_its_own_object_is_seen_and_one_behind_another_is_not() -> None:
    plate = np.asarray(trimesh.creation.box(bounds=[(2, 8, 2), (18, 10, 18)]).triangles)
    wire = cylinder(np.array((1.0, 11.0, 10.3)), np.array((20.0, 11.0, 10.3)), 0.05)
    separate, both = occupied(wire), occupied(np.concatenate([plate, wire]))
    np.testing.assert_array_equal(both & ~occupied(plate), separate)
    scene = [TriangleObject("wire", 7, wire, 1), TriangleObject("curtain", 4, plate + np.array([0, 2, 0]), 2)]
    labels = voxelize(scene, VOLUME, INDOOR).labels
    assert set(labels[2:18, 10:12, 2:18].reshape(-1)) == {4}
    assert (labels == 7).any()

"""Wheels of bicycles and vehicles."""

from __future__ import annotations

import numpy as np
import pytest

from occscene_server.geometry.solids import BOX, ROD, Floats, Solids
from occscene_server.geometry.wheels import STEEL, TYRE, with_rims

ACROSS_X = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""A rod's axes whose length is along x: a wheel that rolls along y."""


def rod(center: tuple[float, float, float], size: tuple[float, float, float], material: str = TYRE) -> Solids:
    return Solids(
        np.array([ROD]), np.array([center]), np.array([size]), ACROSS_X[None], np.ones(1), (material,), np.array([3])
    )


def inside(solids: Solids, points: Floats) -> np.ndarray:
    """(N,) whether points lie in one of some rods."""
    own = np.einsum("npi,pij->npj", points[:, None] - solids.center, solids.axes)
    ends = solids.size / 2
    in_rod = (((own[..., :2] / ends[:, :2]) ** 2).sum(2) <= 1) & (np.abs(own[..., 2]) <= ends[:, 2])
    result: np.ndarray = in_rod.any(1)
    return result


def test_a_bicycles_wheel_is_a_ring_with_spokes_of_the_same_size() -> None:
    disc = rod((0.1, 0.5, -0.2), (0.66, 0.66, 0.04))
    wheel = with_rims(disc)
    assert set(zip(wheel.material, wheel.role.tolist(), strict=True)) == {(TYRE, 3), (STEEL, 4)}
    for own, before in zip(wheel.bounds(), disc.bounds(), strict=True):
        np.testing.assert_allclose(own, before, atol=0.03)
    tyre = wheel.take([row for row, material in enumerate(wheel.material) if material == TYRE])
    turns = np.linspace(0, 2 * np.pi, 500)
    circle = np.column_stack([np.zeros(500), np.cos(turns), np.sin(turns)])
    middle = disc.center[0]
    # through the middle of the tyre and just within its outside; the corners of a ring of rods are a little short
    assert inside(tyre, middle + 0.308 * circle).all(), "the ring is closed"
    assert not inside(tyre, middle + 0.25 * circle).any()
    assert not inside(tyre, middle + 0.36 * circle).any()
    for row, material in enumerate(wheel.material):
        axes = wheel.axes[row]
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1)
        if material == STEEL:
            assert np.abs(axes[:, 2] @ (1.0, 0.0, 0.0)) < 1e-9, "spokes lie in the wheel"


def test_a_cars_wheels_have_rims_that_stand_out() -> None:
    car = Solids.joined([
        rod((0.8, 1.3, -0.3), (0.64, 0.64, 0.22)),
        Solids(np.array([BOX]), np.zeros((1, 3)), np.array([[1.8, 4.4, 0.9]]), np.eye(3)[None], np.ones(1),
               ("car_paint",), np.zeros(1, np.int64)),
    ])  # fmt: skip
    made = with_rims(car)
    assert made.material == (TYRE, "car_paint", STEEL)
    rim = made.take([2])
    assert 0.3 < rim.size[0, 0] < 0.5
    assert rim.size[0, 2] > 0.22
    np.testing.assert_array_equal(rim.center, car.center[:1])
    assert rim.role[0] > car.role.max()


@pytest.mark.parametrize(
    "other",
    [
        rod((0.0, 0.0, 0.5), (0.04, 0.04, 0.6)),  # a handlebar's grip
        rod((0.0, 0.0, 0.5), (0.66, 0.66, 0.04), "wood"),
        rod((0.0, 0.0, 0.5), (0.2, 0.2, 0.04)),
    ],
)
def test_what_is_no_wheel_stays(other: Solids) -> None:
    same = with_rims(other)
    assert same.material == other.material
    np.testing.assert_array_equal(same.size, other.size)

"""Whether a camera sees a volume, against linear programming."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation

from occscene_server.api.visibility import sees_volume


def distance_to_view(camera: PinholeCamera, volume: GridVolume) -> float:
    """The least t for which a point of the volume lies in the view's pyramid with every side moved out by t."""
    grid_from_camera = np.linalg.inv(volume.world_from_grid) @ camera.world_from_camera
    left, right = -camera.cx / camera.fx, (camera.width - camera.cx) / camera.fx
    top, bottom = -camera.cy / camera.fy, (camera.height - camera.cy) / camera.fy
    sides = np.array([[-1, 0, left], [1, 0, -right], [0, -1, top], [0, 1, -bottom], [0, 0, -1]])  # sides @ p <= 0
    sides = sides / np.linalg.norm(sides, axis=1, keepdims=True) @ grid_from_camera[:3, :3].T
    bounds = [(0.0, side * volume.voxel_size) for side in volume.shape]
    found = linprog(
        [0, 0, 0, 1],
        A_ub=np.hstack([sides, -np.ones((5, 1))]),
        b_ub=sides @ grid_from_camera[:3, 3],
        bounds=[*bounds, (0.0, None)],
    )
    assert found.success
    return float(found.x[3])


def pose(seed: int, distance: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    result = np.eye(4)
    result[:3, :3] = Rotation.random(random_state=rng).as_matrix()
    result[:3, 3] = rng.normal(0, distance, 3)
    return result


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 6.0), st.floats(0.3, 30.0), st.sampled_from([(1, 1, 1), (40, 2, 3)]))
def test_agrees_with_linear_programming(seed: int, distance: float, focal: float, shape: tuple[int, int, int]) -> None:
    camera = PinholeCamera("camera", 96, 64, focal * 64, focal * 70, 60.0, 10.0, pose(seed, distance))
    volume = GridVolume(shape, 0.5, pose(seed + 1, 1.0))
    gap = distance_to_view(camera, volume)
    if not 0.0 < gap < 1e-6:  # just touching: either answer is right
        assert sees_volume(camera, volume) == (gap == 0.0)


def test_close_look_at_a_detail_sees_the_volume() -> None:
    """A narrow view from within meets none of the volume's corners, and few points of any lattice."""
    volume = GridVolume((256, 256, 32), 0.2, np.eye(4))
    inside = np.eye(4)
    inside[:3, 3] = (21.3, 17.7, 3.1)
    assert sees_volume(PinholeCamera("detail", 64, 64, 5000.0, 5000.0, 32.0, 32.0, inside), volume)

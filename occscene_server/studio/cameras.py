"""Where to look at a room from: four views from different corners that overlap in what they show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, SemanticGrid
from occscene.rigid import looking_at
from occscene.taxonomy import INDOOR

from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.room import Room

DRAWN_SIDE = 256
"""Pixels of the square views that cameras are drawn for; another size is the same cameras `resized`."""

FIELD_OF_VIEW = (62.0, 80.0)
EYE_HEIGHT = (1.2, 1.7)
CLEARANCE = 0.28
NEAREST = 0.5
MAX_NEAR_FRACTION = 0.06
MAX_WALL_FRACTION = 0.6
REACH = 8.0
_PROBE_SIDE = 16
_CANDIDATES = 10
_SHELL = tuple(INDOOR.index_of(name) for name in ("wall", "floor", "ceiling"))


class NoViewError(RuntimeError):
    """A room in which no acceptable camera was found."""


def look_at(
    name: str, eye: NDArray[np.float64], target: NDArray[np.float64], side: int, field_of_view: float
) -> PinholeCamera:
    """A square, level camera of `side` pixels at `eye` that looks at `target`; horizontal field of view in degrees."""
    focal = side / (2.0 * np.tan(np.radians(field_of_view) / 2.0))
    return PinholeCamera(name, side, side, focal, focal, side / 2.0, side / 2.0, looking_at(eye, target))


def draw_cameras(room: Room, grid: SemanticGrid) -> tuple[PinholeCamera, ...]:
    """Four cameras of `DRAWN_SIDE` pixels for `room`, named "0" to "3", each from another quarter of the floor.

    Of several acceptable cameras in a quarter the one is taken that shows most different items.

    Args:
        room: its seed decides.
        grid: the room's true grid with instances; cameras inside its voxels are rejected.

    Raises:
        NoViewError: a quarter of the room and the whole room have no acceptable camera.
    """
    rng = np.random.default_rng([room.seed, 7])
    quarters = rng.permutation([(0, 0), (1, 0), (1, 1), (0, 1)])
    focus = _furnished_middle(room)
    return tuple(_draw_camera(str(view), room, grid, focus, quarter, rng) for view, quarter in enumerate(quarters))


def _furnished_middle(room: Room) -> NDArray[np.float64]:
    """The mean position of the furniture's boxes, pulled towards the room's middle."""
    boxes = [
        box.center for item in room.items if INDOOR.index_of(item.class_name) not in _SHELL for box in item.blockout
    ]
    middle: NDArray[np.float64] = np.array([room.size[0] / 2, room.size[1] / 2, 0.8])
    return (middle + np.mean(boxes, axis=0)) / 2 if boxes else middle


def _draw_camera(
    name: str,
    room: Room,
    grid: SemanticGrid,
    focus: NDArray[np.float64],
    quarter: NDArray[np.int64],
    rng: np.random.Generator,
) -> PinholeCamera:
    best: tuple[float, PinholeCamera] | None = None
    accepted = 0
    # The first draws keep to the quarter's outer part; if furniture fills that, the whole room is tried.
    for attempt in range(400):
        across = rng.uniform((0.06, 0.06), (0.32, 0.32)) if attempt < 120 else rng.uniform((0.06, 0.06), (0.94, 0.94))
        across = np.where((quarter == 1) & (attempt < 120), 1.0 - across, across)
        margin = CLEARANCE + 0.05
        low, high = margin, np.array(room.size[:2]) - margin
        eye = np.array([*np.clip(across * room.size[:2], low, high), rng.uniform(*EYE_HEIGHT)])
        target = focus + rng.normal(0.0, (0.5, 0.5, 0.18))
        camera = look_at(name, eye, target, DRAWN_SIDE, rng.uniform(*FIELD_OF_VIEW))
        if np.linalg.norm(target[:2] - eye[:2]) < 0.9 or not _is_clear(grid, eye):
            continue
        score = _score(grid, camera)
        if score is None:
            continue
        accepted += 1
        if best is None or score > best[0]:
            best = score, camera
        if accepted == _CANDIDATES:
            break
    if best is None:
        raise NoViewError(f"scene {room.seed}: no acceptable camera in 400 draws")
    return best[1]


def _is_clear(grid: SemanticGrid, eye: NDArray[np.float64]) -> bool:
    """Whether nothing lies within `CLEARANCE` of the eye."""
    center = (np.linalg.inv(grid.world_from_grid) @ [*eye, 1.0])[:3] / grid.voxel_size
    radius = CLEARANCE / grid.voxel_size
    low = np.maximum(np.floor(center - radius).astype(int), 0)
    high = np.minimum(np.ceil(center + radius).astype(int), grid.shape)
    block = grid.labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    voxels = np.argwhere(block != EMPTY) + low + 0.5
    return not bool((np.linalg.norm(voxels - center, axis=1) < radius).any())


def _score(grid: SemanticGrid, camera: PinholeCamera) -> float | None:
    """How much a camera shows: the entropy of the items in its picture; None if it is to be rejected."""
    hits, depths = march(grid, camera, REACH, stride=camera.width // _PROBE_SIDE)
    labels = looked_up(grid.labels, hits)
    if (depths < NEAREST).mean() > MAX_NEAR_FRACTION:
        return None
    assert grid.instances is not None
    _, first, counts = np.unique(looked_up(grid.instances, hits), return_index=True, return_counts=True)
    shares = counts / labels.size
    shell = np.isin(labels.ravel()[first], _SHELL)
    if (shares[shell] > MAX_WALL_FRACTION).any() or shares[~shell].sum() < 0.08:
        return None
    return float(-(shares * np.log(shares)).sum())


def visible_items(
    grid: SemanticGrid, cameras: tuple[PinholeCamera, ...], min_share: float = 0.002, reach: float = REACH
) -> dict[int, float]:
    """Which items the views show: ids of `grid.objects` with the largest share of a view that each takes.

    What is farther than `reach` metres is not looked at. Items below `min_share` in every view are left out; the order
    is by share, largest first.
    """
    assert grid.instances is not None
    shares: dict[int, float] = {}
    for camera in cameras:
        hits, _ = march(grid, camera, reach, stride=camera.width // 32)
        ids, counts = np.unique(looked_up(grid.instances, hits), return_counts=True)
        for id_, count in zip(ids.tolist(), counts.tolist(), strict=True):
            if id_ and count / hits.size >= min_share:
                shares[id_] = max(shares.get(id_, 0.0), count / hits.size)
    return dict(sorted(shares.items(), key=lambda entry: -entry[1]))

"""Where to look at a street from: a car's cameras, and those of an artist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, SemanticGrid
from occscene.rigid import looking_at
from occscene.taxonomy import OUTDOOR

from occscene_server.studio.cameras import DRAWN_SIDE, NoViewError
from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.room import FloatArray
from occscene_server.studio.streets.plan import Plan
from occscene_server.studio.streets.street import Street

VIEWS = 5
CAR_AT = -25.6
"""Where along a street the car stands that looks down it, metres: the near end of the volume."""
KITTI_FOCAL = 721.5377 / 1242
"""Of KITTI's camera 2, in widths of its image: Geiger et al., Vision meets robotics, 2013."""

REACH = 40.0
CLEARANCE, NEAREST, MAX_NEAR = 0.45, 3.0, 0.05
_PROBE = 16
_GROUND = [OUTDOOR.index_of(name) for name in ("road", "parking", "sidewalk", "other-ground", "terrain")]
_CAR = ("ahead", "on", "left", "right")

Pose = tuple[FloatArray, FloatArray, float]
"""The eye and what it looks at, world metres, and the focal length in widths of the image."""


def draw_street_cameras(street: Street, grid: SemanticGrid) -> tuple[PinholeCamera, ...]:
    """Five cameras of `DRAWN_SIDE` pixels, named "0" to "4".

    In two streets of five they are a car's: ahead from the volume's near end, ahead from farther on, 55 degrees to the
    left and to the right, and one of an artist; else all are an artist's: on the pavements, at a corner, from above.

    Args:
        street: its seed decides.
        grid: the street's true grid with instances; cameras inside its voxels, or close before them, are rejected.

    Raises:
        NoViewError: no acceptable camera was found for one of them.
    """
    rng = np.random.default_rng([street.seed, 31])
    rig = (
        ("ahead", "on", "left", "right", "walk")
        if rng.random() < 0.4
        else ("walk", "facing", "above", "walk", "corner")
    )
    cameras: tuple[PinholeCamera, ...] = ()
    for index, kind in enumerate(rig):
        cameras += (_draw(str(index), kind, street, grid, cameras, rng),)
    return cameras


def _draw(
    name: str,
    kind: str,
    street: Street,
    grid: SemanticGrid,
    others: tuple[PinholeCamera, ...],
    rng: np.random.Generator,
) -> PinholeCamera:
    best: tuple[float, PinholeCamera] | None = None
    accepted = 0
    for attempt in range(240):
        eye, target, field = _POSES[kind if attempt < 160 else "walk"](street.plan, rng)
        focal = DRAWN_SIDE * field
        middle = DRAWN_SIDE / 2
        camera = PinholeCamera(name, DRAWN_SIDE, DRAWN_SIDE, focal, focal, middle, middle, looking_at(eye, target))
        if kind not in _CAR and any(_is_alike(camera, other) for other in others):
            continue
        score = _score(grid, camera, eye)
        if score is None:
            continue
        accepted += 1
        if best is None or score > best[0]:
            best = score, camera
        if accepted == (2 if kind in _CAR else 6):
            break
    if best is None:
        raise NoViewError(f"street {street.seed}: no acceptable camera in 240 draws")
    return best[1]


def _is_alike(camera: PinholeCamera, other: PinholeCamera) -> bool:
    """Whether two cameras stand within 8 m of one another and look within 45 degrees of the same way."""
    apart = np.linalg.norm(camera.world_from_camera[:3, 3] - other.world_from_camera[:3, 3])
    return bool(apart < 8.0 and camera.world_from_camera[:3, 2] @ other.world_from_camera[:3, 2] > 0.7)


def _at(plan: Plan, s: float, d: float, height: float) -> FloatArray:
    point: FloatArray = plan.course.points(np.array([[s, d]]), height)[0]
    return point


def _car(plan: Plan, rng: np.random.Generator, low: float, high: float, yaw: float) -> Pose:
    lane = -plan.width / 4 if plan.lanes == 2 else -plan.width * 0.375
    s, height = rng.uniform(low, high), rng.uniform(1.55, 1.75)
    eye = _at(plan, s, lane + rng.uniform(-0.25, 0.25), height)
    angle = float(plan.course.heading(s)) + np.radians(yaw + rng.uniform(-3.0, 3.0))
    pitch = np.radians(rng.uniform(-1.5, 1.5)) + np.arctan(plan.course.slope * np.cos(angle))
    ahead = np.array([np.cos(angle), np.sin(angle), np.tan(pitch)])
    return eye, eye + 10 * ahead, KITTI_FOCAL * rng.uniform(0.9, 1.1)


def _lens(rng: np.random.Generator, low: float = 26.0, high: float = 42.0) -> float:
    """Focal length in widths of a 36 mm frame."""
    return float(rng.uniform(low, high)) / 36.0


def _walk(plan: Plan, rng: np.random.Generator) -> Pose:
    side = plan.left if rng.random() < 0.5 else plan.right
    kerb, back, _, front = side.edges(plan.width / 2)
    d = (
        side.sign * rng.uniform(kerb + 0.4, max(back, kerb + 0.8))
        if rng.random() < 0.75
        else rng.uniform(-1, 1) * plan.width / 3
    )
    forward = rng.random() < 0.65
    s = rng.uniform(-25.0, -6.0) if forward else rng.uniform(8.0, 24.0)
    eye = _at(plan, s, d, rng.uniform(1.5, 1.85))
    goal = s + (1 if forward else -1) * rng.uniform(10.0, 22.0)
    across = rng.normal(0.0, 0.45) * front
    return eye, _at(plan, goal, across, rng.uniform(0.8, 2.8)), _lens(rng)


def _facing(plan: Plan, rng: np.random.Generator) -> Pose:
    """From one pavement at the other side's buildings."""
    sign = 1 if rng.random() < 0.5 else -1
    side, other = (plan.left, plan.right) if sign > 0 else (plan.right, plan.left)
    kerb, back, _, _ = side.edges(plan.width / 2)
    front = other.edges(plan.width / 2)[3]
    s = rng.uniform(-16.0, 14.0)
    eye = _at(plan, s, sign * rng.uniform(kerb + 0.3, back + 0.8), rng.uniform(1.5, 1.8))
    return eye, _at(plan, s + rng.uniform(-9.0, 9.0), -sign * front, rng.uniform(1.5, 3.0)), _lens(rng, 24.0, 34.0)


def _above(plan: Plan, rng: np.random.Generator) -> Pose:
    s, height = rng.uniform(-25.0, -14.0), rng.uniform(6.0, 13.0)
    forward = 1 if rng.random() < 0.6 else -1
    eye = _at(plan, s * forward, rng.uniform(-0.8, 0.8) * plan.width, height)
    down = np.radians(rng.uniform(15.0, 32.0))
    target = _at(plan, s * forward + forward * height / np.tan(down), rng.uniform(-5.0, 5.0), 0.0)
    return eye, target, _lens(rng, 28.0, 40.0)


def _corner(plan: Plan, rng: np.random.Generator) -> Pose:
    if plan.junction is None:
        return _walk(plan, rng)
    junction = plan.junction
    s = junction.at + (1 if rng.random() < 0.5 else -1) * rng.uniform(5.0, 10.0)
    eye = _at(plan, s, rng.uniform(-1, 1) * (plan.width / 2 + 2.0), rng.uniform(1.5, 2.4))
    sign = junction.sides[int(rng.integers(len(junction.sides)))]
    return eye, _at(plan, junction.at, sign * rng.uniform(4.0, 14.0), 1.4), _lens(rng, 24.0, 34.0)


_POSES: dict[str, Callable[[Plan, np.random.Generator], Pose]] = {
    "ahead": lambda plan, rng: _car(plan, rng, CAR_AT + 0.2, CAR_AT + 1.2, 0.0),
    "on": lambda plan, rng: _car(plan, rng, -14.0, 2.0, 0.0),
    "left": lambda plan, rng: _car(plan, rng, -18.0, -2.0, 55.0),
    "right": lambda plan, rng: _car(plan, rng, -18.0, -2.0, -55.0),
    "walk": _walk,
    "facing": _facing,
    "above": _above,
    "corner": _corner,
}


def is_clear(grid: SemanticGrid, eye: FloatArray, clearance: float = CLEARANCE) -> bool:
    """Whether no voxel's centre lies within `clearance` metres of the eye."""
    center = (np.linalg.inv(grid.world_from_grid) @ [*eye, 1.0])[:3] / grid.voxel_size
    radius = clearance / grid.voxel_size
    low = np.clip(np.floor(center - radius).astype(int), 0, grid.shape)
    high = np.clip(np.ceil(center + radius).astype(int), 0, grid.shape)
    block = grid.labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    voxels = np.argwhere(block != EMPTY) + low + 0.5
    return not bool((np.linalg.norm(voxels - center, axis=1) < radius).any())


def _score(grid: SemanticGrid, camera: PinholeCamera, eye: FloatArray) -> float | None:
    """How much a camera shows: the entropy of classes and items in its picture; None if it is to be rejected."""
    if not is_clear(grid, eye):
        return None
    hits, depths = march(grid, camera, REACH, stride=camera.width // _PROBE)
    assert grid.instances is not None
    labels = looked_up(grid.labels, hits)
    if ((depths < NEAREST) & ~np.isin(labels, _GROUND)).mean() > MAX_NEAR:
        return None
    largest = np.bincount(labels.ravel(), minlength=len(OUTDOOR)) / labels.size
    if largest[1:].max() > 0.62 or largest[0] > 0.72:
        return None
    _, counts = np.unique(looked_up(grid.instances, hits), return_counts=True)
    shares = counts / labels.size
    classes = largest[largest > 0]
    return float(-(shares * np.log(shares)).sum() - 0.7 * (classes * np.log(classes)).sum())

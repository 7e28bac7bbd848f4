"""What a camera sees of triangles, as a depth image: for the test whether a point of the scene is hidden from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.rigid import transform_points

Floats = NDArray[np.float64]

NEAREST = 1e-3
"""Metres: what is nearer to the camera's plane is cut off."""

_BATCH_PIXELS = 2**19
"""Pixels of the triangles that are drawn at a time."""


def inverse_depth_image(camera: PinholeCamera, triangles: Floats) -> NDArray[np.float32]:
    """Draws 1 / depth of the nearest surface at each pixel's centre, (height, width); 0 where there is none.

    The inverse of a plane's depth along z is linear over the image, so that a linear lookup between pixels is exact
    (Blinn 1992, "Hyperbolic interpolation"). Both sides of a triangle are drawn.

    Args:
        camera: whose image it is.
        triangles: (T, 3, 3) world coordinates, metres.
    """
    image = np.zeros(camera.height * camera.width, np.float32)
    for _, pixels, inverse in _hits(camera, _seen(camera, triangles)):
        np.maximum.at(image, pixels, inverse)
    return image.reshape(camera.height, camera.width)


def depth_and_normals(camera: PinholeCamera, triangles: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The depth in metres along z, (height, width), and the world normals, (height, width, 3), of what a camera sees.

    Normals point towards the camera. Where nothing is seen the depth is infinite and the normal is 0.

    Args:
        camera: whose image it is.
        triangles: (T, 3, 3) world coordinates, metres.
    """
    nearest = inverse_depth_image(camera, triangles).ravel()
    local = _seen(camera, triangles)
    across = np.cross(local[:, 1] - local[:, 0], local[:, 2] - local[:, 0])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
    across *= -np.sign((across * local[:, 0]).sum(axis=1, keepdims=True))
    normals = np.zeros((len(nearest), 3), np.float32)
    for rows, pixels, inverse in _hits(camera, local):
        is_nearest = inverse == nearest[pixels]
        normals[pixels[is_nearest]] = across[rows[is_nearest]] @ camera.world_from_camera[:3, :3].T
    with np.errstate(divide="ignore"):
        depth = (1.0 / nearest).astype(np.float32)
    shape = camera.height, camera.width
    return depth.reshape(shape), normals.reshape(*shape, 3)


def _seen(camera: PinholeCamera, triangles: Floats) -> Floats:
    """The parts of triangles in front of a camera, in its space."""
    return _clipped(transform_points(camera.camera_from_world, triangles.reshape(-1, 3)).reshape(-1, 3, 3))


def _hits(
    camera: PinholeCamera, local: Floats
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """What camera-space triangles cover: rows of triangles, pixels of the flat image, and 1 / depth there."""
    inverse = 1.0 / local[..., 2]
    x = camera.fx * local[..., 0] * inverse + camera.cx
    y = camera.fy * local[..., 1] * inverse + camera.cy
    low = np.stack([np.ceil(x.min(axis=1) - 0.5), np.ceil(y.min(axis=1) - 0.5)], axis=1)
    high = np.stack([np.floor(x.max(axis=1) - 0.5), np.floor(y.max(axis=1) - 0.5)], axis=1)
    low = np.clip(low, 0, (camera.width, camera.height)).astype(np.int64)
    high = np.clip(high, -1, (camera.width - 1, camera.height - 1)).astype(np.int64)
    planes = _planes(x, y, inverse)
    shown = np.flatnonzero((high >= low).all(axis=1) & np.isfinite(planes).all(axis=(1, 2)))
    for rows, side in _batches(high[shown] - low[shown] + 1):
        chosen = shown[rows]
        triangle, pixels, depth = _covered(camera, planes[chosen], low[chosen], high[chosen], side)
        yield chosen[triangle], pixels, depth


def _clipped(triangles: Floats) -> Floats:
    """The parts of camera-space triangles that lie beyond `NEAREST`."""
    beyond = triangles[..., 2] > NEAREST
    count = beyond.sum(axis=1)
    whole = triangles[count == 3]
    one, two = triangles[count == 1], triangles[count == 2]
    # turned so that the only vertex on its side comes first
    one = _turned(one, beyond[count == 1].argmax(axis=1))
    two = _turned(two, (~beyond[count == 2]).argmax(axis=1))
    tips = np.stack([one[:, 0], _cut(one[:, 0], one[:, 1]), _cut(one[:, 0], one[:, 2])], axis=1)
    first, second = _cut(two[:, 0], two[:, 1]), _cut(two[:, 0], two[:, 2])
    halves = [np.stack([first, two[:, 1], two[:, 2]], axis=1), np.stack([first, two[:, 2], second], axis=1)]
    return np.concatenate([whole, tips, *halves])


def _turned(triangles: Floats, first: NDArray[np.int64]) -> Floats:
    order = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(triangles, order[..., None], axis=1)


def _cut(start: Floats, end: Floats) -> Floats:
    """Where segments (N, 3) cross the plane z = `NEAREST`."""
    share = (NEAREST - start[:, 2]) / (end[:, 2] - start[:, 2])
    point = start + share[:, None] * (end - start)
    point[:, 2] = NEAREST
    return point


def _planes(x: Floats, y: Floats, inverse: Floats) -> Floats:
    """(T, 4, 3): coefficients of x, y and 1 of the three barycentric weights and of the inverse depth."""
    following, last = [1, 2, 0], [2, 0, 1]
    edge_x, edge_y = y[:, following] - y[:, last], x[:, last] - x[:, following]
    constant = x[:, following] * y[:, last] - x[:, last] * y[:, following]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([edge_x, edge_y, constant], axis=2) / constant.sum(axis=1)[:, None, None]
        depth = (weights * inverse[..., None]).sum(axis=1, keepdims=True)
    return np.concatenate([weights, depth], axis=1)


def _batches(sizes: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Indices of triangles whose boxes (width, height) fit into the same square, and the square's side."""
    sides = 2 ** np.ceil(np.log2(sizes.max(axis=1, initial=1))).astype(np.int64)
    for side in np.unique(sides):
        rows = np.flatnonzero(sides == side)
        step = max(1, _BATCH_PIXELS // int(side) ** 2)
        for begin in range(0, len(rows), step):
            yield rows[begin : begin + step], int(side)


def _covered(
    camera: PinholeCamera, planes: Floats, low: NDArray[np.int64], high: NDArray[np.int64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """What triangles cover, each within its box of pixels `low` .. `high` of at most `side`; as `_hits`."""
    columns = low[:, 0, None] + np.arange(side)
    rows = low[:, 1, None] + np.arange(side)
    # (N, 4, side) along each axis, (N, 4, side, side) together
    along_x = planes[:, :, 0, None] * (columns[:, None] + 0.5)
    along_y = planes[:, :, 1, None] * (rows[:, None] + 0.5) + planes[:, :, 2, None]
    inside = (columns <= high[:, 0, None])[:, None, :] & (rows <= high[:, 1, None])[:, :, None]
    for corner in range(3):
        inside &= along_x[:, corner, None, :] + along_y[:, corner, :, None] >= -1e-9
    triangle, row, column = np.nonzero(inside)
    depth = along_x[triangle, 3, column] + along_y[triangle, 3, row]
    return triangle, rows[triangle, row] * camera.width + columns[triangle, column], depth.astype(np.float32)

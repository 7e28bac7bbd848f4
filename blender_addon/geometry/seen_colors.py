"""The mean colour that cameras see of an object: for its parts that no camera sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.srgb import linear_from_srgb

Floats = NDArray[np.float64]

_SAMPLES = 400
"""Points of an object that are looked at."""

_TOLERANCE = 0.02
"""A point counts as hidden if the depth image is nearer by more than this part of its depth."""


def seen_color(
    triangles: Floats,
    cameras: Sequence[PinholeCamera],
    images: Sequence[NDArray[np.float32]],
    depths: Sequence[NDArray[np.float32]],
) -> Floats | None:
    """The mean of what the cameras see of an object, linear RGB; None if no camera sees it.

    Args:
        triangles: the object's, (T, 3, 3) world coordinates, metres.
        cameras: of the views.
        images: the views, (H, W, 3) sRGB from 0 to 1, rows from above, of any size.
        depths: 1 / depth in metres of all that hides something, (h, w), rows from above, of any size.
    """
    colors, is_seen = point_colors(_spread(triangles), cameras, images, depths)
    return colors[is_seen].mean(axis=0) if is_seen.any() else None


def point_colors(
    points: Floats,
    cameras: Sequence[PinholeCamera],
    images: Sequence[NDArray[np.float32]],
    depths: Sequence[NDArray[np.float32]],
) -> tuple[Floats, NDArray[np.bool_]]:
    """The mean of what the cameras see at points, linear RGB (N, 3), and which points any of them sees.

    Args:
        points: (N, 3) world coordinates, metres.
        cameras, images, depths: as `seen_color`.
    """
    total, count = np.zeros((len(points), 3)), np.zeros(len(points))
    for camera, image, depth in zip(cameras, images, depths, strict=True):
        places, far = camera.project(points)
        inside = (far > 0) & (places >= 0).all(axis=1) & (places < (camera.width, camera.height)).all(axis=1)
        rows = np.flatnonzero(inside)
        places = places[rows] / (camera.width, camera.height)
        is_clear = _looked_up(depth, places) * far[rows] < 1 + _TOLERANCE
        total[rows[is_clear]] += linear_from_srgb(_looked_up(image, places[is_clear]).astype(np.float64))
        count[rows[is_clear]] += 1
    is_seen = count > 0
    total[is_seen] /= count[is_seen, None]
    return total, is_seen


def _looked_up(image: NDArray[np.float32], places: Floats) -> NDArray[np.float32]:
    """The pixels of an image at places from 0 to 1."""
    columns, rows = (places * (image.shape[1], image.shape[0])).astype(int).T
    return image[rows, columns]


def _spread(triangles: Floats) -> Floats:
    """Points on triangles, as many on equal areas; always the same for the same triangles."""
    areas = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    if not areas.sum() > 0.0:
        return triangles.reshape(-1, 3)
    rng = np.random.default_rng(0)
    chosen = triangles[rng.choice(len(triangles), _SAMPLES, p=areas / areas.sum())]
    first, second = np.sqrt(rng.random(_SAMPLES)), rng.random(_SAMPLES)
    weights = np.stack([1 - first, first * (1 - second), first * second], axis=1)
    return np.einsum("nc,ncd->nd", weights, chosen)

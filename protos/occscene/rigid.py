"""Checks and arithmetic of rigid 4x4 transforms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occscene.field_errors import FieldError
from occscene.limits import RIGID_TOLERANCE

Float64Array = NDArray[np.float64]


def rigid_transform(matrix: ArrayLike, field: str) -> Float64Array:
    """Returns `matrix` as a float64 4x4 array after checking that it is finite and rigid.

    Args:
        matrix: 4x4, row-major, a rotation and a translation in metres.
        field: the name that an error gives.

    Raises:
        FieldError: not 4x4, not finite, or not a rotation and translation.
    """
    try:
        array = np.array(matrix, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{field} must be a 4x4 matrix of numbers ({error})") from error
    if array.shape != (4, 4):
        raise FieldError(field, f"has shape {array.shape}; it must be a 4x4 matrix")
    if not np.isfinite(array).all():
        raise FieldError(field, "has NaN or infinite entries; every entry must be finite")
    rotation = array[:3, :3]
    with np.errstate(all="ignore"):  # of huge numbers the products are infinite or NaN
        off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        volume = float(np.linalg.det(rotation))
    if not (off <= RIGID_TOLERANCE and abs(volume - 1.0) <= RIGID_TOLERANCE):
        raise FieldError(
            field,
            f"is not rigid (R R^T deviates from the identity by {off:.3g}, limit {RIGID_TOLERANCE:g}; the "
            "determinant must be +1); apply scale and mirroring to the object first",
        )
    if np.abs(array[3] - (0.0, 0.0, 0.0, 1.0)).max() > 1e-9:
        raise FieldError(field, f"has the last row {array[3].tolist()}; it must be [0, 0, 0, 1]")
    return array


def looking_at(eye: Float64Array, target: Float64Array, up: ArrayLike = (0.0, 0.0, 1.0)) -> Float64Array:
    """The pose (4, 4) of a level camera (x right, y down, z forward) at `eye` that looks at `target`."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right: Float64Array = np.cross(forward, np.asarray(up, np.float64))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(forward, right), forward, eye], axis=1)
    return pose


def without_noise(rotation: Float64Array) -> Float64Array:
    """Removes single precision's noise from a rotation (3, 3); a scaled or sheared one stays as it is."""
    left, scale, right = np.linalg.svd(rotation)
    nearest: Float64Array = left @ right
    return nearest if np.abs(scale - 1.0).max() < 1e-3 else rotation


def invert_rigid(transform: Float64Array) -> Float64Array:
    """Returns the inverse of a rigid 4x4 transform, exactly orthonormal where the input is."""
    inverse = np.eye(4)
    inverse[:3, :3] = transform[:3, :3].T
    inverse[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return inverse


def transform_points(transform: Float64Array, points: Float64Array) -> Float64Array:
    """Applies a 4x4 transform to points of shape (..., 3)."""
    result: Float64Array = points @ transform[:3, :3].T
    result += transform[:3, 3]  # in place: there may be millions
    return result

"""The sRGB transfer function (IEC 61966-2-1), for arrays of values in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LinearColor = tuple[float, float, float]


def linear_rgb(code: str) -> LinearColor:
    """Linear RGB of a hexadecimal sRGB code such as "e9e7e2"."""
    channels = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return (r, g, b)


def linear_from_srgb(encoded: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Linear values of sRGB ones, of the same type."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """SRGB values of linear ones, of the same type."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)

"""Where a street runs: places along it and beside it, in the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """A centre line that runs along +x through the origin and may bend once; it climbs evenly along x.

    Places are (s, d): s metres along the centre line, d metres to its left.

    Args:
        bend: curvature of the arc in 1/metres, positive to the left; 0 for a straight street.
        start, length: where along the line the arc begins and how long it is, metres.
        slope: rise in metres for each metre along x.
    """

    bend: float = 0.0
    start: float = 0.0
    length: float = 0.0
    slope: float = 0.0

    def within(self, d: float) -> float:
        """The nearest distance to `d` that keeps off the middle of the bend, where places would fold over."""
        if self.bend == 0.0 or self.bend * d <= 0:
            return d
        return float(np.sign(d)) * min(abs(d), 0.85 / abs(self.bend))

    def heading(self, s: FloatArray | float) -> FloatArray:
        """Direction of the line at `s`, radians about +Z."""
        turned: FloatArray = self.bend * np.clip(np.asarray(s, np.float64) - self.start, 0.0, self.length)
        return turned

    def flat(self, places: FloatArray) -> FloatArray:
        """(N, 2) world x, y of places (N, 2)."""
        s, d = np.asarray(places, np.float64).reshape(-1, 2).T
        angle = self.heading(s)
        if self.bend == 0.0:
            return np.stack([s, d], axis=1)
        before = np.minimum(s, self.start)
        after = np.maximum(s - self.start - self.length, 0.0)
        x = before + np.sin(angle) / self.bend + after * np.cos(angle)
        y = (1.0 - np.cos(angle)) / self.bend + after * np.sin(angle)
        return np.stack([x - d * np.sin(angle), y + d * np.cos(angle)], axis=1)

    def points(self, places: FloatArray, height: FloatArray | float = 0.0) -> FloatArray:
        """(N, 3) world points `height` metres above the street's plane at places (N, 2)."""
        flat = self.flat(places)
        return np.column_stack([flat, self.slope * flat[:, 0] + height])

    def stand(self, s: float, d: float, height: float = 0.0) -> tuple[float, float, float, float]:
        """World x, y, z and heading of one place."""
        x, y, z = self.points(np.array([[s, d]]), height)[0].tolist()
        return x, y, z, float(self.heading(s))

"""Where the sun of a scene is: how high as its words say, and from where by chance."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR

from occscene_server.geometry.mesh_parts import rows_by_object

Floats = NDArray[np.float64]

DARK = (
    r"dusk|twilight|(at|by) night|night(fall|-?time| sky)|blue hour|"
    r"lamps? (lit|((switched|turned) )?on(?=\s*([,.;:!?)]|$|(and|at|in|after)\b)))"
)
"""Words of an hour at which lamps are lit, as a regular expression; lamps on posts, or on the left, are only there."""
_WITHOUT = re.compile(
    r"\b(overcast|cloudy|gr[ae]y (sky|daylight|light)|rain(y|ing)?|wet|snow(y|ing)?\b(?!-)|fog(gy)?|misty|"
    rf"lamp ?light|moon(light)?|{DARK})\b"
)
"""Words of a light without sun."""
_HEIGHTS = (
    (r"sunset|sunrise|golden ((morning|evening) )?(hour|light|sun)", 13.0),
    (r"low (orange )?(sun|light)|(low|evening|long shadows in) ((evening|low) )?sun(light)?", 13.0),
    (r"morning", 26.0),
    (r"sun|sunny|sunshine|sunlight|sunlit|(bright|clear) day(light)?|blue sky|noon|midday", 42.0),
)
"""Words of sunlight, and degrees of the sun above the horizon; the first that is found counts."""
_WINDOW = INDOOR.index_of("window")


def sun_height(prompt: str) -> float | None:
    """Degrees of the sun above the horizon; None where the words speak of none, or of nothing of the kind."""
    said = prompt.lower()
    if _WITHOUT.search(said):
        return None
    return next((height for words, height in _HEIGHTS if re.search(rf"\b({words})\b", said)), None)


@dataclass(frozen=True)
class SunAngles:
    """What is asked of the sun, degrees; None leaves it to the words of the scene, or to chance.

    Args:
        elevation: above the horizon, 0 to 90.
        azimuth: clockwise from the world's +y axis as seen from above, 0 to 360.

    Raises:
        ValueError: an angle is outside its limits.
    """

    elevation: float | None = None
    azimuth: float | None = None

    def __post_init__(self) -> None:
        for name, value, most in (("sun_elevation", self.elevation, 90), ("sun_azimuth", self.azimuth, 360)):
            if value is not None and not 0 <= value <= most:
                raise ValueError(f"{name} is {value}; it must be 0 to {most} degrees, or None for the words' own")


def scene_sun(
    prompt: str, seed: int, mesh: TriangleMesh, taxonomy: str, angles: SunAngles | None = None
) -> Floats | None:
    """(3,) unit vector towards the sun in the world; None where there is none.

    In a room it shines in through the largest window at some angle, as in the studio's.

    Args:
        prompt: of the scene.
        seed: of what words leave open.
        mesh: of what is shown, world metres.
        taxonomy: name of its classes.
        angles: that are asked for.
    """
    angles = angles or SunAngles()
    height = sun_height(prompt) if angles.elevation is None else angles.elevation
    if height is None:
        return None
    rng = np.random.default_rng([seed, 11])
    turn = rng.uniform(0.0, 2 * np.pi)
    if angles.azimuth is not None:
        turn = np.radians(90.0 - angles.azimuth)
    elif taxonomy == INDOOR.name:
        outward = _largest_window(mesh)
        if outward is None:
            return None
        turn = np.arctan2(outward[1], outward[0]) + rng.choice([-1.0, 1.0]) * np.radians(rng.uniform(15.0, 45.0))
    up = np.radians(height)
    return np.array([np.cos(up) * np.cos(turn), np.cos(up) * np.sin(turn), np.sin(up)])


def _largest_window(mesh: TriangleMesh) -> Floats | None:
    """(2,) the horizontal direction out of the largest window; None without windows."""
    corners = mesh.vertices[mesh.triangles]
    rows = np.flatnonzero(mesh.labels == _WINDOW)
    largest, outward = 0.0, None
    for own in rows_by_object(mesh.object_ids, rows) if len(rows) else ():
        edges = corners[own, 1:] - corners[own, :1]
        normal = np.cross(edges[:, 0], edges[:, 1])[:, :2]
        # the direction in which it is largest, whatever side of it the triangles are on
        values, axes = np.linalg.eigh(normal.T @ normal)
        if values[1] > largest:
            largest, outward = float(values[1]), axes[:, 1]
            away = corners[own].reshape(-1, 3)[:, :2].mean(0) - corners.reshape(-1, 3)[:, :2].mean(0)
            outward = outward * (1.0 if outward @ away >= 0 else -1.0)
    return outward

"""The moods of light in rooms, and where the sun of a room is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from occscene_server.studio.room import FloatArray, Opening, Room

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Lighting:
    """One mood of light.

    Args:
        sun_color, sun: linear RGB and irradiance (W/m2); 0 for no sun.
        sun_elevation: degrees above the horizon.
        window_color, window: the sky's light through each square metre of window (W/m2).
        fill_color, fill: a large soft light under the ceiling (W).
        zenith, horizon, ground: what is seen through the windows, as radiance.
        lamp: power of each lamp (W); 0 when they are off.
        glow: factor on the emission of lamp shades, screens and flames as the camera sees them.
        key: the linear brightness that the geometric mean of a scene's pixels is brought to.
    """

    sun_color: Color
    sun: float
    sun_elevation: float
    window_color: Color
    window: float
    fill_color: Color
    fill: float
    zenith: Color
    horizon: Color
    ground: Color
    lamp: float
    glow: float
    key: float


LIGHTINGS: dict[str, Lighting] = {
    "morning sun": Lighting(
        sun_color=(1.0, 0.82, 0.58), sun=60.0, sun_elevation=26.0,
        window_color=(0.9, 0.95, 1.0), window=70.0,
        fill_color=(1.0, 0.95, 0.88), fill=55.0,
        zenith=(1.6, 3.4, 7.0), horizon=(8.0, 7.4, 6.2), ground=(2.0, 2.6, 0.8),
        lamp=0.0, glow=0.0, key=0.21,
    ),
    "bright day": Lighting(
        sun_color=(1.0, 0.96, 0.9), sun=55.0, sun_elevation=40.0,
        window_color=(0.93, 0.97, 1.0), window=110.0,
        fill_color=(1.0, 1.0, 1.0), fill=75.0,
        zenith=(1.4, 4.2, 10.0), horizon=(7.0, 8.6, 10.0), ground=(1.8, 3.2, 0.8),
        lamp=0.0, glow=0.0, key=0.25,
    ),
    "overcast": Lighting(
        sun_color=(1.0, 1.0, 1.0), sun=0.0, sun_elevation=45.0,
        window_color=(0.82, 0.91, 1.0), window=130.0,
        fill_color=(0.88, 0.94, 1.0), fill=70.0,
        zenith=(5.0, 5.4, 6.0), horizon=(6.8, 7.0, 7.4), ground=(1.3, 1.7, 0.9),
        lamp=0.0, glow=0.0, key=0.19,
    ),
    "warm evening": Lighting(
        sun_color=(1.0, 0.5, 0.3), sun=0.0, sun_elevation=5.0,
        window_color=(0.25, 0.38, 0.9), window=16.0,
        fill_color=(1.0, 0.76, 0.52), fill=34.0,
        zenith=(0.06, 0.12, 0.42), horizon=(0.35, 0.32, 0.55), ground=(0.04, 0.05, 0.07),
        lamp=42.0, glow=1.0, key=0.15,
    ),
    "sunset": Lighting(
        sun_color=(1.0, 0.47, 0.17), sun=50.0, sun_elevation=13.0,
        window_color=(1.0, 0.66, 0.5), window=55.0,
        fill_color=(1.0, 0.8, 0.68), fill=46.0,
        zenith=(1.0, 1.1, 2.6), horizon=(9.0, 3.6, 1.2), ground=(0.6, 0.42, 0.3),
        lamp=12.0, glow=0.6, key=0.17,
    ),
}  # fmt: skip

INWARD = {"west": (1.0, 0.0), "east": (-1.0, 0.0), "south": (0.0, 1.0), "north": (0.0, -1.0)}


def room_sun(room: Room) -> FloatArray | None:
    """(3,) unit vector towards the sun, which shines in through the largest window at some angle; None for no sun."""
    lighting = LIGHTINGS[room.light]
    if lighting.sun == 0 or not room.openings:
        return None
    rng = np.random.default_rng([room.seed, 11])
    inward_x, inward_y = INWARD[max(room.openings, key=area).wall]
    turn = rng.choice([-1.0, 1.0]) * np.radians(rng.uniform(15.0, 45.0))
    elevation = np.radians(lighting.sun_elevation + rng.uniform(-4.0, 4.0))
    return np.array(
        [
            -np.cos(elevation) * (inward_x * np.cos(turn) - inward_y * np.sin(turn)),
            -np.cos(elevation) * (inward_x * np.sin(turn) + inward_y * np.cos(turn)),
            np.sin(elevation),
        ]
    )


def area(opening: Opening) -> float:
    """Square metres of an opening."""
    return (opening.end - opening.start) * (opening.top - opening.bottom)

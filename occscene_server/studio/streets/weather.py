"""Hour and weather of a street: what the sky, the sun, the lamps and wet or white surfaces are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.srgb import LinearColor


@dataclass(frozen=True)
class Weather:
    """One kind of light outdoors.

    Args:
        sun: degrees above the horizon, from and to; None where there is none to be seen.
        clouds: share of the sky that clouds cover.
        zenith, horizon: radiance of a sky without sun; unused where there is a sun.
        snow: how white what lies flat is; wet: how much water lies on what is flat: 0 to 1.
        lamps: power of each street lamp (W); glow: factor on what shines.
        key: the linear brightness that the geometric mean of the ground's pixels is brought to.
        words: how prompts say it.
    """

    sun: tuple[float, float] | None
    clouds: float
    zenith: LinearColor
    horizon: LinearColor
    snow: float
    wet: float
    lamps: float
    glow: float
    key: float
    words: tuple[str, ...]


_NONE: LinearColor = (0.0, 0.0, 0.0)
WEATHERS: dict[str, Weather] = {
    "clear day": Weather((28.0, 60.0), 0.25, _NONE, _NONE, 0.0, 0.0, 0.0, 0.0, 0.17,
        ("on a clear day", "in bright sunshine", "under a blue sky")),
    "low sun": Weather((7.0, 20.0), 0.3, _NONE, _NONE, 0.0, 0.0, 0.0, 0.0, 0.15,
        ("in low evening sun", "in golden morning light", "with long shadows in low sun")),
    "overcast": Weather(None, 1.0, (0.82, 0.88, 1.0), (1.0, 1.02, 1.05), 0.0, 0.0, 0.0, 0.0, 0.16,
        ("on an overcast day", "under a grey sky", "in soft grey daylight")),
    "rain": Weather(None, 1.0, (0.5, 0.56, 0.66), (0.8, 0.84, 0.9), 0.0, 1.0, 0.0, 0.25, 0.16,
        ("after rain, the road wet", "on a rainy day with wet asphalt", "wet from the rain")),
    "dusk": Weather(None, 0.0, (0.045, 0.075, 0.21), (0.42, 0.25, 0.19), 0.0, 0.0, 160.0, 1.0, 0.085,
        ("at dusk with the street lamps lit", "in the blue hour, windows lit", "at nightfall under street lamps")),
    "snow": Weather(None, 1.0, (0.86, 0.92, 1.0), (0.98, 1.0, 1.03), 1.0, 0.15, 0.0, 0.0, 0.3,
        ("in the snow", "under fresh snow", "on a snowy winter day")),
}  # fmt: skip
WEATHER_SHARES = (0.3, 0.19, 0.17, 0.13, 0.12, 0.09)
"""How often each of `WEATHERS` is drawn."""


def sun_direction(weather: str, seed: int) -> NDArray[np.float64] | None:
    """(3,) unit vector towards the sun of a street; None where none is to be seen."""
    heights = WEATHERS[weather].sun
    if heights is None:
        return None
    rng = np.random.default_rng([seed, 31])
    elevation, turn = np.radians(rng.uniform(*heights)), rng.uniform(0.0, 2 * np.pi)
    return np.array([np.cos(elevation) * np.cos(turn), np.cos(elevation) * np.sin(turn), np.sin(elevation)])

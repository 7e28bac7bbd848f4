"""Windows of buses, caravans and cabs by rule: on their parts they are too thin for the prior to have learned them."""

from __future__ import annotations

import numpy as np

from occscene_server.geometry.solids import BOX, Solids

GLASS, PAINT = "gloss", "car_paint"
"""Materials of windows and of what they are in."""
_THICK = 0.05
"""Metres, half of them outside of the body."""
_COLUMN, _BETWEEN = 1.45, 0.12
"""Metres from one side window to the next, and between them."""
_CAB = 2.5
"""Metres up to which a body is a cab, with a short window at each side and none at the back."""
_SIDE, _FRONT, _BACK = (0.35, 0.15), (0.42, 0.1), (0.27, 0.17)
"""Height of windows, and how far they are above the middle, over the body's height."""


def with_windows(vehicle: Solids) -> Solids:
    """The parts of a vehicle, its front along +y, with windows if they have none."""
    painted = [row for row, material in enumerate(vehicle.material) if material == PAINT]
    if GLASS in vehicle.material or not painted:
        return vehicle
    body = max(painted, key=lambda row: float(np.prod(vehicle.size[row])))
    (x, y, z), (wide, long, high) = vehicle.center[body], vehicle.size[body]
    is_cab = long < _CAB
    count = max(1, round((long - 1.0) / _COLUMN))
    step = 0.45 * long if is_cab else (long - 0.6) / count
    panes = [((x, y + long / 2, z + _FRONT[1] * high), (0.86 * wide, _THICK, _FRONT[0] * high))]
    if not is_cab:
        panes.append(((x, y - long / 2, z + _BACK[1] * high), (0.76 * wide, _THICK, _BACK[0] * high)))
    for place in (np.arange(count) - (count - 1) / 2) * step:
        panes += [
            ((x + side * wide / 2, y + place, z + _SIDE[1] * high), (_THICK, step - _BETWEEN, _SIDE[0] * high))
            for side in (-1, 1)
        ]
    center, size = (np.array([pane[index] for pane in panes]) for index in (0, 1))
    return Solids.joined([
        vehicle,
        Solids(
            np.full(len(panes), BOX), center, size, np.tile(np.eye(3), (len(panes), 1, 1)), np.ones(len(panes)),
            (GLASS,) * len(panes), np.full(len(panes), vehicle.role.max() + 1),
        ),
    ])  # fmt: skip

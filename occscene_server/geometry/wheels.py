"""Wheels as one sees them: tyres of bicycles are rings with spokes, wheels of vehicles have rims."""

from __future__ import annotations

import numpy as np

from occscene_server.geometry.solids import ROD, Floats, Ints, Solids

TYRE, STEEL = "rubber", "metal"
"""Materials of tyres, and of rims and spokes."""
_LEAST = 0.4
"""Metres across, below which what is round and of rubber is no wheel."""
_NARROW = 0.1
"""Metres across a tyre up to which it is a bicycle's."""
_SEGMENTS, _SPOKES = 16, 3
_TYRE, _SPOKE = (0.03, 0.05), 0.012
"""Metres: least and greatest thickness of a bicycle's tyre, and that of a spoke."""
_RIM, _OUT = 0.6, 0.02
"""Of a vehicle's wheel: the rim's diameter over the tyre's, and metres that it stands out, both sides together."""


def with_rims(solids: Solids) -> Solids:
    """The parts of a vehicle or a cyclist; discs of rubber get what makes wheels of them."""
    across, wide = solids.size[:, :2].min(1), solids.size[:, 2]
    rubber = np.array([material == TYRE for material in solids.material], bool)
    wheels = (solids.kind == ROD) & rubber & (across > _LEAST) & (wide < across)
    narrow = wheels & (wide < _NARROW)
    role = int(solids.role.max(initial=0)) + 1
    several = [solids.take(np.flatnonzero(~narrow))]
    for row in np.flatnonzero(wheels):
        own = (solids.center[row], solids.size[row], solids.axes[row])
        tyre = int(solids.role[row])
        several.append(_bicycle_wheel(*own, (tyre, role)) if narrow[row] else _rim(*own, role))
    return Solids.joined(several)


def _bicycle_wheel(center: Floats, size: Floats, axes: Floats, roles: tuple[int, int]) -> Solids:
    """A ring of rods and spokes across it; `roles` are those of the tyre and of the spokes."""
    thick = float(np.clip(size[2], *_TYRE))
    turn = np.arange(_SEGMENTS + 1) * (2 * np.pi / _SEGMENTS)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (size[:2] - thick) / 2
    half_turn = np.arange(_SPOKES) * (np.pi / _SPOKES)
    ends = np.stack([np.cos(half_turn), np.sin(half_turn)], axis=1) * (size[:2] - thick) / 2
    begin, end = np.concatenate([circle[:-1], -ends]), np.concatenate([circle[1:], ends])
    along = (end - begin) @ axes[:, :2].T
    length = np.linalg.norm(along, axis=1)
    own_z = along / length[:, None]
    own_x = np.broadcast_to(axes[:, 2], own_z.shape)
    own_axes = np.stack([own_x, np.cross(own_z, own_x), own_z], axis=2)
    across = np.repeat([thick, _SPOKE], [_SEGMENTS, _SPOKES])
    length[:_SEGMENTS] += thick / 4  # closes the gaps between them
    return _rods(
        center + (begin + end) / 2 @ axes[:, :2].T,
        np.column_stack([across, across, length]),
        own_axes,
        (TYRE,) * _SEGMENTS + (STEEL,) * _SPOKES,
        np.repeat(roles, [_SEGMENTS, _SPOKES]),
    )


def _rim(center: Floats, size: Floats, axes: Floats, role: int) -> Solids:
    return _rods(center[None], (size * (_RIM, _RIM, 1.0) + (0, 0, _OUT))[None], axes[None], (STEEL,), np.array([role]))


def _rods(center: Floats, size: Floats, axes: Floats, materials: tuple[str, ...], role: Ints) -> Solids:
    count = len(materials)
    return Solids(np.full(count, ROD), center, size, axes, np.ones(count), materials, role)

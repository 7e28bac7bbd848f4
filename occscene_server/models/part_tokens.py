"""Parts as whole numbers, for a network that draws them one at a time.

Where a part lies along an axis of the object's box is said as its maker thought of it: so far from both faces, from one
face and so long, or so far from the middle and so long. Boards then keep their thickness and legs their inset in a box
of any size, and a number says the same in all of them. Rods are said by their ends and their width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from occscene_server.geometry.solids import CYLINDER, ROD, WALLS, Floats, Ints, Solids

MAX_PARTS = 24
LENGTHS, ANGLES, TAPERS, ROLES = 104, 128, 33, 10
SPAN, LOW, HIGH, ABOVE_MIDDLE, BELOW_MIDDLE = range(5)

KINDS = {"indoor": 9, "outdoor": 12}
"""How many kinds of parts each domain has: those of rooms end with rows of books, walls with windows come after."""
_NUMBER_OF_KIND = np.array([*range(WALLS[0]), *(wall + 1 for wall in WALLS), WALLS[0]])
_KIND_OF_NUMBER = np.argsort(_NUMBER_OF_KIND)

NUMBERS = {
    "kind": max(KINDS.values()), "symmetry": 4, "material": 0, "role": ROLES,
    "mode_x": 5, "mode_y": 5, "mode_z": 5,
    "x_1": LENGTHS, "x_2": LENGTHS, "y_1": LENGTHS, "y_2": LENGTHS, "z_1": LENGTHS, "z_2": LENGTHS,
    "slant": 4, "width": LENGTHS, "taper": TAPERS,
    "turned": 2, "turn_x": ANGLES, "turn_y": ANGLES, "turn_z": ANGLES,
}  # fmt: skip
"""Numbers of a part in the order in which they are drawn, and how many values each has; of materials as many as the
vocabulary."""

COLUMN = {name: column for column, name in enumerate(NUMBERS)}

_FINE, _GROWTH = 0.04, 0.04
"""Lengths grow by 1.6 mm at first, by 4 cm at a metre, up to 2.4 m; all of it times `UNITS`."""
UNITS = {"indoor": 1.0, "outdoor": 5.0}
"""By which lengths are divided in each domain."""
_LEAST = 0.002
_TURNED = 0.01


def encode_lengths(length: Floats) -> Ints:
    """Metres to numbers; what is below 0 counts as 0."""
    steps = np.rint(np.log1p(np.maximum(length, 0.0) / _FINE) / _GROWTH).astype(np.int64)
    return np.minimum(steps, LENGTHS - 1)


def decode_lengths(number: Ints) -> Floats:
    """The inverse of `encode_lengths`."""
    length: Floats = _FINE * np.expm1(number * _GROWTH)
    return length


def applies(name: str, numbers: Any) -> Any:
    """For which parts (P, numbers) a number means something; elsewhere it is 0. Works on tensors too."""
    kind = numbers[..., COLUMN["kind"]]
    if name in ("slant", "width"):
        return kind == ROD
    if name == "taper":
        return (kind == ROD) | (kind == CYLINDER)
    if name == "turned":
        return kind != ROD
    if name.startswith("turn_"):
        return (numbers[..., COLUMN["turned"]] > 0) & (kind != ROD)
    return kind >= 0


def encode_parts(solids: Solids, symmetry: Ints, material: Ints, box: Floats, unit: float = 1.0) -> Ints:
    """Groups of parts to numbers (P, 20).

    Args:
        solids: one part of each group.
        symmetry: (P,) of the groups.
        material: (P,) row of the vocabulary.
        box: (P, 3) size of each one's object, metres.
        unit: by which lengths are divided.
    """
    numbers = np.zeros((len(solids), len(NUMBERS)), np.int64)
    rod = solids.kind == ROD
    along = solids.axes[:, :, 2] * solids.size[:, 2:]
    extent = np.where(rod[:, None], np.abs(along), _turned_size(solids.kind, solids.axes, solids.size))
    low = solids.center - extent / 2 + box / 2
    high = box / 2 - solids.center - extent / 2
    middle = solids.center
    spans = extent > box / 2
    nearest = np.argmin(np.stack([np.abs(middle), low, high], 0), axis=0)
    mode = np.where(nearest == 0, np.where(middle < 0, BELOW_MIDDLE, ABOVE_MIDDLE), nearest)
    mode = np.where(spans, SPAN, mode)
    first = np.choose(mode, [low, low, high, middle, -middle])
    second = np.where(spans, high, extent)
    columns: dict[str, Ints] = {
        "kind": _NUMBER_OF_KIND[solids.kind], "symmetry": symmetry, "material": material,
        "role": np.minimum(solids.role, ROLES - 1),
        "slant": 2 * (along[:, 0] < -1e-3) + (along[:, 1] < -1e-3),
        "width": encode_lengths(solids.size[:, 0] / unit),
        "taper": np.clip(np.rint(np.log2(solids.taper) * 8).astype(np.int64) + TAPERS // 2, 0, TAPERS - 1),
    }  # fmt: skip
    for axis, letter in enumerate("xyz"):
        columns[f"mode_{letter}"] = mode[:, axis]
        columns[f"{letter}_1"], columns[f"{letter}_2"] = (
            encode_lengths(value[:, axis] / unit) for value in (first, second)
        )
    angles = _angles(solids.axes)
    columns["turned"] = ((np.abs(angles) > _TURNED).any(1) & (solids.kind != CYLINDER)).astype(np.int64)
    steps = np.rint(angles / (2 * np.pi) * ANGLES).astype(np.int64) % ANGLES
    columns |= {f"turn_{letter}": steps[:, axis] for axis, letter in enumerate("xyz")}
    for name, values in columns.items():
        numbers[:, COLUMN[name]] = values
    for name in NUMBERS:
        numbers[:, COLUMN[name]] *= applies(name, numbers)
    return numbers


def decode_parts(numbers: Ints, materials: tuple[str, ...], box: Floats, unit: float = 1.0) -> tuple[Solids, Ints]:
    """The inverse of `encode_parts` for one object with a box (3,): one part of each group, and the symmetries."""
    column = {name: numbers[:, index] for name, index in COLUMN.items()}
    center, extent = np.zeros((len(numbers), 3)), np.zeros((len(numbers), 3))
    for axis, letter in enumerate("xyz"):
        mode = column[f"mode_{letter}"]
        first, second = (unit * decode_lengths(column[f"{letter}_{end}"]) for end in (1, 2))
        length = float(box[axis])
        first = np.minimum(first, length / 2)
        size = np.where(mode == SPAN, length - first - second, np.minimum(second, length))
        size = np.maximum(size, 0.0)
        from_low = first + size / 2 - length / 2
        center[:, axis] = np.choose(mode, [from_low, from_low, -from_low, first, -first])
        extent[:, axis] = size
    rod = column["kind"] == ROD
    slant = np.stack([1 - 2 * (column["slant"] // 2), 1 - 2 * (column["slant"] % 2), np.ones_like(column["slant"])], 1)
    along = extent * slant
    length = np.linalg.norm(along, axis=1)
    along = np.where(length[:, None] > _LEAST, along / np.maximum(length, 1e-9)[:, None], (0.0, 0.0, 1.0))
    width = np.maximum(unit * decode_lengths(column["width"]), _LEAST)
    angles = np.stack([column[f"turn_{letter}"] for letter in "xyz"], 1) * (2 * np.pi / ANGLES)
    axes = np.where(rod[:, None, None], _frames(along), _rotations(angles * column["turned"][:, None]))
    kind = _KIND_OF_NUMBER[column["kind"]]
    extent = _turned_size(kind, axes.transpose(0, 2, 1), extent)
    size = np.where(rod[:, None], np.stack([width, width, length], 1), extent)
    tapered = rod | (column["kind"] == CYLINDER)
    taper = np.where(tapered, 2.0 ** ((column["taper"] - TAPERS // 2) / 8), 1.0)
    words = tuple(materials[row] for row in column["material"].tolist())
    solids = Solids(kind, center, np.maximum(size, _LEAST), axes, taper, words, column["role"])
    return solids, column["symmetry"]


def _turned_size(kind: Ints, axes: Floats, size: Floats) -> Floats:
    """Sizes (P, 3) of walls along axes (P, 3, 3) from which they are turned by quarters; of other parts as they are."""
    turned = np.einsum("pij,pj->pi", np.rint(np.abs(axes)), size)
    return np.where(np.isin(kind, WALLS)[:, None], turned, size)


def _angles(axes: Floats) -> Floats:
    """Angles (P, 3) about x, y, z of rotations Rz Ry Rx."""
    y = np.arcsin(np.clip(-axes[:, 2, 0], -1.0, 1.0))
    return np.stack([np.arctan2(axes[:, 2, 1], axes[:, 2, 2]), y, np.arctan2(axes[:, 1, 0], axes[:, 0, 0])], axis=1)


def _rotations(angles: Floats) -> Floats:
    """The inverse of `_angles`."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    return np.stack(
        [
            np.stack([cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx], 1),
            np.stack([sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx], 1),
            np.stack([-sy, cy * sx, cy * cx], 1),
        ],
        1,
    )


def _frames(direction: Floats) -> Floats:
    """Rotations (P, 3, 3) whose z axis is a direction (P, 3)."""
    helper = np.where(np.abs(direction[:, :1]) < 0.9, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    side = np.cross(direction, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([side, np.cross(direction, side), direction], 2)

"""Traffic signs by rule: plates with the outline and the colors that their words name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from occscene_server.geometry.solids import BOX, CYLINDER, Floats, Solids

Mark = tuple[float, float, float, str]
"""A bar on a sign: where its middle is across, its width and height, of the sign's, and its material."""


@dataclass(frozen=True)
class SignKind:
    """A kind of sign.

    Args:
        word: that names it.
        outline: "round", "triangle", "square" or "diamond".
        rim, face: materials.
        marks: what is on the face.
    """

    word: str
    outline: str
    rim: str
    face: str
    marks: tuple[Mark, ...] = ()


_LETTER: tuple[Mark, ...] = ((-0.12, 0.12, 0.55, "sign_white"), (0.04, 0.28, 0.14, "sign_white"))
_NUMBER: tuple[Mark, ...] = ((-0.14, 0.14, 0.34, "sign_black"), (0.14, 0.14, 0.34, "sign_black"))
KINDS = (
    SignKind("stop", "round", "sign_red", "sign_red", ((0.0, 0.64, 0.22, "sign_white"),)),
    SignKind("warning", "triangle", "sign_red", "sign_white"),
    SignKind("no parking", "round", "sign_red", "sign_blue"),
    SignKind("parking", "square", "sign_blue", "sign_blue", _LETTER),
    SignKind("crossing", "square", "sign_blue", "sign_white", ((0.0, 0.12, 0.4, "sign_black"),)),
    SignKind("direction", "round", "sign_blue", "sign_blue", ((0.0, 0.12, 0.6, "sign_white"),)),
    SignKind("priority", "diamond", "sign_white", "sign_yellow"),
    SignKind("", "round", "sign_red", "sign_white", _NUMBER),
)
"""The first whose word is said; the last, a speed limit, where none is."""
_FACE = 0.78
"""Size of a face over that of its rim."""
_OUT = 0.01
"""Metres that the face stands out of the rim, and marks out of the face."""


def sign_plates(size: Floats, words: str) -> Solids:
    """The parts of a traffic sign, alike from both sides.

    Args:
        size: (3,) of its box, metres; the thinner of its sides is its depth.
        words: that it is called by.
    """
    kind = next(kind for kind in KINDS if kind.word in words.lower())
    turned = size[0] < size[1]
    wide, thick, high = size[[1, 0, 2]] if turned else size
    rim = np.array([wide, thick, high])
    face = rim * (_FACE, 1.0, _FACE) + (0, 2 * _OUT, 0)
    low = (0.0, 0.0, (_FACE - 1) * high / 6 if kind.outline == "triangle" else 0.0)
    plates = [
        _plate(kind.outline, np.zeros(3), rim, kind.rim, 0),
        _plate(kind.outline, np.array(low), face, kind.face, 1),
    ]
    for across, part_wide, part_high, material in kind.marks:
        mark = np.array([part_wide * wide, thick + 4 * _OUT, part_high * high])
        plates.append(_plate("square", np.array([across * wide, 0.0, 0.0]), mark, material, 2))
    solids = Solids.joined(plates)
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return solids.rotated(quarter) if turned else solids


def _plate(outline: str, center: Floats, size: Floats, material: str, role: int) -> Solids:
    """One plate: across x, its depth along y, z upwards."""
    axes, taper = np.eye(3), 1.0
    if outline == "round":  # a disc, its axis along y
        axes, size = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]).T, size[[0, 2, 1]]
    elif outline == "triangle":  # a flat cone
        taper, size = 0.02, size * (1.0, 2.0, 1.0)
    elif outline == "diamond":
        half = np.sqrt(0.5)
        side = half * min(size[0], size[2])
        axes, size = np.array([[half, 0, half], [0, 1, 0], [-half, 0, half]]), np.array([side, size[1], side])
    shape = CYLINDER if outline in ("round", "triangle") else BOX
    return Solids(
        np.array([shape]), center[None], size[None], axes[None], np.array([taper]), (material,), np.array([role])
    )

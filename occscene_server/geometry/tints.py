"""Colors that surfaces of streets have whatever color their object has: tyres are black, on a red bus too."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.materials import MATERIALS

_CODES = {
    "gloss": ("0d1114",),
    "hair": ("1c1512", "4a2f1d", "a47a45", "8d8a86"),
    "lamp": ("dfe6ea",),
    "lit_pane": ("28323a",),
    "marking": ("d8d8d2",),
    "metal": ("8f9496",),
    "pane": ("28323a",),
    "roof_tiles": ("8a3b2a", "5c3a2c", "44484e"),
    "rubber": ("161616",),
    "sign_black": ("15161a",),
    "sign_blue": ("1c4fa0",),
    "sign_red": ("b3141b",),
    "sign_white": ("e9e8e2",),
    "sign_yellow": ("e3b505",),
    "skin": ("e8bfa0", "c9926b", "8a5a3c", "e8bfa0", "e8bfa0"),
    "trousers": ("26304a", "1d1d1f", "6f6f70", "a8977c"),
}
"""By material the studio's colors, sRGB in hexadecimal digits; with several of them, each object has one."""
TINTS = torch.tensor([tuple(bytes.fromhex(code)) for codes in _CODES.values() for code in codes]) / 127.5 - 1
"""(C, 3) sRGB in [-1, 1]."""
_FIRST, _COUNT = np.zeros((2, len(MATERIALS)), np.int64)
for _name, _codes in _CODES.items():
    _row = MATERIALS.index(_name)
    _FIRST[_row], _COUNT[_row] = 1 + _COUNT.sum(), len(_codes)


def tint_rows(materials: Tensor, objects: Tensor) -> Tensor:
    """Which of `TINTS` surfaces have, counted from 1; 0 for those of their object's color.

    Args:
        materials: int64 rows of `MATERIALS`.
        objects: of the same shape, int64 rows of a scene's table of objects.
    """
    first, count = (torch.from_numpy(column).to(objects.device)[materials] for column in (_FIRST, _COUNT))
    return first + objects % count.clamp_min(1)


def tint_hints(count: int) -> Tensor:
    """All tints again and again as hints of `ObjectTable`, (count, 4)."""
    return F.pad(TINTS, (0, 1), value=1.0).repeat(count // len(TINTS), 1)

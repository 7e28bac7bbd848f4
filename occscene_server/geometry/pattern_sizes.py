"""Sizes of the modular patterns on surfaces, metres: what the studio draws and what the networks are built to see.

They are octametric, after the bricks of DIN 4172; half of them where a material has the scale 1/2.
"""

from __future__ import annotations

PANEL = 1.0
"""A panel of concrete, and the width of a mat."""
BLOCK = 0.5
"""A block of parquet, a pane's height, and the repeat of damask, chequers and carpets."""
TILE = 0.25
"""A tile, a pane's width, and the repeat of stripes."""
PLANK = 0.125
"""The width of a floor board."""
BRICK, COURSE = 0.25, 0.25 / 3
"""The length of a brick and the height of a row of them; every other row is shifted by half a brick."""

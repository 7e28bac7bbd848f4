"""The colours that words name: what the studio paints with, and what views are asked to show."""

from __future__ import annotations

Color = tuple[float, float, float]


def linear_rgb(code: str) -> Color:
    """Linear RGB of an sRGB hex code (IEC 61966-2-1)."""
    channels = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return (r, g, b)


COLORS: dict[str, Color] = {
    word: linear_rgb(code)
    for word, code in {
        "white": "e9e7e2", "cream": "ebdfc2", "beige": "cdb78f", "grey": "87898c", "black": "1b1b1d",
        "brown": "6a4127", "red": "b41f28", "orange": "dc6a1b", "yellow": "ebc530", "mustard": "c8901a",
        "green": "2d7c3c", "olive": "6d6e2d", "teal": "1b7d7f", "blue": "2b5eb9", "navy": "1a2954",
        "purple": "6a3c93", "pink": "de8fa6", "terracotta": "b75a3b",
    }.items()
}  # fmt: skip

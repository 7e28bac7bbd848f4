"""The colours that words name: what the studio paints with, and what views are asked to show."""

from __future__ import annotations

import re

from occscene.srgb import LinearColor, linear_rgb

COLORS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "white": "e9e7e2", "cream": "ebdfc2", "beige": "cdb78f", "grey": "87898c", "black": "1b1b1d",
        "brown": "6a4127", "red": "b41f28", "orange": "dc6a1b", "yellow": "ebc530", "mustard": "c8901a",
        "green": "2d7c3c", "olive": "6d6e2d", "teal": "1b7d7f", "blue": "2b5eb9", "navy": "1a2954",
        "purple": "6a3c93", "pink": "de8fa6", "terracotta": "b75a3b",
    }.items()
}  # fmt: skip

WOODS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "oak": "b4884f", "walnut": "5c3b25", "pine": "d8ae6e", "birch": "dec69b", "cherry": "8c4527", "ebony": "2a201b",
        "teak": "9b6434", "mahogany": "5e2419",
    }.items()
}  # fmt: skip
_NAMED = COLORS | WOODS | {"gray": COLORS["grey"], "brass": linear_rgb("c9a24e"), "copper": linear_rgb("b8724f")}
_WORDS = re.compile(rf"\b({'|'.join(_NAMED)})\b")


def named_colors(text: str) -> list[LinearColor]:
    """The colors, linear RGB, that a text names, woods and metals among them, in its order."""
    return [_NAMED[word] for word in _WORDS.findall(text.lower())]

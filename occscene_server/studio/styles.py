"""Colours and interior styles: which fabrics, woods, walls and floors go together, with the words that name them."""

from __future__ import annotations

from dataclasses import dataclass

from occscene.srgb import LinearColor, linear_rgb

from occscene_server.metrics import palette
from occscene_server.metrics.palette import COLORS

PLAIN_COLORS = tuple(word for word in COLORS if word not in ("cream", "terracotta"))

PALE_WALLS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "white": "eceae6", "cream": "ece1c8", "grey": "a5a8ab", "beige": "d3c1a0", "green": "7fa583", "blue": "7c9cc4",
        "pink": "dba9b3", "yellow": "e6cf79", "terracotta": "b9674a", "teal": "3f8b8c", "navy": "25365f",
        "olive": "81824f", "red": "98323a", "purple": "8f72a8", "black": "2b2b2e", "brown": "7d5a43",
        "orange": "d08a4e",
    }.items()
}  # fmt: skip

WOODS: dict[str, tuple[LinearColor, str]] = {
    word: (palette.WOODS[word], plain)
    for word, plain in {
        "oak": "brown", "walnut": "brown", "pine": "beige", "birch": "beige", "cherry": "brown", "ebony": "black",
        "teak": "brown", "mahogany": "brown",
    }.items()
}  # fmt: skip
METALS: dict[str, LinearColor] = {
    "brass": linear_rgb("c9a24e"),
    "steel": linear_rgb("a9abad"),
    "black steel": linear_rgb("26272a"),
    "copper": linear_rgb("b8724f"),
    "white steel": linear_rgb("dcdcda"),
}
FABRIC_WORDS = {
    "velvet": "velvet",
    "fabric": "linen",
    "leather": "leather",
    "knit": "knitted",
    "stripes": "striped",
    "checker": "checked",
}

Surface = tuple[str, tuple[str, ...]]
"""A material kind and the colour (or wood) words that it comes in."""


@dataclass(frozen=True)
class Style:
    """What a style's rooms are made of; a tuple's entries are equally likely, so a repeated one is likelier.

    Args:
        name: the prompt's word for it.
        fabrics: material kinds of upholstery.
        colors: colour words of upholstery, paint and decor.
        woods, metals: words of `WOODS` and `METALS`.
        walls, floors: material kinds with their colours.
        metal_legs: probability that legs are metal.
        painted: probability that a body is painted and not wood.
        plump: roundness of upholstery in [0, 1]; low: furniture is low when above 0.5.
    """

    name: str
    fabrics: tuple[str, ...]
    colors: tuple[str, ...]
    woods: tuple[str, ...]
    metals: tuple[str, ...]
    walls: tuple[Surface, ...]
    floors: tuple[Surface, ...]
    metal_legs: float = 0.3
    painted: float = 0.3
    plump: float = 0.5
    low: float = 0.0


STYLES: tuple[Style, ...] = (
    Style(
        "scandinavian", ("fabric", "knit", "fabric", "velvet"), ("grey", "white", "blue", "mustard", "pink", "teal"),
        ("oak", "birch", "pine"), ("black steel", "brass", "white steel"),
        (("plaster", ("white", "grey", "blue", "green", "pink")), ("painted", ("white", "cream", "beige"))),
        (("planks", ("oak", "birch", "pine")), ("parquet", ("oak", "birch"))),
        metal_legs=0.15, painted=0.35, plump=0.5,
    ),
    Style(
        "industrial", ("leather", "leather", "fabric"), ("brown", "black", "grey", "olive", "orange", "red"),
        ("walnut", "teak", "oak"), ("black steel", "black steel", "copper"),
        (("brick", ("red", "white", "terracotta", "brown")), ("concrete", ("grey",)), ("plaster", ("grey", "black"))),
        (("concrete", ("grey",)), ("planks", ("walnut", "teak")), ("tiles", ("black", "grey"))),
        metal_legs=0.85, painted=0.25, plump=0.3,
    ),
    Style(
        "japanese", ("fabric", "fabric", "knit"), ("beige", "white", "navy", "olive", "black", "red"),
        ("birch", "oak", "ebony"), ("black steel", "brass"),
        (("shoji", ("white",)), ("plaster", ("cream", "beige", "olive")), ("painted", ("white",))),
        (("tatami", ("green", "beige")), ("tatami", ("beige",)), ("planks", ("birch", "oak"))),
        metal_legs=0.05, painted=0.1, plump=0.25, low=1.0,
    ),
    Style(
        "victorian", ("velvet", "velvet", "leather", "stripes"), ("red", "green", "purple", "navy", "mustard", "brown"),
        ("mahogany", "cherry", "walnut"), ("brass", "brass", "copper"),
        (("wallpaper_damask", ("red", "green", "blue", "purple", "cream")),
         ("wallpaper_stripes", ("red", "green", "beige"))),
        (("parquet", ("cherry", "walnut", "mahogany")), ("checker", ("black",)), ("marble", ("white", "grey"))),
        metal_legs=0.05, painted=0.1, plump=0.85,
    ),
    Style(
        "modern", ("fabric", "leather", "velvet"), ("white", "black", "grey", "red", "yellow", "blue", "teal"),
        ("ebony", "oak", "walnut"), ("steel", "black steel", "white steel"),
        (("painted", ("white", "grey", "black", "navy", "yellow", "teal")), ("concrete", ("grey",)),
         ("stone", ("beige",))),
        (("terrazzo", ("white", "grey", "beige")), ("tiles", ("white", "black", "grey")), ("planks", ("oak", "ebony"))),
        metal_legs=0.6, painted=0.65, plump=0.25, low=0.3,
    ),
    Style(
        "rustic", ("checker", "knit", "fabric", "leather"), ("brown", "red", "olive", "beige", "orange", "cream"),
        ("pine", "teak", "oak"), ("black steel", "copper"),
        (("stone", ("grey", "beige")), ("plaster", ("cream", "terracotta", "yellow")), ("planks", ("pine", "teak"))),
        (("planks", ("teak", "oak", "walnut")), ("stone", ("grey", "beige")), ("tiles", ("terracotta",))),
        metal_legs=0.05, painted=0.15, plump=0.6,
    ),
    Style(
        "mid-century", ("velvet", "fabric", "leather"), ("mustard", "orange", "teal", "olive", "brown", "pink"),
        ("walnut", "teak", "cherry"), ("brass", "black steel"),
        (("painted", ("white", "teal", "olive", "orange", "beige")),
         ("wallpaper_stripes", ("yellow", "orange", "teal"))),
        (("parquet", ("teak", "walnut", "oak")), ("terrazzo", ("beige", "pink", "white")), ("planks", ("walnut",))),
        metal_legs=0.1, painted=0.25, plump=0.45,
    ),
    Style(
        "bohemian", ("knit", "stripes", "velvet", "fabric"),
        ("orange", "pink", "purple", "teal", "mustard", "red", "blue"),
        ("teak", "pine", "oak"), ("brass", "copper"),
        (("plaster", ("terracotta", "pink", "white", "teal", "yellow")),
         ("wallpaper_damask", ("teal", "pink", "orange"))),
        (("planks", ("oak", "teak")), ("tiles", ("terracotta", "teal", "blue")), ("parquet", ("oak",))),
        metal_legs=0.1, painted=0.4, plump=0.75,
    ),
    Style(
        "mediterranean", ("fabric", "stripes", "fabric"), ("blue", "white", "yellow", "terracotta", "teal"),
        ("pine", "oak", "teak"), ("black steel", "copper"),
        (("plaster", ("white", "yellow", "terracotta", "blue")), ("stone", ("beige",))),
        (("tiles", ("terracotta", "white", "blue")), ("terrazzo", ("white", "beige")), ("checker", ("blue",))),
        metal_legs=0.2, painted=0.5, plump=0.5,
    ),
    Style(
        "art deco", ("velvet", "velvet", "leather"), ("green", "navy", "black", "pink", "purple", "mustard"),
        ("ebony", "walnut", "mahogany"), ("brass", "brass", "steel"),
        (("painted", ("navy", "green", "pink", "teal", "purple")), ("wallpaper_damask", ("navy", "green", "cream"))),
        (("checker", ("black",)), ("marble", ("white", "black", "green")), ("parquet", ("walnut", "ebony"))),
        metal_legs=0.6, painted=0.4, plump=0.8,
    ),
)  # fmt: skip

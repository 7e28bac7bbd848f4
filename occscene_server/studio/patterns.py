"""The procedural patterns: one function a kind, from a `MaterialSpec` to what the surface looks like.

Sizes are real and modular: see `geometry.pattern_sizes`. Regular patterns run on `ShaderGraph.surface`, from the middle
of the room over all walls, floor and furniture, and are even about it, so that a pattern is a function of its kind and
of where in the room a surface lies. Here `scale` is a factor on those sizes: see `at_natural_scale`.
"""

from __future__ import annotations

import colorsys
from dataclasses import replace

import bpy
import numpy as np

from occscene_server.geometry.pattern_sizes import BLOCK, BRICK, COURSE, PANEL, PLANK, TILE
from occscene_server.studio.room import MaterialSpec
from occscene_server.studio.shader_graph import Color, ShaderGraph, Surface

REPEATS = {
    "planks": 0.12, "parquet": 0.36, "brick": 0.22, "concrete": 1.2, "tiles": 0.25, "stone": 0.26, "terrazzo": 0.065,
    "wallpaper_stripes": 0.18, "wallpaper_damask": 0.32, "shoji": 0.24, "tatami": 0.9, "wood": 0.28, "velvet": 0.02,
    "fabric": 0.02, "leather": 0.05, "knit": 0.04, "stripes": 0.12, "checker": 0.28, "rug_pattern": 0.4,
    "foliage": 0.07, "picture": 0.3,
}  # fmt: skip
"""The repeat in metres at which each kind that has one is drawn at its full size."""


def at_natural_scale(spec: MaterialSpec) -> MaterialSpec:
    """The same material with its repeat in metres turned into a factor on the kind's natural one: 1, or 1/2 below 0.7.

    Steps of two keep all patterns on one modular grid; a finer pattern would be lost at 256 pixels.
    """
    return replace(spec, scale=1.0 if spec.scale > 0.7 * REPEATS.get(spec.kind, 1.0) else 0.5)


def _rows_centered(graph: ShaderGraph, row: float) -> bpy.types.NodeSocket:
    """Surface coordinates with the middle of a row, not a joint, in the middle of the room: rows' offsets are even."""
    return graph.stretch(graph.surface, (1.0, 1.0, 1.0), (0.0, row / 2, 0.0))


def shade(color: Color, factor: float) -> Color:
    """The colour times `factor`, within [0, 1]."""
    red, green, blue = (min(1.0, channel * factor) for channel in color)
    return red, green, blue


def _moved(graph: ShaderGraph, spec: MaterialSpec) -> bpy.types.NodeSocket:
    """Local coordinates moved at random, so that two materials of a kind differ."""
    offset = np.random.default_rng(spec.seed).uniform(0.0, 40.0, 3)
    return graph.stretch(graph.local, (1.0, 1.0, 1.0), tuple(float(value) for value in offset))


def _grain(graph: ShaderGraph, vector: bpy.types.NodeSocket, size: float) -> bpy.types.NodeSocket:
    """Wood grain along x in [0, 1]."""
    streaks = graph.noise(graph.stretch(vector, (1.6 / size, 26.0 / size, 26.0 / size)), 1.0, 3.0)
    return graph.smoothstep(streaks, 0.3, 0.7)


def wood(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Solid wood, its grain along local x."""
    grain = _grain(graph, _moved(graph, spec), spec.scale)
    return Surface(graph.gain(spec.color, grain, 0.62, 1.25), roughness=0.45)


def planks(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Floor boards along x, each of another shade, with dark gaps."""
    row = PLANK * spec.scale
    board, gap = graph.bricks(_rows_centered(graph, row), 2.0 * spec.scale, row, 0.012)
    grain = _grain(graph, graph.stretch(graph.surface, (1.0, 1.0, 1.0), board), spec.scale)
    color = graph.gain(graph.gain(spec.color, board, 0.75, 1.22), grain, 0.82, 1.12)
    return Surface(graph.mix(gap, color, shade(spec.color, 0.22)), roughness=0.38)


def parquet(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Square blocks of four slats, turned in a chequer."""
    block = BLOCK * spec.scale
    x, y, _ = graph.axes(graph.stretch(graph.surface, (1.0, 1.0, 1.0), (block / 2, block / 2, 0.0)))
    column, row = (graph.math("FLOOR", graph.math("DIVIDE", axis, block)) for axis in (x, y))
    turned = graph.math("FLOORED_MODULO", graph.math("ADD", column, row), 2.0)
    turn = graph.node("ShaderNodeMix", {0: turned, 4: graph.vector(x, y), 5: graph.vector(y, x)}, data_type="VECTOR")
    vector = turn.outputs[1]
    slat, gap = graph.bricks(vector, block, block / 4, 0.012, offset=0.0)
    grain = _grain(graph, graph.stretch(vector, (1.0, 1.0, 1.0), slat), spec.scale)
    shaded = graph.gain(graph.gain(spec.color, slat, 0.75, 1.2), turned, 0.85, 1.12)
    color = graph.gain(shaded, grain, 0.82, 1.12)
    return Surface(graph.mix(gap, color, shade(spec.color, 0.25)), roughness=0.32)


def brick(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Running bond of 25 x 8.3 cm bricks with mortar in the accent colour."""
    stone, mortar = graph.bricks(graph.surface, BRICK * spec.scale, COURSE * spec.scale, 0.016)
    rough = graph.noise(_moved(graph, spec), 9.0, 2.0)
    color = graph.gain(graph.gain(spec.color, stone, 0.7, 1.3), rough, 0.75, 1.25)
    height = graph.math("SUBTRACT", 1.0, mortar)
    return Surface(graph.mix(mortar, color, spec.accent), roughness=0.9, height=height, height_scale=0.012)


def plaster(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """A matt wall with soft clouds of shade."""
    clouds = graph.smoothstep(graph.noise(_moved(graph, spec), 1.7 / spec.scale, 3.0), 0.3, 0.7)
    return Surface(graph.gain(spec.color, clouds, 0.9, 1.05), roughness=0.95)


def concrete(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Blotched concrete cast in panels of 1 m."""
    vector = _moved(graph, spec)
    side = PANEL * spec.scale
    panel, seam = graph.bricks(graph.surface, side, side, 0.016, offset=0.0)
    blotches = graph.smoothstep(graph.noise(vector, 2.4, 4.0), 0.3, 0.7)
    color = graph.gain(graph.gain(spec.color, blotches, 0.72, 1.15), panel, 0.92, 1.08)
    return Surface(graph.mix(seam, color, shade(spec.color, 0.45)), roughness=0.8)


def tiles(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Square glazed tiles of 25 cm with grout in the accent colour."""
    tile, grout = graph.bricks(graph.surface, TILE * spec.scale, TILE * spec.scale, 0.014, offset=0.0)
    return Surface(graph.mix(grout, graph.gain(spec.color, tile, 0.86, 1.12), spec.accent), roughness=0.2)


def marble(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Polished stone with veins in the accent colour."""
    vector = _moved(graph, spec)
    warp = graph.noise(vector, 2.0 / spec.scale, 4.0)
    bent = graph.vector(warp, warp, warp)
    field = graph.noise(graph.stretch(bent, (2.6, 2.6, 2.6), vector), 1.6 / spec.scale, 3.0)
    distance = graph.math("ABSOLUTE", graph.math("SUBTRACT", field, 0.5))
    vein = graph.math("SUBTRACT", 1.0, graph.smoothstep(distance, 0.0, 0.045))
    strength = graph.math("MULTIPLY", vein, 0.75)
    return Surface(graph.mix(strength, graph.gain(spec.color, warp, 0.88, 1.1), spec.accent), roughness=0.15)


def stone(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Irregular field stones of about 25 cm with joints in the accent colour."""
    vector = _moved(graph, spec)
    size = 0.26 * spec.scale
    tone, _, _ = graph.axes(graph.cells(vector, size).outputs["Color"])
    joint = graph.smoothstep(graph.cells(vector, size, "DISTANCE_TO_EDGE").outputs["Distance"], 0.03, 0.09)
    mottled = graph.gain(graph.gain(spec.color, tone, 0.6, 1.35), graph.noise(vector, 11.0), 0.75, 1.25)
    return Surface(graph.mix(joint, spec.accent, mottled), roughness=0.85, height=joint, height_scale=0.02)


def terrazzo(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Chips of the accent colour and its neighbours in a plain ground."""
    node = graph.cells(_moved(graph, spec), 0.065 * spec.scale)
    tone, pick, _ = graph.axes(node.outputs["Color"])
    near = graph.math("LESS_THAN", node.outputs["Distance"], 0.36)
    chip = graph.math("MULTIPLY", near, graph.math("GREATER_THAN", pick, 0.3))
    gray = float(np.mean(spec.color))
    warm = (0.62, 0.38, 0.25)
    colors = [spec.accent, shade((gray, gray, gray), 0.35), warm, shade(spec.accent, 1.6)]
    return Surface(graph.mix(chip, spec.color, graph.ramp(tone, colors)), roughness=0.25)


def wallpaper_stripes(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Vertical stripes of 12.5 cm."""
    x, _, _ = graph.axes(graph.surface)
    wide = graph.smoothstep(graph.wave(x, TILE * spec.scale), -0.06, 0.06)
    return Surface(graph.mix(wide, spec.color, spec.accent), roughness=0.85)


def wallpaper_damask(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Staggered ornaments of 50 cm in the accent colour."""
    x, y, _ = graph.axes(graph.surface)
    repeat = BLOCK * spec.scale
    lattice = graph.math("MULTIPLY", graph.wave(x, repeat), graph.wave(y, repeat))
    petals = graph.math("MULTIPLY", graph.wave(x, repeat / 3), graph.wave(y, repeat / 4))
    curl = graph.math("MULTIPLY", graph.wave(x, repeat / 2), 0.35)
    field = graph.math("ADD", graph.math("MULTIPLY_ADD", petals, 0.38, lattice), curl)
    ring = graph.math("ABSOLUTE", graph.math("SUBTRACT", field, 0.55))
    shape = graph.math("MAXIMUM", graph.smoothstep(field, 0.78, 0.88), graph.smoothstep(ring, 0.12, 0.06))
    return Surface(graph.mix(shape, spec.color, spec.accent), roughness=0.75)


def shoji(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Paper panes of 25 x 50 cm in a lattice of the accent colour."""
    _, bar = graph.bricks(graph.surface, TILE * spec.scale, BLOCK * spec.scale, 0.035, offset=0.0)
    fibre = graph.noise(_moved(graph, spec), 14.0)
    return Surface(graph.mix(bar, graph.gain(spec.color, fibre, 0.94, 1.06), spec.accent), roughness=0.9)


def tatami(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Straw mats of 2 x 1 m with cloth borders in the accent colour."""
    width = PANEL * spec.scale
    mat, border = graph.bricks(_rows_centered(graph, width), 2 * width, width, 0.06)
    _, y, _ = graph.axes(graph.surface)
    weave = graph.math("MULTIPLY_ADD", graph.wave(y, 0.05), 0.5, 0.5)
    straw = graph.noise(graph.stretch(_moved(graph, spec), (4.0, 60.0, 60.0)), 1.0)
    color = graph.gain(graph.gain(graph.gain(spec.color, weave, 0.88, 1.1), straw, 0.8, 1.2), mat, 0.9, 1.1)
    return Surface(graph.mix(border, color, spec.accent), roughness=0.8)


def painted(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Plain satin paint."""
    wear = graph.noise(_moved(graph, spec), 3.0)
    return Surface(graph.gain(spec.color, wear, 0.94, 1.06), roughness=0.4)


def velvet(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Brushed pile: broad soft patches and a sheen at grazing angles."""
    pile = graph.smoothstep(graph.noise(_moved(graph, spec), 7.0 / spec.scale, 2.0), 0.3, 0.7)
    return Surface(graph.gain(spec.color, pile, 0.84, 1.1), roughness=0.75, sheen=0.35)


def fabric(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Coarse woven cloth."""
    vector = _moved(graph, spec)
    warp = graph.noise(graph.stretch(vector, (16.0, 90.0, 90.0)), 1.0 / spec.scale)
    weft = graph.noise(graph.stretch(vector, (90.0, 16.0, 16.0)), 1.0 / spec.scale)
    thread = graph.smoothstep(graph.math("ADD", warp, weft), 0.75, 1.25)
    return Surface(graph.gain(spec.color, thread, 0.7, 1.25), roughness=0.95)


def leather(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Worn leather: creases between soft cells, a dull gloss."""
    vector = _moved(graph, spec)
    crease = graph.smoothstep(graph.cells(vector, 0.04 * spec.scale, "DISTANCE_TO_EDGE").outputs[0], 0.0, 0.12)
    worn = graph.smoothstep(graph.noise(vector, 4.0), 0.3, 0.7)
    return Surface(graph.gain(graph.gain(spec.color, crease, 0.8, 1.03), worn, 0.8, 1.2), roughness=0.35)


def knit(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Thick knitting: columns of V-shaped stitches, 4 cm wide."""
    x, y, z = graph.axes(_moved(graph, spec))
    zigzag = graph.ping_pong(x, 0.06 * spec.scale)
    along = graph.math("ADD", graph.math("ADD", y, z), zigzag)
    stitch = graph.math("MULTIPLY_ADD", graph.wave(along, 0.04 * spec.scale), 0.5, 0.5)
    return Surface(graph.gain(spec.color, stitch, 0.6, 1.2), roughness=1.0)


def stripes(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Stripes of 12.5 cm of both colours, upright on whatever stands."""
    x, _, _ = graph.axes(graph.surface)
    stripe = graph.smoothstep(graph.wave(x, TILE * spec.scale), -0.1, 0.1)
    return Surface(graph.mix(stripe, spec.color, spec.accent), roughness=0.9)


def checker(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """A chequer of 25 cm squares."""
    x, y, _ = graph.axes(graph.surface)
    sides = graph.math("MULTIPLY", graph.wave(x, BLOCK * spec.scale), graph.wave(y, BLOCK * spec.scale))
    return Surface(graph.mix(graph.smoothstep(sides, -0.03, 0.03), spec.color, spec.accent), roughness=0.7)


def rug_pattern(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """A woven carpet: nested diamonds of both colours, a third tone between them."""
    x, y, _ = graph.axes(graph.surface)
    repeat = BLOCK * spec.scale
    across, along = (graph.math("DIVIDE", graph.ping_pong(axis, repeat), repeat) for axis in (x, y))
    ring = graph.math("ADD", across, along)
    light = shade(spec.accent, 1.5)
    colors = [spec.accent, spec.color, light, spec.color, spec.color, shade(spec.color, 0.5), spec.accent]
    pile = graph.noise(_moved(graph, spec), 40.0)
    return Surface(graph.gain(graph.ramp(ring, colors), pile, 0.75, 1.25), roughness=1.0)


def metal(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Brushed metal."""
    del graph
    return Surface(spec.color, roughness=0.32, metallic=0.85)


def foliage(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Leaves: patches of the main and the accent green."""
    leaf = graph.cells(_moved(graph, spec), 0.07 * spec.scale).outputs["Color"]
    tone, other, _ = graph.axes(leaf)
    color = graph.mix(graph.math("MULTIPLY", other, 0.5), graph.gain(spec.color, tone, 0.5, 1.5), spec.accent)
    return Surface(color, roughness=0.5)


def picture(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """An abstract painting: flat shapes of six colours around the two given, with a soft wash."""
    rng = np.random.default_rng(spec.seed)
    hue, _, _ = colorsys.rgb_to_hsv(*spec.color)
    hues = hue + np.array([0.0, 0.08, 0.5, 0.58])
    vivid = [colorsys.hsv_to_rgb(h % 1.0, rng.uniform(0.55, 0.9), rng.uniform(0.25, 0.85)) for h in hues]
    colors = [vivid[0], spec.accent, vivid[1], (0.85, 0.8, 0.7), vivid[2], spec.color, vivid[3], (0.04, 0.05, 0.1)]
    vector = _moved(graph, spec)
    wobble = graph.noise(vector, 5.0 / spec.scale)
    bent = graph.stretch(graph.vector(wobble, wobble, 0.0), (0.35, -0.35, 0.0), vector)
    flat = graph.node("ShaderNodeVectorMath", {0: bent, 1: (1.0, 1.0, 0.0)}, operation="MULTIPLY").outputs["Vector"]
    tone, _, _ = graph.axes(graph.cells(flat, 0.2 * spec.scale).outputs["Color"])
    return Surface(graph.gain(graph.ramp(tone, colors), wobble, 0.8, 1.2), roughness=0.6)


def paper(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """A book's spine: cloth with a title band in the accent colour."""
    x, _, _ = graph.axes(graph.local)
    band = graph.smoothstep(graph.wave(x, 0.12 * spec.scale), 0.72, 0.82)
    return Surface(graph.mix(graph.math("MULTIPLY", band, 0.7), spec.color, spec.accent), roughness=0.75)

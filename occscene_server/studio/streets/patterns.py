"""The procedural patterns of streets: one function a kind, from a `MaterialSpec` to what the surface looks like.

Ground runs on `ShaderGraph.local`, whose x and y are metres along and across the street, so that slabs and lanes follow
its bends; walls on `ShaderGraph.surface`.
"""

from __future__ import annotations

import bpy
import numpy as np

from occscene_server.studio.room import MaterialSpec
from occscene_server.studio.shader_graph import ShaderGraph, Surface


def _offset(graph: ShaderGraph, spec: MaterialSpec, vector: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Coordinates moved at random, so that two materials of a kind differ."""
    offset = np.random.default_rng(spec.seed).uniform(0.0, 40.0, 3)
    return graph.stretch(vector, (1.0, 1.0, 1.0), tuple(float(value) for value in offset))


def asphalt(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Rolled asphalt: grain, worn wheel tracks, repairs, cracks, stains."""
    place = _offset(graph, spec, graph.local)
    grain = graph.noise(place, 45.0, 2.0, flat=True)
    patches = graph.smoothstep(graph.noise(place, 0.35, 3.0, flat=True), 0.35, 0.68)
    streaks = graph.noise(graph.stretch(place, (0.12, 2.2, 1.0)), 1.0, 3.0, flat=True)
    edge = graph.cells(
        graph.stretch(place, (1.0, 1.0, 1.0), graph.vector(0.0, graph.noise(place, 1.4, 3.0, flat=True))),
        3.4,
        "DISTANCE_TO_EDGE",
        flat=True,
    )
    crack = graph.smoothstep(edge.outputs[0], 0.009, 0.002)
    worn = (1.0, 0.9, 0.72)[spec.seed % 3]  # not every road is cracked
    color = graph.gain(spec.color, grain, 0.72, 1.3)
    color = graph.gain(color, patches, 0.84, 1.14)
    color = graph.gain(color, streaks, 0.72, 1.26)
    color = graph.gain(color, crack, 1.0, worn)
    return Surface(color, roughness=0.85, height=grain, height_scale=0.004)


def slabs(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Concrete slabs of 50 x 50 cm."""
    return _laid(graph, spec, 0.5, 0.5, 0.016, 0.18)


def setts(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Small paving stones of 20 x 10 cm."""
    return _laid(graph, spec, 0.2, 0.1, 0.012, 0.34)


def _laid(graph: ShaderGraph, spec: MaterialSpec, long: float, wide: float, gap: float, vary: float) -> Surface:
    stone, joint = graph.bricks(graph.local, long, wide, gap)
    dirt = graph.smoothstep(graph.noise(_offset(graph, spec, graph.local), 0.6, 4.0, flat=True), 0.3, 0.75)
    grain = graph.noise(graph.local, 30.0, 2.0, flat=True)
    color = graph.gain(graph.gain(spec.color, stone, 1 - vary, 1 + vary), dirt, 1.12, 0.8)
    color = graph.gain(color, grain, 0.88, 1.12)
    dark: tuple[float, float, float] = (0.3 * spec.color[0], 0.3 * spec.color[1], 0.28 * spec.color[2])
    return Surface(
        graph.mix(joint, color, dark), roughness=0.85, height=graph.math("SUBTRACT", 1.0, joint), height_scale=0.006
    )


def cobbles(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Round-headed stones of some 12 cm."""
    place = _offset(graph, spec, graph.local)
    edge = graph.cells(place, 0.11, "DISTANCE_TO_EDGE", flat=True).outputs[0]
    tone, _, _ = graph.axes(graph.cells(place, 0.11, flat=True).outputs["Color"])
    head = graph.smoothstep(edge, 0.0, 0.12)
    color = graph.gain(graph.gain(spec.color, tone, 0.72, 1.28), head, 0.55, 1.03)
    patches = graph.smoothstep(graph.noise(place, 0.4, 3.0, flat=True), 0.3, 0.7)
    return Surface(graph.gain(color, patches, 0.85, 1.12), roughness=0.7, height=head, height_scale=0.008)


def gravel(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Loose stones."""
    place = _offset(graph, spec, graph.local)
    tone, _, _ = graph.axes(graph.cells(place, 0.05, flat=True).outputs["Color"])
    patches = graph.noise(place, 0.5, 4.0, flat=True)
    return Surface(
        graph.gain(graph.gain(spec.color, tone, 0.6, 1.35), patches, 0.75, 1.25),
        roughness=1.0,
        height=tone,
        height_scale=0.02,
    )


def grass(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Turf: clumps, dry patches, blades."""
    place = _offset(graph, spec, graph.local)
    wide = graph.smoothstep(graph.noise(place, 0.22, 4.0, flat=True), 0.3, 0.7)
    clumps = graph.smoothstep(graph.noise(place, 3.2, 4.0, flat=True), 0.32, 0.68)
    blade = graph.noise(graph.stretch(place, (38.0, 60.0, 20.0)), 1.0, 3.0, flat=True)
    dry: tuple[float, float, float] = (1.5 * spec.color[0] + 0.02, 1.18 * spec.color[1], 0.8 * spec.color[2])
    color = graph.mix(graph.math("MULTIPLY", wide, 0.65), spec.color, dry)
    color = graph.gain(graph.gain(color, clumps, 0.62, 1.25), blade, 0.5, 1.5)
    return Surface(color, roughness=1.0, height=graph.math("ADD", blade, clumps), height_scale=0.05)


def crops(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Rows of crops, seen from the road."""
    _, y, _ = graph.axes(graph.local)
    bent = graph.math("MULTIPLY_ADD", graph.noise(graph.local, 0.5, 2.0, flat=True), 0.5, y)
    row = graph.math("MULTIPLY_ADD", graph.wave(bent, 0.55), 0.5, 0.5)
    ear = graph.noise(graph.stretch(graph.local, (14.0, 30.0, 1.0)), 1.0, 3.0, flat=True)
    wide = graph.smoothstep(graph.noise(graph.local, 0.12, 3.0, flat=True), 0.3, 0.7)
    color = graph.gain(graph.gain(graph.gain(spec.color, row, 0.55, 1.15), ear, 0.55, 1.45), wide, 0.85, 1.15)
    return Surface(color, roughness=1.0, height=graph.math("ADD", row, ear), height_scale=0.12)


def soil(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Ploughed earth in furrows."""
    _, y, _ = graph.axes(graph.local)
    row = graph.math("MULTIPLY_ADD", graph.wave(y, 0.6), 0.5, 0.5)
    clod = graph.noise(graph.local, 7.0, 4.0, flat=True)
    return Surface(
        graph.gain(graph.gain(spec.color, row, 0.7, 1.12), clod, 0.55, 1.4),
        roughness=1.0,
        height=graph.math("ADD", row, clod),
        height_scale=0.15,
    )


def marking(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Worn road paint."""
    worn = graph.smoothstep(graph.noise(graph.local, 9.0, 4.0, flat=True), 0.52, 0.72)
    return Surface(graph.mix(graph.math("MULTIPLY", worn, 0.75), spec.color, (0.09, 0.09, 0.092)), roughness=0.7)


def render(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Rendered and painted walls: soft stains, streaks below sills, damp near the ground."""
    place = _offset(graph, spec, graph.surface)
    _, y, _ = graph.axes(graph.surface)
    stain = graph.smoothstep(graph.noise(place, 0.5, 4.0, flat=True), 0.3, 0.75)
    streak = graph.noise(graph.stretch(place, (3.5, 0.22, 1.0)), 1.0, 3.0, flat=True)
    grain = graph.noise(place, 26.0, 2.0, flat=True)
    damp = graph.smoothstep(
        graph.math("ADD", y, graph.math("MULTIPLY", graph.noise(place, 1.6, flat=True), -0.8)), 0.5, -0.3
    )
    color = graph.gain(graph.gain(graph.gain(spec.color, stain, 1.06, 0.86), streak, 1.12, 0.9), damp, 1.0, 0.66)
    return Surface(graph.gain(color, grain, 0.94, 1.06), roughness=0.9)


def clapboard(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Horizontal boards, each overlapping the one below."""
    _, y, _ = graph.axes(graph.surface)
    board = 0.16
    up = graph.math("FRACT", graph.math("DIVIDE", y, board))
    shadow = graph.smoothstep(up, 0.12, 0.0)
    worn = graph.noise(graph.stretch(_offset(graph, spec, graph.surface), (0.8, 12.0, 1.0)), 1.0, 3.0, flat=True)
    color = graph.gain(graph.gain(graph.gain(spec.color, up, 1.06, 0.9), worn, 0.85, 1.14), shadow, 1.0, 0.4)
    return Surface(color, roughness=0.75)


def corrugated(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Profiled sheet metal with upright ribs."""
    x, _, _ = graph.axes(graph.surface)
    rib = graph.math("MULTIPLY_ADD", graph.wave(x, 0.25), 0.5, 0.5)
    sheet, _ = graph.bricks(graph.surface, 1.0, 30.0, 0.001, 0.0)
    rust = graph.smoothstep(
        graph.noise(graph.stretch(_offset(graph, spec, graph.surface), (1.5, 0.18, 1.0)), 1.0, 4.0, flat=True),
        0.58,
        0.8,
    )
    color = graph.gain(graph.gain(spec.color, graph.smoothstep(rib, 0.15, 0.6), 0.72, 1.05), sheet, 0.93, 1.07)
    color = graph.mix(graph.math("MULTIPLY", rust, 0.35), color, (0.2, 0.11, 0.06))
    return Surface(color, roughness=0.45, metallic=0.25, height=graph.smoothstep(rib, 0.2, 0.7), height_scale=0.03)


def roof_tiles(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Tiles of 20 x 30 cm in courses, each with its shadow."""
    x, y, _ = graph.axes(graph.local)
    place = graph.vector(y, x)
    tile, joint = graph.bricks(place, 0.22, 0.3, 0.02)
    row = graph.math("FRACT", graph.math("DIVIDE", x, 0.3))
    moss = graph.smoothstep(graph.noise(_offset(graph, spec, graph.local), 0.7, 4.0, flat=True), 0.45, 0.75)
    color = graph.gain(graph.gain(spec.color, tile, 0.66, 1.3), row, 0.78, 1.12)
    color = graph.mix(graph.math("MULTIPLY", moss, 0.35), color, (0.07, 0.07, 0.045))
    return Surface(graph.gain(color, joint, 1.0, 0.5), roughness=0.8, height=row, height_scale=0.03)


def rough(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Cast concrete, stone trim, hair: a mottled plain colour."""
    place = _offset(graph, spec, graph.local)
    color = graph.gain(
        graph.gain(spec.color, graph.noise(place, 1.6, 4.0), 0.76, 1.24), graph.noise(place, 30.0), 0.9, 1.1
    )
    return Surface(color, roughness=0.9)


def leaves(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Leaves in sun and shade: each clump its own green, darker towards the ground of a crown."""
    place = _offset(graph, spec, graph.local)
    tone, other, _ = graph.axes(graph.cells(place, 0.09).outputs["Color"])
    clump = graph.smoothstep(graph.noise(place, 1.8, 3.0), 0.3, 0.7)
    light: tuple[float, float, float] = (
        1.45 * spec.color[0] + 0.012,
        1.3 * spec.color[1] + 0.012,
        0.75 * spec.color[2],
    )
    color = graph.mix(graph.math("MULTIPLY", other, 0.6), spec.color, light)
    color = graph.gain(graph.gain(color, tone, 0.42, 1.45), clump, 0.65, 1.25)
    return Surface(color, roughness=0.65, height=tone, height_scale=0.1)


def bark(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Furrowed bark."""
    ridge = graph.noise(graph.stretch(_offset(graph, spec, graph.local), (3.0, 22.0, 22.0)), 1.0, 3.0)
    return Surface(graph.gain(spec.color, ridge, 0.4, 1.6), roughness=1.0, height=ridge, height_scale=0.03)


def car_paint(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Lacquer with road dirt along the sills."""
    _, _, z = graph.axes(graph.local)
    dirt = graph.math("MULTIPLY", graph.smoothstep(z, 0.55, 0.2), graph.noise(graph.local, 4.0, 3.0))
    return Surface(graph.mix(dirt, spec.color, (0.09, 0.08, 0.065)), roughness=0.22, metallic=0.25)


def gloss(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Dark panes that mirror the sky."""
    del graph
    return Surface(spec.color, roughness=0.06)


def pane(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Window panes of a house: dark, mirroring; every other room is lit after dusk."""
    room, _ = graph.bricks(graph.surface, 2.3, 3.0, 0.001)
    bright = graph.noise(graph.surface, 0.6, 2.0, flat=True)
    return Surface(graph.gain(graph.gain(spec.color, room, 0.5, 1.5), bright, 0.7, 1.3), roughness=0.08)


def rubber(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Tyres and seals."""
    return Surface(graph.gain(spec.color, graph.noise(graph.local, 12.0), 0.8, 1.3), roughness=0.8)


def cloth(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Clothes, with soft folds."""
    fold = graph.noise(graph.stretch(graph.local, (6.0, 6.0, 2.0)), 1.0, 2.0)
    return Surface(graph.gain(spec.color, fold, 0.7, 1.3), roughness=0.9)


def skin(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Skin."""
    del graph
    return Surface(spec.color, roughness=0.55)


def sign(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """Reflecting foil."""
    del graph
    return Surface(spec.color, roughness=0.35)


def lamp(graph: ShaderGraph, spec: MaterialSpec) -> Surface:
    """What shines."""
    del graph
    return Surface(spec.color, roughness=0.2)

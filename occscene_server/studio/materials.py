"""From a `MaterialSpec` to a Blender material: the kinds that there are and how each is wired to a shader."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from occscene_server.studio import patterns
from occscene_server.studio.room import MaterialSpec
from occscene_server.studio.shader_graph import ShaderGraph, Surface
from occscene_server.studio.streets import patterns as outdoor

PATTERNS: dict[str, Callable[[ShaderGraph, MaterialSpec], Surface]] = {
    function.__name__: function
    for function in (
        patterns.planks,
        patterns.parquet,
        patterns.brick,
        patterns.plaster,
        patterns.concrete,
        patterns.tiles,
        patterns.marble,
        patterns.stone,
        patterns.terrazzo,
        patterns.wallpaper_stripes,
        patterns.wallpaper_damask,
        patterns.shoji,
        patterns.tatami,
        patterns.wood,
        patterns.painted,
        patterns.velvet,
        patterns.fabric,
        patterns.leather,
        patterns.knit,
        patterns.stripes,
        patterns.checker,
        patterns.rug_pattern,
        patterns.metal,
        patterns.foliage,
        patterns.picture,
        patterns.paper,
        outdoor.asphalt,
        outdoor.slabs,
        outdoor.setts,
        outdoor.cobbles,
        outdoor.gravel,
        outdoor.grass,
        outdoor.crops,
        outdoor.soil,
        outdoor.marking,
        outdoor.render,
        outdoor.clapboard,
        outdoor.corrugated,
        outdoor.roof_tiles,
        outdoor.rough,
        outdoor.leaves,
        outdoor.bark,
        outdoor.car_paint,
        outdoor.gloss,
        outdoor.pane,
        outdoor.rubber,
        outdoor.cloth,
        outdoor.skin,
        outdoor.sign,
        outdoor.lamp,
    )
}
KINDS: tuple[str, ...] = (*PATTERNS, "glass", "emissive")


GROUND = frozenset({"asphalt", "slabs", "setts", "cobbles", "marking", "gravel"})
"""Kinds that water lies on after rain."""

_SNOWLESS = frozenset({"lamp", "pane", "skin", "cloth"})
_SNOW = (0.84, 0.87, 0.92)
_LIT_ROOM = (1.0, 0.72, 0.38)


def build_material(
    name: str, spec: MaterialSpec, glow: float, snow: float = 0.0, wet: float = 0.0
) -> bpy.types.Material:
    """A Blender material for `spec`.

    Args:
        name: its name in Blender.
        spec: kind and parameters.
        glow: factor on the emission of everything that shines: 0 by day, 1 when the lamps are on.
        snow, wet: how white what lies flat is, and how wet, 0 to 1.
    """
    material = bpy.data.materials.new(name)
    # The lamps' light comes from point lights in `lighting.py`: sampling small emissive meshes would only add noise.
    material.cycles.emission_sampling = "NONE"
    graph = ShaderGraph(material)
    if spec.kind == "glass":
        shader = _glass(graph)
    else:
        pattern = PATTERNS["painted" if spec.kind == "emissive" else spec.kind]
        surface = pattern(graph, patterns.at_natural_scale(spec))
        if wet > 0 and spec.kind in GROUND:
            _make_wet(graph, surface, wet)
        if snow > 0 and spec.kind not in _SNOWLESS:
            _make_white(graph, surface, snow, spec.kind)
        shader = _principled(graph, surface, spec, glow)
    graph.node("ShaderNodeOutputMaterial", {"Surface": shader})
    return material


def _principled(graph: ShaderGraph, surface: Surface, spec: MaterialSpec, glow: float) -> bpy.types.NodeSocket:
    inputs: dict[str | int, object] = {
        "Base Color": surface.color,
        "Roughness": surface.roughness,
        "Metallic": surface.metallic,
        "Sheen Weight": surface.sheen,
    }
    if surface.height is not None:
        bump = graph.node("ShaderNodeBump", {"Height": surface.height, "Distance": surface.height_scale})
        inputs["Normal"] = bump.outputs["Normal"]
    strength = spec.emission * glow
    if strength > 0 and spec.kind == "pane":
        lit, _ = graph.bricks(graph.surface, 2.3, 3.0, 0.001)
        inputs["Emission Color"] = _LIT_ROOM
        inputs["Emission Strength"] = graph.math("MULTIPLY", graph.smoothstep(lit, 0.52, 0.6), strength * 0.25)
    elif strength > 0:
        inputs["Emission Color"] = surface.color
        inputs["Emission Strength"] = strength
    return graph.node("ShaderNodeBsdfPrincipled", inputs).outputs[0]


def _make_wet(graph: ShaderGraph, surface: Surface, wet: float) -> None:
    """Darkens a surface and lays puddles on it that mirror the sky."""
    puddle = graph.smoothstep(graph.noise(graph.local, 0.45, 3.0), 0.5, 0.56)
    surface.color = graph.gain(surface.color, puddle, 1 - 0.42 * wet, 1 - 0.6 * wet)
    surface.roughness = graph.math("MULTIPLY_ADD", puddle, -0.2 * wet, 0.24)
    surface.height_scale *= 0.3


def _make_white(graph: ShaderGraph, surface: Surface, snow: float, kind: str) -> None:
    """Snow on what lies flat; carriageways keep dark wheel tracks."""
    _, _, up = graph.axes(graph.node("ShaderNodeNewGeometry", {}).outputs["Normal"])
    uneven = graph.math("MULTIPLY_ADD", graph.noise(graph.local, 2.2, 4.0), 0.5, -0.25)
    low, high = (0.25, 0.6) if kind == "leaves" else (0.55, 0.8)
    cover = graph.smoothstep(graph.math("ADD", up, uneven), low, high)
    if kind in ("asphalt", "cobbles", "marking"):
        _, y, _ = graph.axes(graph.local)
        track = graph.smoothstep(
            graph.math(
                "ADD",
                graph.wave(y, 1.7),
                graph.math("MULTIPLY", graph.noise(graph.stretch(graph.local, (0.3, 2.0, 1.0)), 1.0, 4.0), 1.6),
            ),
            0.35,
            1.15,
        )
        cover = graph.math("MULTIPLY", cover, graph.math("MULTIPLY_ADD", track, -0.75, 0.9))
    surface.color = graph.mix(graph.math("MULTIPLY", cover, snow), surface.color, _SNOW)


def _glass(graph: ShaderGraph) -> bpy.types.NodeSocket:
    """A pane that light crosses undisturbed, with a faint reflection: cheap, and without caustics."""
    clear = graph.node("ShaderNodeBsdfTransparent", {"Color": (0.94, 0.97, 0.97)}).outputs[0]
    mirror = graph.node("ShaderNodeBsdfGlossy", {"Color": (1.0, 1.0, 1.0), "Roughness": 0.05}).outputs[0]
    return graph.node("ShaderNodeMixShader", {0: 0.05, 1: clear, 2: mirror}).outputs[0]

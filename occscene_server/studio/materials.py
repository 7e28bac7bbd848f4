"""From a `MaterialSpec` to a Blender material: the kinds that there are and how each is wired to a shader."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from occscene_server.studio import patterns
from occscene_server.studio.room import MaterialSpec
from occscene_server.studio.shader_graph import ShaderGraph, Surface

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
    )
}
KINDS: tuple[str, ...] = (*PATTERNS, "glass", "emissive")


def build_material(name: str, spec: MaterialSpec, glow: float) -> bpy.types.Material:
    """A Blender material for `spec`.

    Args:
        name: its name in Blender.
        spec: kind and parameters.
        glow: factor on the emission of everything that shines: 0 by day, 1 when the lamps are on.
    """
    material = bpy.data.materials.new(name)
    # The lamps' light comes from point lights in `lighting.py`: sampling small emissive meshes would only add noise.
    material.cycles.emission_sampling = "NONE"
    graph = ShaderGraph(material)
    if spec.kind == "glass":
        shader = _glass(graph)
    else:
        pattern = PATTERNS["painted" if spec.kind == "emissive" else spec.kind]
        shader = _principled(graph, pattern(graph, patterns.at_natural_scale(spec)), spec, glow)
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
    if strength > 0:
        inputs["Emission Color"] = surface.color
        inputs["Emission Strength"] = strength
    return graph.node("ShaderNodeBsdfPrincipled", inputs).outputs[0]


def _glass(graph: ShaderGraph) -> bpy.types.NodeSocket:
    """A pane that light crosses undisturbed, with a faint reflection: cheap, and without caustics."""
    clear = graph.node("ShaderNodeBsdfTransparent", {"Color": (0.94, 0.97, 0.97)}).outputs[0]
    mirror = graph.node("ShaderNodeBsdfGlossy", {"Color": (1.0, 1.0, 1.0), "Roughness": 0.05}).outputs[0]
    return graph.node("ShaderNodeMixShader", {0: 0.05, 1: clear, 2: mirror}).outputs[0]

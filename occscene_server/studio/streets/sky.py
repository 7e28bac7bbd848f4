"""Sky, sun and street lamps over a street in Blender's current scene."""

from __future__ import annotations

import bpy
import numpy as np
from occscene.srgb import linear_rgb

from occscene_server.studio.room import FloatArray
from occscene_server.studio.shader_graph import Color, ShaderGraph, Vector
from occscene_server.studio.streets.posts import LAMP_COLOR
from occscene_server.studio.streets.street import Street
from occscene_server.studio.streets.weather import WEATHERS, Weather, sun_direction

SKY_MODELS = ("NISHITA", "MULTIPLE_SCATTERING")
"""The name of the sky with scattering: in Blender 4, and from Blender 5 on."""

DUST = ("dust_density", "aerosol_density")
"""The property of that sky which holds the dust in its air, in the same order."""

_SKYLINES: dict[str, tuple[str, str]] = {
    "city": ("blocks", "6e7276"), "suburb": ("trees", "4c5a3e"), "village": ("hills", "57683f"),
    "industrial estate": ("blocks", "75787a"), "countryside": ("hills", "5f7045"),
}  # fmt: skip


def light_street(street: Street, lamps: list[FloatArray]) -> None:
    """Adds the sky, what stands on the horizon, and the street lamps' light.

    Args:
        street: its weather and its seed say where the sun is.
        lamps: (3,) world positions of the street lamps' light.
    """
    weather = WEATHERS[street.weather]
    rng = np.random.default_rng([street.seed, 29])
    _set_world(street, weather, rng)
    if weather.sun is None and weather.clouds > 0:
        _add_veiled_sun(weather, rng)
    if weather.lamps > 0:
        for position in lamps:
            data = bpy.data.lights.new("street light", "SPOT")
            data.color, data.energy = linear_rgb(LAMP_COLOR), weather.lamps * 4
            data.spot_size, data.spot_blend = np.radians(150.0), 0.6
            data.shadow_soft_size = 0.15
            light = bpy.data.objects.new("street light", data)
            light.location = tuple(position - (0.0, 0.0, 0.2))
            light.visible_camera = False
            bpy.context.scene.collection.objects.link(light)


def _add_veiled_sun(weather: Weather, rng: np.random.Generator) -> None:
    """A broad light from above: what an overcast sky has in place of a sun, so that objects have a lighter side."""
    data = bpy.data.lights.new("veiled sun", "SUN")
    data.energy, data.angle, data.color = 0.9 * weather.zenith[2], np.radians(70.0), (1.0, 0.98, 0.95)
    light = bpy.data.objects.new("veiled sun", data)
    light.rotation_euler = (np.radians(rng.uniform(25, 45)), 0.0, rng.uniform(0.0, 6.28))
    light.visible_glossy = False
    bpy.context.scene.collection.objects.link(light)


def _set_world(street: Street, weather: Weather, rng: np.random.Generator) -> None:
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = 256
    graph = ShaderGraph(world)
    direction = graph.node("ShaderNodeTexCoord", {}).outputs["Generated"]
    _, _, up = graph.axes(direction)
    turn = float(rng.uniform(0.0, 2 * np.pi))
    strength = 1.0
    sky: bpy.types.NodeSocket
    sun = sun_direction(street.weather, street.seed)
    if sun is not None:
        node = graph.node("ShaderNodeTexSky", {})
        names = {item.identifier for item in node.bl_rna.properties["sky_type"].enum_items}
        node.sky_type = next(name for name in SKY_MODELS if name in names)
        # the node's sun stands in the north at 0 and turns clockwise
        node.sun_elevation, node.sun_rotation = np.arcsin(sun[2]), np.arctan2(sun[0], sun[1])
        node.sun_size, node.sun_intensity = np.radians(1.2), 0.4
        node.altitude = 100.0
        dust = next(name for name in DUST if hasattr(node, name))
        setattr(node, dust, float(rng.uniform(0.4, 1.5)))
        sky, strength = node.outputs[0], 0.12
        sky = _with_clouds(graph, direction, up, sky, weather.clouds, rng)
    else:
        sky = graph.mix(graph.smoothstep(up, 0.0, 0.7), weather.horizon, weather.zenith)
        if weather.clouds > 0:
            broad = graph.noise(graph.stretch(direction, (1.0, 1.0, 2.4)), 2.2, 4.0)
            sky = graph.gain(sky, graph.smoothstep(broad, 0.3, 0.7), 0.82, 1.12)
        else:
            glow = graph.smoothstep(up, 0.28, 0.0)
            x, y, _ = graph.axes(direction)
            west = graph.math(
                "MULTIPLY_ADD",
                graph.math(
                    "ADD",
                    graph.math("MULTIPLY", x, float(np.cos(turn))),
                    graph.math("MULTIPLY", y, float(np.sin(turn))),
                ),
                0.5,
                0.5,
            )
            warm: Color = (1.05, 0.42, 0.14)
            sky = graph.mix(graph.math("MULTIPLY", glow, graph.math("MULTIPLY", west, 0.7)), sky, warm)
            sky = _with_clouds(graph, direction, up, sky, 0.35, rng, (0.16, 0.13, 0.2))
    scenery = _with_skyline(graph, direction, up, sky, street, weather, strength)
    background = graph.node("ShaderNodeBackground", {"Color": scenery, "Strength": strength}).outputs[0]
    graph.node("ShaderNodeOutputWorld", {"Surface": background})


def _with_clouds(
    graph: ShaderGraph, direction: Vector, up: bpy.types.NodeSocket, sky: bpy.types.NodeSocket, share: float,
    rng: np.random.Generator, tint: Color = (8.5, 8.7, 9.2),
) -> bpy.types.NodeSocket:  # fmt: skip
    """Heaps of cloud on a plane above, smaller towards the horizon."""
    x, y, _ = graph.axes(direction)
    height = graph.math("MAXIMUM", graph.math("ADD", up, 0.08), 0.03)
    plane = graph.vector(graph.math("DIVIDE", x, height), graph.math("DIVIDE", y, height), 0.0)
    plane = graph.stretch(plane, (1.0, 1.0, 0.0), (float(rng.uniform(0, 50)), 0.0, 0.0))
    heap = graph.noise(plane, 0.55, 6.0, flat=True)
    edge = 0.62 - 0.3 * share
    cover = graph.math("MULTIPLY", graph.smoothstep(heap, edge, edge + 0.16), graph.smoothstep(up, 0.015, 0.12))
    shaded = graph.gain(tint, graph.smoothstep(heap, edge + 0.02, edge + 0.24), 1.1, 0.62)
    return graph.mix(graph.math("MULTIPLY", cover, 0.92), sky, shaded)


def _with_skyline(
    graph: ShaderGraph, direction: Vector, up: bpy.types.NodeSocket, sky: bpy.types.NodeSocket, street: Street,
    weather: Weather, strength: float,
) -> bpy.types.NodeSocket:  # fmt: skip
    """Hills, woods or roofs on the horizon, hazy with distance."""
    style, code = _SKYLINES[street.plan.kind]
    x, y, _ = graph.axes(direction)
    around = graph.stretch(graph.vector(x, y, 0.0), (1.0, 1.0, 1.0), (float(street.seed % 97), 0.0, 0.0))
    if style == "blocks":
        tone, step, _ = graph.axes(graph.cells(graph.stretch(around, (1.0, 1.0, 1.0)), 0.07).outputs["Color"])
        crest = graph.math("MULTIPLY_ADD", step, 0.055, 0.02)
    else:
        crest = graph.math("MULTIPLY_ADD", graph.noise(around, 2.6, 2.0), 0.16, -0.035)
        tone = graph.noise(direction, 60.0, 3.0)
        if style == "trees":
            crest = graph.math("MULTIPLY_ADD", graph.noise(around, 26.0, 3.0), 0.045, 0.012)
    brightness = {"dusk": 0.12, "rain": 0.55, "overcast": 0.75, "snow": 0.95}.get(
        street.weather, 0.62 / strength * 0.55
    )
    color = linear_rgb(code if weather.snow == 0 else "b9bfc4")
    lit: Color = (color[0] * brightness, color[1] * brightness, color[2] * brightness * 1.1)
    land = graph.gain(lit, tone, 0.6, 1.4)
    below = graph.smoothstep(graph.math("SUBTRACT", up, crest), 0.002, -0.002)
    haze = graph.mix(0.45, land, sky)
    return graph.mix(below, sky, haze)

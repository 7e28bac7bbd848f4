"""The lights of a room: daylight through its windows, a soft fill, and its lamps after dusk.

Strengths are relative: `cycles.develop` exposes each scene for itself. What counts here is the ratio between the sun's
patches, the windows' glow, the fill and the lamps.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from occscene_server.studio.moods import INWARD, LIGHTINGS, Lighting, area, room_sun
from occscene_server.studio.room import FloatArray, Opening, Room
from occscene_server.studio.shader_graph import Color, ShaderGraph

LAMP_COLOR: Color = (1.0, 0.6, 0.28)


def light_room(room: Room, lamps: list[tuple[float, float, float]]) -> None:
    """Adds the sun, the windows' light, the fill, the sky and the lamps of `room` to the current Blender scene.

    Args:
        room: its `light` picks the mood, its seed the sun's direction.
        lamps: world positions of the room's lamps.
    """
    lighting = LIGHTINGS[room.light]
    _set_sky(lighting)
    sun = room_sun(room)
    if sun is not None:
        _add_sun(lighting, sun)
    for opening in room.openings:
        _add_window(lighting, opening, room.size)
    width, depth, height = room.size
    fill = _add_light("fill", "AREA", lighting.fill_color, lighting.fill * (1.0 if room.openings else 2.0))
    fill.data.shape, fill.data.size, fill.data.size_y = "RECTANGLE", 0.8 * width, 0.8 * depth
    fill.location = (width / 2, depth / 2, height - 0.03)
    if lighting.lamp > 0:
        for position in lamps:
            lamp = _add_light("lamp", "POINT", LAMP_COLOR, lighting.lamp)
            lamp.data.shadow_soft_size = 0.08
            lamp.location = position


def _add_light(name: str, kind: str, color: Color, energy: float) -> bpy.types.Object:
    data = bpy.data.lights.new(name, kind)
    data.color, data.energy = color, energy
    light = bpy.data.objects.new(name, data)
    light.visible_camera = False
    light.visible_glossy = False
    bpy.context.scene.collection.objects.link(light)
    return light


def _add_sun(lighting: Lighting, direction: FloatArray) -> None:
    """A sun in a direction (3,)."""
    sun = _add_light("sun", "SUN", lighting.sun_color, lighting.sun)
    sun.data.angle = np.radians(1.5)
    sun.rotation_euler = Vector((-direction).tolist()).to_track_quat("-Z", "Y").to_euler()


def _add_window(lighting: Lighting, opening: Opening, size: tuple[float, float, float]) -> None:
    """An area light in the plane of the wall's inner face: far less noise than sampling the sky through the hole."""
    inward_x, inward_y = INWARD[opening.wall]
    middle, up = (opening.start + opening.end) / 2, (opening.bottom + opening.top) / 2
    width, depth, _ = size
    at = {
        "west": (0.0, middle, up),
        "east": (width, middle, up),
        "south": (middle, 0.0, up),
        "north": (middle, depth, up),
    }[opening.wall]
    light = _add_light("window light", "AREA", lighting.window_color, lighting.window * area(opening))
    light.data.shape = "RECTANGLE"
    light.data.size, light.data.size_y = opening.end - opening.start, opening.top - opening.bottom
    light.data.spread = np.radians(150.0)
    rotation = Vector((inward_x, inward_y, -0.15)).to_track_quat("-Z", "Y").to_matrix().to_4x4()
    light.matrix_world = Matrix.Translation(Vector(at) + 0.02 * Vector((inward_x, inward_y, 0.0))) @ rotation


def _set_sky(lighting: Lighting) -> None:
    """What the camera sees outside: a sky above a dim band of trees and ground. It lights nothing by itself."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.cycles_visibility.diffuse = False
    world.cycles_visibility.glossy = False
    world.cycles.sampling_method = "NONE"
    graph = ShaderGraph(world)
    direction = graph.node("ShaderNodeTexCoord", {}).outputs["Generated"]
    _, _, up = graph.axes(direction)
    sky = graph.mix(graph.smoothstep(up, 0.0, 0.5), lighting.horizon, lighting.zenith)
    crowns = graph.math("MULTIPLY_ADD", graph.noise(direction, 7.0, 4.0), 0.5, -0.29)
    trees = graph.gain(lighting.ground, graph.noise(direction, 30.0, 3.0), 0.2, 1.5)
    scenery = graph.mix(graph.smoothstep(graph.math("SUBTRACT", up, crowns), -0.01, 0.01), trees, sky)
    background = graph.node("ShaderNodeBackground", {"Color": scenery, "Strength": 1.0}).outputs[0]
    graph.node("ShaderNodeOutputWorld", {"Surface": background})

"""The lights of a room: daylight through its windows, a soft fill, and its lamps after dusk.

Strengths are relative: `cycles.develop` exposes each scene for itself. What counts here is the ratio between the sun's
patches, the windows' glow, the fill and the lamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from occscene_server.studio.room import Opening, Room
from occscene_server.studio.shader_graph import Color, ShaderGraph


@dataclass(frozen=True)
class Lighting:
    """One mood of light.

    Args:
        sun_color, sun: linear RGB and irradiance (W/m2); 0 for no sun.
        sun_elevation: degrees above the horizon.
        window_color, window: the sky's light through each square metre of window (W/m2).
        fill_color, fill: a large soft light under the ceiling (W).
        zenith, horizon, ground: what is seen through the windows, as radiance.
        lamp: power of each lamp (W); 0 when they are off.
        glow: factor on the emission of lamp shades, screens and flames as the camera sees them.
        key: the linear brightness that the geometric mean of a scene's pixels is brought to.
    """

    sun_color: Color
    sun: float
    sun_elevation: float
    window_color: Color
    window: float
    fill_color: Color
    fill: float
    zenith: Color
    horizon: Color
    ground: Color
    lamp: float
    glow: float
    key: float


LAMP_COLOR: Color = (1.0, 0.6, 0.28)
LIGHTINGS: dict[str, Lighting] = {
    "morning sun": Lighting(
        sun_color=(1.0, 0.82, 0.58), sun=60.0, sun_elevation=26.0,
        window_color=(0.9, 0.95, 1.0), window=70.0,
        fill_color=(1.0, 0.95, 0.88), fill=55.0,
        zenith=(1.6, 3.4, 7.0), horizon=(8.0, 7.4, 6.2), ground=(2.0, 2.6, 0.8),
        lamp=0.0, glow=0.0, key=0.21,
    ),
    "bright day": Lighting(
        sun_color=(1.0, 0.96, 0.9), sun=55.0, sun_elevation=40.0,
        window_color=(0.93, 0.97, 1.0), window=110.0,
        fill_color=(1.0, 1.0, 1.0), fill=75.0,
        zenith=(1.4, 4.2, 10.0), horizon=(7.0, 8.6, 10.0), ground=(1.8, 3.2, 0.8),
        lamp=0.0, glow=0.0, key=0.25,
    ),
    "overcast": Lighting(
        sun_color=(1.0, 1.0, 1.0), sun=0.0, sun_elevation=45.0,
        window_color=(0.82, 0.91, 1.0), window=130.0,
        fill_color=(0.88, 0.94, 1.0), fill=70.0,
        zenith=(5.0, 5.4, 6.0), horizon=(6.8, 7.0, 7.4), ground=(1.3, 1.7, 0.9),
        lamp=0.0, glow=0.0, key=0.19,
    ),
    "warm evening": Lighting(
        sun_color=(1.0, 0.5, 0.3), sun=0.0, sun_elevation=5.0,
        window_color=(0.25, 0.38, 0.9), window=16.0,
        fill_color=(1.0, 0.76, 0.52), fill=34.0,
        zenith=(0.06, 0.12, 0.42), horizon=(0.35, 0.32, 0.55), ground=(0.04, 0.05, 0.07),
        lamp=42.0, glow=1.0, key=0.15,
    ),
    "sunset": Lighting(
        sun_color=(1.0, 0.47, 0.17), sun=50.0, sun_elevation=13.0,
        window_color=(1.0, 0.66, 0.5), window=55.0,
        fill_color=(1.0, 0.8, 0.68), fill=46.0,
        zenith=(1.0, 1.1, 2.6), horizon=(9.0, 3.6, 1.2), ground=(0.6, 0.42, 0.3),
        lamp=12.0, glow=0.6, key=0.17,
    ),
}  # fmt: skip

_INWARD = {"west": (1.0, 0.0), "east": (-1.0, 0.0), "south": (0.0, 1.0), "north": (0.0, -1.0)}


def light_room(room: Room, lamps: list[tuple[float, float, float]]) -> None:
    """Adds the sun, the windows' light, the fill, the sky and the lamps of `room` to the current Blender scene.

    Args:
        room: its `light` picks the mood, its seed the sun's direction.
        lamps: world positions of the room's lamps.
    """
    lighting = LIGHTINGS[room.light]
    rng = np.random.default_rng([room.seed, 11])
    _set_sky(lighting)
    if lighting.sun > 0 and room.openings:
        _add_sun(lighting, max(room.openings, key=_area), rng)
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


def _area(opening: Opening) -> float:
    return (opening.end - opening.start) * (opening.top - opening.bottom)


def _add_light(name: str, kind: str, color: Color, energy: float) -> bpy.types.Object:
    data = bpy.data.lights.new(name, kind)
    data.color, data.energy = color, energy
    light = bpy.data.objects.new(name, data)
    light.visible_camera = False
    light.visible_glossy = False
    bpy.context.scene.collection.objects.link(light)
    return light


def _add_sun(lighting: Lighting, opening: Opening, rng: np.random.Generator) -> None:
    """A sun that shines into the room through `opening`, at a random angle to it."""
    sun = _add_light("sun", "SUN", lighting.sun_color, lighting.sun)
    sun.data.angle = np.radians(1.5)
    inward_x, inward_y = _INWARD[opening.wall]
    turn = rng.choice([-1.0, 1.0]) * np.radians(rng.uniform(15.0, 45.0))
    elevation = np.radians(lighting.sun_elevation + rng.uniform(-4.0, 4.0))
    travel = Vector(
        (
            np.cos(elevation) * (inward_x * np.cos(turn) - inward_y * np.sin(turn)),
            np.cos(elevation) * (inward_x * np.sin(turn) + inward_y * np.cos(turn)),
            -np.sin(elevation),
        )
    )
    sun.rotation_euler = travel.to_track_quat("-Z", "Y").to_euler()


def _add_window(lighting: Lighting, opening: Opening, size: tuple[float, float, float]) -> None:
    """An area light in the plane of the wall's inner face: far less noise than sampling the sky through the hole."""
    inward_x, inward_y = _INWARD[opening.wall]
    middle, up = (opening.start + opening.end) / 2, (opening.bottom + opening.top) / 2
    width, depth, _ = size
    at = {
        "west": (0.0, middle, up),
        "east": (width, middle, up),
        "south": (middle, 0.0, up),
        "north": (middle, depth, up),
    }[opening.wall]
    light = _add_light("window light", "AREA", lighting.window_color, lighting.window * _area(opening))
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

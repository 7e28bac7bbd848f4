"""A `Street` as a Blender scene."""

from __future__ import annotations

import bpy
import numpy as np

from occscene_server.studio.blender_scene import add_object, item_mesh
from occscene_server.studio.materials import build_material
from occscene_server.studio.room import FloatArray, Item
from occscene_server.studio.streets.sky import light_street
from occscene_server.studio.streets.street import Street
from occscene_server.studio.streets.weather import WEATHERS


def build_street_scene(street: Street) -> None:
    """Replaces Blender's current file by `street`, ready to render; items of one shape share one mesh.

    The object of `street.items[i]` has the pass index i + 1, the same number as the item's id in the street's grids.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    weather = WEATHERS[street.weather]
    materials = {
        name: build_material(name, spec, weather.glow, weather.snow, weather.wet)
        for name, spec in street.materials.items()
    }
    meshes: dict[int, bpy.types.Mesh] = {}
    lamps: list[FloatArray] = []
    for index, item in enumerate(street.items):
        if id(item.parts) not in meshes:
            meshes[id(item.parts)] = item_mesh(item, materials)
        is_lamp = item.name == "street lamp"
        add_object(item, meshes[id(item.parts)], index + 1, casts_shadow=not (is_lamp and weather.lamps > 0))
        if is_lamp:
            lamps += _lights(street, item)
    light_street(street, lamps)


def _lights(street: Street, item: Item) -> list[FloatArray]:
    """The middles of what shines on a lamp, in world metres."""
    shining = [part for part in item.parts if street.materials[part.material].emission > 0]
    return [np.mean(item.world_vertices(part), axis=0) for part in shining]

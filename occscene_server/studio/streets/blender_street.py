"""A `Street` as a Blender scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np

from occscene_server.geometry.leaves import leaves_on, share_of_leaves
from occscene_server.studio.blender_scene import add_object, item_mesh
from occscene_server.studio.materials import build_material
from occscene_server.studio.room import FloatArray, Item, Part
from occscene_server.studio.scene_grids import item_triangles
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
    for number, leaves in leaves_of_items(street.items):
        add_object(leaves, item_mesh(leaves, materials), number)
    light_street(street, lamps)


def leaves_of_items(items: Sequence[Item]) -> list[tuple[int, Item]]:
    """The leaves that grow on items, as an item in world coordinates each, with the number of what they grow on."""
    plants = [(number, item) for number, item in enumerate(items, 1) if item.class_name == "vegetation"]
    bodies = [item_triangles(item) for _, item in plants]
    share = share_of_leaves(bodies)
    grown = []
    for (number, item), body in zip(plants, bodies, strict=True):
        corners = leaves_on(body, share).corners.reshape(-1, 3)
        if len(corners):
            faces = tuple(map(tuple, np.arange(len(corners)).reshape(-1, 3).tolist()))
            middle = body.reshape(-1, 3).mean(0)
            part = Part(corners, faces, item.parts[0].material, corners - middle, foliage=True)
            grown.append((number, replace(item, parts=(part,), pose=None)))
    return grown


def _lights(street: Street, item: Item) -> list[FloatArray]:
    """The middles of what shines on a lamp, in world metres."""
    shining = [part for part in item.parts if street.materials[part.material].emission > 0]
    return [np.mean(item.world_vertices(part), axis=0) for part in shining]

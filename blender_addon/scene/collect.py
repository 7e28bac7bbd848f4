"""A blockout in Blender to triangles with classes.

What is collected is what Blender shows: evaluated meshes with their modifiers, the instances of collections and of
geometry nodes, and curves, text and metaballs as the meshes that they draw. Blender's dependency graph hands all of
these over as meshes, so one loop serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..geometry.voxelize import TriangleObject
from .tagging import ClassLookup
from .visibility import shown_as_rendered


@dataclass(frozen=True)
class Blockout:
    """The tagged objects of a scene.

    Args:
        objects: in the dependency graph's order.
        untagged: names of visible geometry without a class, which is left out.
    """

    objects: tuple[TriangleObject, ...]
    untagged: tuple[str, ...]


def collect_blockout(context: bpy.types.Context) -> Blockout:
    """Collects the tagged objects of the context's scene that a render shows.

    Left out are objects and collections hidden in renders, objects without a class, and what the extension made. An
    object that is hidden in the viewport alone counts: artists hide a room's ceiling and front wall to look inside.
    Instances that an object makes of itself (geometry nodes, text) belong to it; those of a collection are objects
    of their own, with the class of the instanced object, else that of the instancing one.
    """
    with shown_as_rendered(context.view_layer):
        return _collect(context.scene, context.evaluated_depsgraph_get())


def _collect(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> Blockout:
    lookup = ClassLookup.of(scene)
    rendered = _rendered_objects(scene)
    meshes: dict[int, NDArray[np.float64]] = {}
    found: dict[object, tuple[str, bpy.types.Object, str, list[NDArray[np.float64]]]] = {}
    untagged: dict[str, None] = {}
    for instance in graph.object_instances:
        evaluated = instance.object
        if evaluated.type != "MESH" or not instance.show_self:
            continue
        thing = evaluated.original
        parent = instance.parent.original if instance.is_instance and instance.parent else None
        if _skipped(thing, parent, rendered):
            continue
        name = lookup.class_name(thing) or (lookup.class_name(parent) if parent else "")
        if not name:
            untagged.setdefault((parent or thing).name)
            continue
        triangles = _transformed(_triangles(evaluated.data, meshes), instance.matrix_world)
        if len(triangles) == 0:
            continue
        key: object = thing.name_full
        label = thing.name
        if parent is not None and parent != thing:
            key = (tuple(instance.persistent_id), parent.name_full, thing.name_full)
            label = f"{parent.name}/{thing.name}"
        found.setdefault(key, (label, thing, name, []))[3].append(triangles)
    objects = tuple(
        TriangleObject(
            label[:200],
            lookup.index(name),
            np.concatenate(parts),
            shell_only=thing.occscene.shell_only,
            hint=color_hint(scene, thing),
        )
        for label, thing, name, parts in found.values()
    )
    return Blockout(objects, tuple(untagged))


def color_hint(scene: bpy.types.Scene, thing: bpy.types.Object) -> tuple[float, float, float] | None:
    """The object's viewport colour, linear RGB, if hints are on for the scene and for the object."""
    if not (scene.occscene.use_hints and thing.occscene.use_hint):
        return None
    color = thing.occscene.untinted_color if thing.occscene.is_tinted else thing.color
    red, green, blue = (min(max(float(channel), 0.0), 1.0) for channel in color[:3])
    return red, green, blue


def blockout_bounds(objects: tuple[TriangleObject, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and highest world coordinates of the objects, metres."""
    lows = np.stack([item.triangles.min(axis=(0, 1)) for item in objects])
    highs = np.stack([item.triangles.max(axis=(0, 1)) for item in objects])
    return lows.min(axis=0), highs.max(axis=0)


def _rendered_objects(scene: bpy.types.Scene) -> frozenset[bpy.types.Object]:
    """The scene's objects that neither they nor all of their collections hide in renders."""
    shown: set[bpy.types.Object] = set()
    pending = [scene.collection]
    while pending:
        collection = pending.pop()
        if not collection.hide_render:
            shown.update(thing for thing in collection.objects if not thing.hide_render)
            pending.extend(collection.children)
    return frozenset(shown)


def _skipped(thing: bpy.types.Object, parent: bpy.types.Object | None, rendered: frozenset[bpy.types.Object]) -> bool:
    """Whether an object, or an instance of it that `parent` makes, is none of the blockout's."""
    if thing.hide_render or thing.occscene.is_output:
        return True
    owner = parent or thing
    return owner not in rendered or owner.occscene.is_output


def _triangles(mesh: bpy.types.Mesh, known: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The (T, 3, 3) local triangles of an evaluated mesh; instances of the same mesh are read once."""
    key = mesh.as_pointer()
    if key not in known:
        mesh.calc_loop_triangles()
        positions = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", positions)
        corners = np.empty(len(mesh.loop_triangles) * 3, np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        known[key] = positions.reshape(-1, 3).astype(np.float64)[corners].reshape(-1, 3, 3)
    return known[key]


def _transformed(triangles: NDArray[np.float64], matrix: object) -> NDArray[np.float64]:
    world_from_local = np.array(matrix, np.float64)
    result: NDArray[np.float64] = triangles @ world_from_local[:3, :3].T + world_from_local[:3, 3]
    return result

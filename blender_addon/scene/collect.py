"""A blockout in Blender to triangles with classes.

What is collected is what Blender shows: evaluated meshes with their modifiers, the instances of collections and of
geometry nodes, and curves, text and metaballs as the meshes that they draw. Blender's dependency graph hands all of
these over as meshes, so one loop serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..geometry.gathered import GatheredObject, slot_classes, transformed, triangle_objects
from ..geometry.voxelization.voxelize import Fill, TriangleObject
from .grid_view import unnoticed
from .hints import color_hint
from .mesh_reading import MeshTriangles, read_mesh, sculpted_meshes
from .projected import artist_material
from .tagging import GEOMETRY_TYPES, ClassLookup
from .units import to_meters
from .visibility import rendered_objects, shown_as_rendered
from .volume import voxel_meters

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Blockout:
    """The tagged objects of a scene.

    Args:
        objects: in the dependency graph's order; an object whose material slots have several classes is several.
        sources: the name of the Blender object that each of `objects` comes from: an instance's is its instancer.
        turns: radians about +z from the world's axes to those of each: where its +y axis, its front, points to.
        untagged: names of visible geometry without a class, which is left out.
        faceless: names of what has a class but no faces: loose edges, circles, curves without thickness.
    """

    objects: tuple[TriangleObject, ...]
    sources: tuple[str, ...]
    turns: tuple[float, ...]
    untagged: tuple[str, ...]
    faceless: tuple[str, ...] = ()


@dataclass
class _Collected:
    """An object while its meshes are gathered."""

    gathered: GatheredObject
    source: str
    turn: float


def collect_blockout(context: bpy.types.Context) -> Blockout:
    """Collects the tagged objects of the context's scene that a render shows.

    Left out are objects and collections hidden in renders or excluded from the view layer, objects without a class,
    without faces or flattened to a line or a point, and what the extension made. An object that only the viewport
    hides counts: artists hide a room's ceiling and front wall to look inside. Instances that an object makes of
    itself (geometry nodes, text) belong to it; those of a collection are objects of their own, with the class of the
    instanced object, else that of the instancing one; so are descriptions.
    """
    with unnoticed():
        sculpted = sculpted_meshes(context)
    with shown_as_rendered(context.view_layer):
        return _collect(context.scene, context.evaluated_depsgraph_get(), sculpted)


def _collect(
    scene: bpy.types.Scene, graph: bpy.types.Depsgraph, sculpted: dict[bpy.types.Object, MeshTriangles]
) -> Blockout:
    lookup = ClassLookup.of(scene)
    rendered = rendered_objects(scene)
    meshes: dict[int, MeshTriangles] = {}
    collected: dict[object, _Collected] = {}
    untagged: dict[str, None] = {}
    faceless: dict[str, None] = {}
    for instance in graph.object_instances:
        evaluated = instance.object
        if evaluated.type not in GEOMETRY_TYPES or not instance.show_self:
            continue
        obj = evaluated.original
        parent = instance.parent.original if instance.is_instance and instance.parent else None
        if is_skipped(obj, parent, rendered):
            continue
        matrix = instance.matrix_world
        if is_flat(matrix):
            continue
        mesh = None
        if evaluated.type == "MESH":  # what a curve or text draws comes as a mesh of its own
            pointer = evaluated.data.as_pointer()  # instances of the same mesh are read once
            if pointer not in meshes:
                meshes[pointer] = read_mesh(evaluated)
            mesh = meshes[pointer] if parent == obj else sculpted.get(obj, meshes[pointer])
        if mesh is None or not len(mesh.triangles):
            if lookup.class_names(obj) or (parent and lookup.class_names(parent)):
                faceless.setdefault((parent or obj).name)
            continue
        classes = _triangle_classes(lookup, evaluated, parent, mesh)
        if not classes.any():
            untagged.setdefault((parent or obj).name)
            continue
        key = instance_key(instance, obj, parent)
        if key not in collected:
            gathered = GatheredObject(*object_fields(scene, obj, parent))
            collected[key] = _Collected(gathered, (parent or obj).name, _turn(matrix))
        collected[key].gathered.triangles.append(transformed(mesh.triangles, to_meters(scene, matrix)))
        collected[key].gathered.classes.append(classes)
    sources = {item.source for item in collected.values()}
    return _blockout(
        scene, lookup, collected.values(), tuple(untagged), tuple(name for name in faceless if name not in sources)
    )


def _blockout(
    scene: bpy.types.Scene,
    lookup: ClassLookup,
    collected: Collection[_Collected],
    untagged: tuple[str, ...],
    faceless: tuple[str, ...],
) -> Blockout:
    """The gathered objects as the voxeliser takes them."""
    parts = triangle_objects([item.gathered for item in collected], lookup.taxonomy, voxel_meters(scene))
    counts = [len(own) for own in parts]
    return Blockout(
        tuple(item for own in parts for item in own),
        tuple(item.source for item, count in zip(collected, counts, strict=True) for _ in range(count)),
        tuple(item.turn for item, count in zip(collected, counts, strict=True) for _ in range(count)),
        untagged,
        faceless,
    )


def instance_key(
    instance: bpy.types.DepsgraphObjectInstance, obj: bpy.types.Object, parent: bpy.types.Object | None
) -> object:
    """What the meshes of one object of the blockout have in common: the object, or one instance of it."""
    if parent is not None and parent != obj:
        return tuple(instance.persistent_id), parent.name_full, obj.name_full
    return obj.name_full


def object_fields(
    scene: bpy.types.Scene, obj: bpy.types.Object, parent: bpy.types.Object | None
) -> tuple[str, str, tuple[float, float, float] | None, Fill, int]:
    """Name, words, colour hint, fill and overlap of an object, or of an instance of it that `parent` makes."""
    name = f"{parent.name}/{obj.name}" if parent is not None and parent != obj else obj.name
    tags = obj.occscene
    words = tags.prompt or (parent.occscene.prompt if parent else "")
    return name, words, color_hint(scene, obj), Fill[tags.fill], tags.overlap


def _triangle_classes(
    lookup: ClassLookup, evaluated: bpy.types.Object, parent: bpy.types.Object | None, mesh: MeshTriangles
) -> Labels:
    """The label of each triangle."""
    return slot_classes(slot_labels(lookup, evaluated, parent, mesh.materials), mesh.slots)


def slot_labels(
    lookup: ClassLookup,
    evaluated: bpy.types.Object,
    parent: bpy.types.Object | None,
    materials: Sequence[bpy.types.Material | None],
) -> list[int]:
    """By material slot the object's label, else its material's, else the collection's, else the instancer's.

    Args:
        lookup: of the scene.
        evaluated: the object.
        parent: what makes an instance of it.
        materials: of its evaluated mesh.
    """
    obj = evaluated.original
    own = lookup.own_class(obj)
    rest = lookup.collection_class(obj) or (lookup.class_name(parent) if parent else "")
    if own or not lookup.of_material:
        return [lookup.index(own or rest)]
    slots = evaluated.material_slots
    labels = []
    for number in range(max(len(materials), len(slots), 1)):
        material = materials[number] if number < len(materials) else None
        if number < len(slots) and slots[number].link == "OBJECT":
            material = artist_material(obj, number)
        name = lookup.of_material.get(material.name_full, "") if material else ""
        labels.append(lookup.index(name or rest))
    return labels


def blockout_bounds(objects: Sequence[TriangleObject]) -> tuple[Floats, Floats]:
    """The lowest and highest world coordinates of the objects, metres."""
    lows = np.stack([item.triangles.min(axis=(0, 1)) for item in objects])
    highs = np.stack([item.triangles.max(axis=(0, 1)) for item in objects])
    return lows.min(axis=0), highs.max(axis=0)


def is_skipped(obj: bpy.types.Object, parent: bpy.types.Object | None, rendered: frozenset[bpy.types.Object]) -> bool:
    """Whether an object, or an instance of it that `parent` makes, is none of the blockout's."""
    owner = parent or obj
    return owner not in rendered or owner.occscene.is_output or obj.occscene.is_output


def is_flat(world_from_local: Matrix) -> bool:
    """Whether a transform flattens everything to a line or a point; artists scale to zero what they put away."""
    linear = world_from_local.to_3x3()
    return abs(linear.determinant()) < 1e-12 and bool(np.linalg.matrix_rank(np.array(linear), tol=1e-6) < 2)


def _turn(world_from_local: Matrix) -> float:
    """Radians about +z to a transform's +y axis; where that stands upright, a quarter less than to its +x axis."""
    x, y = (world_from_local.col[axis].to_3d() for axis in (0, 1))
    if math.hypot(y.x, y.y) > 0.1 * y.length:
        return math.atan2(-y.x, y.y)
    return math.atan2(x.y, x.x)

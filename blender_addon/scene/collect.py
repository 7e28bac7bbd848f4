"""A blockout in Blender to triangles with classes.

What is collected is what Blender shows: evaluated meshes with their modifiers, the instances of collections and of
geometry nodes, and curves, text and metaballs as the meshes that they draw. Blender's dependency graph hands all of
these over as meshes, so one loop serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray
from occscene.limits import MAX_NAME_LENGTH

from ..geometry.class_parts import parts_by_class
from ..geometry.voxelization.voxelize import Fill, TriangleObject
from .grid_view import unnoticed
from .hints import color_hint
from .mesh_reading import MeshTriangles, read_mesh, sculpted_meshes
from .projected import artist_material
from .tagging import GEOMETRY_TYPES, ClassLookup
from .units import to_meters
from .visibility import rendered_objects, shown_as_rendered
from .volume import voxel_meters

_OVERLAP_STEP = 256
"""What a step of an object's `overlap` counts for: more than any two classes' priorities differ by."""

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

    label: str
    obj: bpy.types.Object
    source: str
    prompt: str
    turn: float
    triangles: list[Floats] = field(default_factory=list)
    classes: list[Labels] = field(default_factory=list)


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
        if _skipped(obj, parent, rendered):
            continue
        matrix = instance.matrix_world
        if _is_flat(matrix):
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
        key: object = obj.name_full
        label = obj.name
        if parent is not None and parent != obj:
            key = (tuple(instance.persistent_id), parent.name_full, obj.name_full)
            label = f"{parent.name}/{obj.name}"
        description = obj.occscene.prompt or (parent.occscene.prompt if parent else "")
        item = collected.setdefault(key, _Collected(label, obj, (parent or obj).name, description, _turn(matrix)))
        item.triangles.append(transformed(mesh.triangles, to_meters(scene, matrix)))
        item.classes.append(classes)
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
    classes = lookup.taxonomy.classes
    gathered = [(np.concatenate(item.triangles), np.concatenate(item.classes)) for item in collected]
    objects: list[TriangleObject] = []
    sources: list[str] = []
    turns: list[float] = []
    for item, parts in zip(collected, parts_by_class(gathered, voxel_meters(scene)), strict=True):
        hint = color_hint(scene, item.obj)
        chosen = Fill[item.obj.occscene.fill]
        for part in parts:
            name = item.label if len(parts) == 1 else f"{item.label} ({classes[part.class_index].name})"
            priority = max(classes[part.class_index].priority, classes[part.body_class].priority)
            priority += _OVERLAP_STEP * item.obj.occscene.overlap
            fill = Fill.SURFACE if part.body_class else chosen  # a skin's body is filled
            objects.append(
                TriangleObject(
                    name[:MAX_NAME_LENGTH],
                    part.class_index,
                    part.triangles,
                    priority,
                    fill,
                    hint,
                    item.prompt,
                    part.shown,
                )
            )
            sources.append(item.source)
            turns.append(item.turn)
    return Blockout(tuple(objects), tuple(sources), tuple(turns), untagged, faceless)


def _triangle_classes(
    lookup: ClassLookup, evaluated: bpy.types.Object, parent: bpy.types.Object | None, mesh: MeshTriangles
) -> Labels:
    """The label of each triangle: the object's, else its material's, else the collection's, else the instancer's."""
    obj = evaluated.original
    own = lookup.own_class(obj)
    rest = lookup.collection_class(obj) or (lookup.class_name(parent) if parent else "")
    if own or not lookup.of_material:
        return np.full(len(mesh.triangles), lookup.index(own or rest), np.int64)
    slots = evaluated.material_slots
    labels = [0]
    for number in range(max(len(mesh.materials), len(slots), 1)):
        material = mesh.materials[number] if number < len(mesh.materials) else None
        if number < len(slots) and slots[number].link == "OBJECT":
            material = artist_material(obj, number)
        name = lookup.of_material.get(material.name_full, "") if material else ""
        labels[number:] = [lookup.index(name or rest)]
    last = len(labels) - 1  # Blender draws faces of slots that are not there with the last one
    result: Labels = np.array(labels, np.int64)[np.minimum(mesh.slots, last)]
    return result


def blockout_bounds(objects: Sequence[TriangleObject]) -> tuple[Floats, Floats]:
    """The lowest and highest world coordinates of the objects, metres."""
    lows = np.stack([item.triangles.min(axis=(0, 1)) for item in objects])
    highs = np.stack([item.triangles.max(axis=(0, 1)) for item in objects])
    return lows.min(axis=0), highs.max(axis=0)


def _skipped(obj: bpy.types.Object, parent: bpy.types.Object | None, rendered: frozenset[bpy.types.Object]) -> bool:
    """Whether an object, or an instance of it that `parent` makes, is none of the blockout's."""
    owner = parent or obj
    return owner not in rendered or owner.occscene.is_output or obj.occscene.is_output


def _is_flat(world_from_local: Matrix) -> bool:
    """Whether a transform flattens everything to a line or a point; artists scale to zero what they put away."""
    linear = world_from_local.to_3x3()
    return abs(linear.determinant()) < 1e-12 and bool(np.linalg.matrix_rank(np.array(linear), tol=1e-6) < 2)


def _turn(world_from_local: Matrix) -> float:
    """Radians about +z to a transform's +y axis; where that stands upright, a quarter less than to its +x axis."""
    x, y = (world_from_local.col[axis].to_3d() for axis in (0, 1))
    if math.hypot(y.x, y.y) > 0.1 * y.length:
        return math.atan2(-y.x, y.y)
    return math.atan2(x.y, x.x)


def transformed(triangles: Floats, meters_from_local: Floats) -> Floats:
    """Triangles (T, 3, 3) under an affine transform (4, 4); mirrored ones are turned, so that outside stays outside."""
    moved = triangles.reshape(-1, 3) @ meters_from_local[:3, :3].T + meters_from_local[:3, 3]
    is_mirrored = np.linalg.det(meters_from_local[:3, :3]) < 0.0
    return moved.reshape(-1, 3, 3)[:, :: -1 if is_mirrored else 1]

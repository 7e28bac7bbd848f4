"""Which classes an object has: its own, else its material slots', else that of the nearest collection above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy
from occscene.taxonomy import TAXONOMIES, SemanticClass, Taxonomy

from .projected import artist_material

_LABELS = {"tvs": "Screen", "furn": "Furniture", "objs": "Props"}
"""Names of the data sets that say little to an artist."""

GEOMETRY_TYPES = frozenset({"MESH", "CURVE", "SURFACE", "FONT", "META", "CURVES", "POINTCLOUD"})


def class_label(name: str) -> str:
    """A class's name as the interface shows it."""
    return _LABELS.get(name) or name.replace("-", " ").title()


def scene_taxonomy(scene: bpy.types.Scene) -> Taxonomy:
    """The taxonomy of the scene's domain."""
    return TAXONOMIES[scene.occscene.domain]


def class_by_object(roots: Iterable[bpy.types.Collection]) -> dict[bpy.types.Object, str]:
    """The class that collections under `roots` give to their objects; a collection inherits its parent's.

    For an object in several tagged collections the first in the outliner's order counts. (`Object.users_collection`
    would be simpler, but searches all collections at each call.)
    """
    classes: dict[bpy.types.Object, str] = {}
    pending = [(root, "") for root in roots]
    while pending:
        collection, inherited = pending.pop(0)
        name = collection.occscene.class_name or inherited
        if name:
            for obj in collection.objects:
                classes.setdefault(obj, name)
        pending[:0] = [(child, name) for child in collection.children]
    return classes


@dataclass(frozen=True)
class ClassLookup:
    """Finds the classes of many objects at once; made for one pass, not kept over an undo.

    Args:
        taxonomy: the scene's; classes of another one do not count.
        inherited: the class that each object has from its collections.
        of_material: the classes of the tagged materials by their full names.
        labels: the taxonomy's class names with their labels.
    """

    taxonomy: Taxonomy
    inherited: dict[bpy.types.Object, str]
    of_material: dict[str, str]
    labels: dict[str, int]

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> ClassLookup:
        """The lookup of a scene, with the collections that its objects instance."""
        instanced = {item.instance_collection for item in scene.objects if item.instance_collection}
        taxonomy = scene_taxonomy(scene)
        labels = {entry.name: entry.index for entry in taxonomy.classes[1:]}
        materials = {
            material.name_full: str(material.occscene.class_name)
            for material in bpy.data.materials
            if material.occscene.class_name in labels
        }
        return cls(taxonomy, class_by_object([scene.collection, *instanced]), materials, labels)

    def own_class(self, obj: bpy.types.Object) -> str:
        """The class given to the object itself, or ""."""
        name = str(obj.occscene.class_name)
        return name if name in self.labels else ""

    def collection_class(self, obj: bpy.types.Object) -> str:
        """The class that the object's collections give it, or ""."""
        name = self.inherited.get(obj, "")
        return name if name in self.labels else ""

    def slot_classes(self, obj: bpy.types.Object) -> list[str]:
        """The class of the material in each of the object's slots, or ""."""
        if not self.of_material:
            return []
        materials = [artist_material(obj, number) for number in range(len(obj.material_slots))]
        return [self.of_material.get(material.name_full, "") if material else "" for material in materials]

    def class_names(self, obj: bpy.types.Object) -> tuple[str, ...]:
        """The classes that the object's parts have, without repeats; () if nothing gives it any."""
        own = self.own_class(obj)
        if own:
            return (own,)
        rest = self.collection_class(obj)
        names = [name or rest for name in self.slot_classes(obj)] or [rest]
        return tuple(dict.fromkeys(name for name in names if name))

    def class_name(self, obj: bpy.types.Object) -> str:
        """The first of the object's classes, or ""."""
        return next(iter(self.class_names(obj)), "")

    def index(self, name: str) -> int:
        """The label of a class name, 0 if the taxonomy has no such class."""
        return self.labels.get(name, 0)


def taggable_objects(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """Objects of the scene that can carry a class: geometry and instancers, without what the extension made."""
    return (obj for obj in scene.objects if has_classes(obj))


def has_classes(obj: bpy.types.Object) -> bool:
    """Whether an object can carry a class: it is geometry or an instancer, and none of what the extension made."""
    return not obj.occscene.is_output and (obj.type in GEOMETRY_TYPES or obj.instance_type == "COLLECTION")


def class_counts(scene: bpy.types.Scene) -> Counter[str]:
    """How many objects of the scene have each class; those without one count under "", those put away not at all."""
    lookup = ClassLookup.of(scene)
    objects = (obj for obj in taggable_objects(scene) if not (obj.hide_render and obj.hide_viewport))
    return Counter(name for obj in objects for name in lookup.class_names(obj) or ("",))


def guess_classes(scene: bpy.types.Scene, objects: Iterable[bpy.types.Object]) -> tuple[int, list[str]]:
    """Gives untagged objects the class that their name speaks of.

    Returns:
        How many were given a class, and the names of those for which there is no guess.
    """
    lookup = ClassLookup.of(scene)
    guessed, unknown = 0, []
    known: dict[str, SemanticClass | None] = {}
    for obj in objects:
        if lookup.class_name(obj):
            continue
        text = obj.name.rstrip("._ 0123456789")  # "Sofa.001" and "Sofa.002" are asked for once
        if text not in known:
            known[text] = lookup.taxonomy.guess(text)
        guess = known[text]
        if guess is None or not is_taggable(obj):
            unknown.append(obj.name)
        else:
            obj.occscene.class_name = guess.name
            guessed += 1
    return guessed, unknown


def worded_objects(view_layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """The objects that the panel's words are for: the selected ones that can be tagged, else the active one."""
    active = view_layer.objects.active
    chosen = list(view_layer.objects.selected) or ([active] if active else [])
    return [obj for obj in chosen if is_taggable(obj) and has_classes(obj)]


def shared_words(view_layer: bpy.types.ViewLayer) -> str:
    """The words that the panel shows: the active object's, else those of the first that they are for."""
    objects = worded_objects(view_layer)
    active = view_layer.objects.active
    shown = active if active in objects else next(iter(objects), None)
    return str(shown.occscene.prompt) if shown else ""


def is_taggable(owner: bpy.types.ID) -> bool:
    """Whether a tag would be saved with the file: data of a linked library belongs to the library's file."""
    return owner.library is None

"""A material over all of an object's slots, and back again; meshes and their own materials stay untouched."""

from __future__ import annotations

from collections.abc import Iterable

import bpy


def is_projected(obj: bpy.types.Object) -> bool:
    """Whether the object carries a projection."""
    return len(obj.occscene.slots_before) > 0


def can_be_projected(obj: bpy.types.Object) -> bool:
    """Whether the object can take a material; linked ones cannot keep it."""
    return obj.library is None and hasattr(obj.data, "materials") and (obj.material_slots or not obj.data.library)


def put_projection(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """Covers the object's slots with `material`, as the object's own, and remembers what was there."""
    if is_projected(obj):
        for slot in obj.material_slots:
            slot.material = material
        return
    if not obj.material_slots:
        obj.data.materials.append(None)
    for slot in obj.material_slots:
        before = obj.occscene.slots_before.add()
        before.is_of_object = slot.link == "OBJECT"
        before.material = slot.material if before.is_of_object else None
        slot.link = "OBJECT"
        slot.material = material


def take_projection(obj: bpy.types.Object) -> None:
    """Gives the object's slots back what `put_projection` covered."""
    for slot, before in zip(obj.material_slots, obj.occscene.slots_before, strict=False):
        slot.material = before.material
        if not before.is_of_object:
            slot.link = "DATA"
    obj.occscene.slots_before.clear()


def artist_material(obj: bpy.types.Object, number: int) -> bpy.types.Material | None:
    """The material of the object's slot of this number as the artist left it, under a projection or not."""
    slot = obj.material_slots[number]
    if number >= len(obj.occscene.slots_before):
        return slot.material
    before = obj.occscene.slots_before[number]
    return before.material if before.is_of_object else obj.data.materials[number]


def projections(objects: Iterable[bpy.types.Object]) -> set[bpy.types.Material]:
    """The projection materials that objects carry."""
    return {slot.material for obj in objects if is_projected(obj) for slot in obj.material_slots if slot.material}

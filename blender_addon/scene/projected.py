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
    is_added = _has_no_slot(obj)
    if not obj.material_slots:
        obj.data.materials.append(None)
    for slot in obj.material_slots:
        before = obj.occscene.slots_before.add()
        before.is_added = is_added
        before.is_of_object = slot.link == "OBJECT"
        before.material = slot.material if before.is_of_object else None
        slot.link = "OBJECT"
        slot.material = material


def take_projection(obj: bpy.types.Object) -> None:
    """Gives the object's slots back what `put_projection` covered, and removes the slot that it added."""
    is_added = obj.occscene.slots_before[0].is_added
    for slot, before in zip(obj.material_slots, obj.occscene.slots_before, strict=False):
        slot.material = before.material
        if not before.is_of_object:
            slot.link = "DATA"
    obj.occscene.slots_before.clear()
    if is_added and list(obj.data.materials) == [None] and not any(map(is_projected, _sharing(obj))):
        obj.data.materials.clear()


def _has_no_slot(obj: bpy.types.Object) -> bool:
    """Whether the object has no material slot, or one only since an object with the same data is projected onto."""
    if not obj.material_slots:
        return True
    if list(obj.data.materials) != [None]:
        return False
    return any(other.occscene.slots_before[0].is_added for other in _sharing(obj) if is_projected(other))


def _sharing(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects with the same data."""
    return [other for other in bpy.data.objects if other.data == obj.data] if obj.data.users > 1 else [obj]


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

"""A material over all of an object's slots, and back again; meshes and their own materials stay untouched."""

from __future__ import annotations

from collections.abc import Iterable

import bpy


def is_projected(thing: bpy.types.Object) -> bool:
    """Whether the object carries a projection."""
    return len(thing.occscene.slots_before) > 0


def can_be_projected(thing: bpy.types.Object) -> bool:
    """Whether the object can take a material; linked ones cannot keep it."""
    return (
        thing.library is None and hasattr(thing.data, "materials") and (thing.material_slots or not thing.data.library)
    )


def put_projection(thing: bpy.types.Object, material: bpy.types.Material) -> None:
    """Covers the object's slots with `material`, as the object's own, and remembers what was there."""
    if is_projected(thing):
        for slot in thing.material_slots:
            slot.material = material
        return
    if not thing.material_slots:
        thing.data.materials.append(None)
    for slot in thing.material_slots:
        before = thing.occscene.slots_before.add()
        before.is_of_object = slot.link == "OBJECT"
        before.material = slot.material if before.is_of_object else None
        slot.link = "OBJECT"
        slot.material = material


def take_projection(thing: bpy.types.Object) -> None:
    """Gives the object's slots back what `put_projection` covered."""
    for slot, before in zip(thing.material_slots, thing.occscene.slots_before, strict=False):
        slot.material = before.material
        if not before.is_of_object:
            slot.link = "DATA"
    thing.occscene.slots_before.clear()


def artist_material(thing: bpy.types.Object, number: int) -> bpy.types.Material | None:
    """The material of the object's slot of this number as the artist left it, under a projection or not."""
    slot = thing.material_slots[number]
    if number >= len(thing.occscene.slots_before):
        return slot.material
    before = thing.occscene.slots_before[number]
    return before.material if before.is_of_object else thing.data.materials[number]


def projections(things: Iterable[bpy.types.Object]) -> set[bpy.types.Material]:
    """The projection materials that objects carry."""
    return {slot.material for thing in things if is_projected(thing) for slot in thing.material_slots if slot.material}

"""Give objects, material slots and collections their classes."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..scene.counting import sent_objects
from ..scene.tagging import (
    ClassLookup,
    class_label,
    guess_classes,
    has_classes,
    is_taggable,
    scene_taxonomy,
    taggable_objects,
)
from ..scene.tint import tint_again

_LINKED = "{} is linked from another file: tag the collection that holds it here, or make a library override"

_WORDS_SHOWN = 16
"""Words of a class in its button's tooltip."""

ASSIGN_ITEMS = (
    ("OBJECTS", "Selected Objects", "Every selected object"),
    ("SLOT", "Material Slot", "The material in the active object's active slot, wherever it is used"),
    ("COLLECTION", "Active Collection", "All objects of the collection that have no class of their own"),
)


class OCCSCENE_OT_assign_class(bpy.types.Operator):
    """Give this class to the selected objects, to the active material slot, or to the active collection"""

    bl_idname = "occscene.assign_class"
    bl_label = "Assign Class"
    bl_options = {"REGISTER", "UNDO"}

    class_name: StringProperty(name="Class", description="Name of a class; empty takes the class away")
    target: EnumProperty(
        name="To",
        items=ASSIGN_ITEMS,
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """The class, and the words that belong to it."""
        taxonomy = scene_taxonomy(context.scene)
        entry = next((entry for entry in taxonomy.classes if entry.name == properties.class_name), None)
        if entry is None:
            return "Take the class away"
        words = f": {', '.join(entry.aliases[:_WORDS_SHOWN])}" if entry.aliases else ""
        words += " and others, see Find Word" if len(entry.aliases) > _WORDS_SHOWN else ""
        return f"{class_label(entry.name)}{words}. To tell them apart, give objects words of their own"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes the class."""
        names = [entry.name for entry in scene_taxonomy(context.scene).classes[1:]]
        if self.class_name and self.class_name not in names:
            self.report({"ERROR"}, f"there is no class {self.class_name!r}; this domain has {', '.join(names)}")
            return {"CANCELLED"}
        owners, problem = _owners(context, self.target)
        linked = [owner.name for owner in owners if not is_taggable(owner)]
        owners = [owner for owner in owners if is_taggable(owner)]
        if not owners:
            self.report({"WARNING"}, _LINKED.format(linked[0]) if linked else problem)
            return {"CANCELLED"}
        for owner in owners:
            owner.occscene.class_name = self.class_name
        tint_again(context.scene)
        what = owners[0].name if len(owners) == 1 else f"{len(owners)} objects"
        text = f"{what}: {class_label(self.class_name) if self.class_name else 'no class'}"
        if linked:
            text += f"; {len(linked)} left out: {_LINKED.format(linked[0])}"
        self.report({"WARNING" if linked else "INFO"}, text)
        return {"FINISHED"}


def _owners(context: bpy.types.Context, target: str) -> tuple[list[bpy.types.ID], str]:
    """The owners that a target stands for, and what to report if there are none."""
    if target == "COLLECTION":
        return [context.collection], ""
    if target == "SLOT":
        obj = context.view_layer.objects.active
        material = obj.active_material if obj else None
        return [material] if material else [], "Choose an object whose active material slot has a material"
    selected = context.view_layer.objects.selected
    objects = [obj for obj in selected if has_classes(obj)]
    return (
        objects,
        "Cameras, lights and the like have no class: select geometry" if selected else "Select the objects first",
    )


class OCCSCENE_OT_select_class(bpy.types.Operator):
    """Select the objects that have this class, wholly or in a material slot"""

    bl_idname = "occscene.select_class"
    bl_label = "Select Class"
    bl_options = {"REGISTER", "UNDO"}

    class_name: StringProperty(name="Class", description="Name of a class; empty selects what has none")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Selects the class's objects and nothing else."""
        context.view_layer.update()
        lookup = ClassLookup.of(context.scene)
        objects = sent_objects(context.scene, context.view_layer)
        wanted = {obj for obj in objects if self.class_name in (lookup.class_names(obj) or ("",))}
        for obj in context.view_layer.objects:
            obj.select_set(obj in wanted)
        selected = [obj for obj in wanted if obj.select_get()]
        unseen = len(wanted) - len(selected)
        if unseen:
            self.report({"WARNING"}, f"{len(selected)} selected; {unseen} more are hidden or cannot be selected")
        return {"FINISHED"}


class OCCSCENE_OT_guess_classes(bpy.types.Operator):
    """Give every object without a class the one that its name speaks of"""

    bl_idname = "occscene.guess_classes"
    bl_label = "Guess from Names"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Guesses, and reports the objects for which there is no guess."""
        guessed, unknown = guess_classes(context.scene, taggable_objects(context.scene))
        tint_again(context.scene)
        rest = f"; no class found for {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}" if unknown else ""
        self.report({"WARNING" if unknown else "INFO"}, f"{guessed} objects were given a class{rest}")
        return {"FINISHED"}


class OCCSCENE_OT_set_hint(bpy.types.Operator):
    """Send the viewport colors of the selected objects, so that the views show them in these colors"""

    bl_idname = "occscene.set_hint"
    bl_label = "Keep Color"
    bl_options = {"REGISTER", "UNDO"}

    use_hint: BoolProperty(name="Keep Color", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a selection."""
        if not context.view_layer.objects.selected:
            cls.poll_message_set("Select the objects first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the switch of each selected object."""
        for obj in context.view_layer.objects.selected:
            obj.occscene.use_hint = self.use_hint
        return {"FINISHED"}


CLASSES = (
    OCCSCENE_OT_assign_class,
    OCCSCENE_OT_select_class,
    OCCSCENE_OT_guess_classes,
    OCCSCENE_OT_set_hint,
)

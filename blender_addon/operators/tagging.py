"""Give objects their classes."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..scene.materials import linear_color
from ..scene.tagging import ClassLookup, guess_classes, scene_taxonomy, taggable_objects


class OCCSCENE_OT_assign_class(bpy.types.Operator):
    """Give the selected objects, or the active collection, this class"""

    bl_idname = "occscene.assign_class"
    bl_label = "Assign Class"
    bl_options = {"REGISTER", "UNDO"}

    class_name: StringProperty(name="Class", description="Name of a class; empty takes the class away")
    target: EnumProperty(
        name="To",
        items=(
            ("OBJECTS", "Selected Objects", "Every selected object"),
            ("COLLECTION", "Active Collection", "All objects of the collection that have no class of their own"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes the class."""
        names = [entry.name for entry in scene_taxonomy(context.scene).classes[1:]]
        if self.class_name and self.class_name not in names:
            self.report({"ERROR"}, f"there is no class {self.class_name!r}; this domain has {', '.join(names)}")
            return {"CANCELLED"}
        if self.target == "COLLECTION":
            context.collection.occscene.class_name = self.class_name
            self.report({"INFO"}, f"Collection {context.collection.name}: {self.class_name or 'no class'}")
            return {"FINISHED"}
        things = [thing for thing in context.view_layer.objects.selected if not thing.occscene.is_output]
        if not things:
            self.report({"WARNING"}, "Select the objects first")
            return {"CANCELLED"}
        lookup = ClassLookup.of(context.scene)
        for thing in things:
            thing.occscene.class_name = self.class_name
            if thing.occscene.is_tinted:
                _tint(thing, lookup)
        self.report({"INFO"}, f"{len(things)} objects: {self.class_name or 'no class'}")
        return {"FINISHED"}


class OCCSCENE_OT_select_class(bpy.types.Operator):
    """Select the objects of this class"""

    bl_idname = "occscene.select_class"
    bl_label = "Select Class"
    bl_options = {"REGISTER", "UNDO"}

    class_name: StringProperty(name="Class", description="Name of a class; empty selects what has none")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Selects the class's objects and nothing else."""
        lookup = ClassLookup.of(context.scene)
        wanted = {thing for thing in taggable_objects(context.scene) if lookup.class_name(thing) == self.class_name}
        for thing in context.view_layer.objects:
            thing.select_set(thing in wanted)
        return {"FINISHED"}


class OCCSCENE_OT_guess_classes(bpy.types.Operator):
    """Give every object without a class the one that its name speaks of"""

    bl_idname = "occscene.guess_classes"
    bl_label = "Guess from Names"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Guesses, and names what nothing was found for."""
        guessed, unknown = guess_classes(context.scene, taggable_objects(context.scene))
        rest = f"; no class found for {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}" if unknown else ""
        self.report({"WARNING" if unknown else "INFO"}, f"{guessed} objects were given a class{rest}")
        return {"FINISHED"}


class OCCSCENE_OT_set_hint(bpy.types.Operator):
    """Send the viewport colors of the selected objects, so that the views show them in these colors"""

    bl_idname = "occscene.set_hint"
    bl_label = "Keep Color"
    bl_options = {"REGISTER", "UNDO"}

    use_hint: BoolProperty(name="Keep Color", default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the switch of each selected object."""
        for thing in context.view_layer.objects.selected:
            thing.occscene.use_hint = self.use_hint
        return {"FINISHED"}


class OCCSCENE_OT_tint_viewport(bpy.types.Operator):
    """Show every object in its class's color; press again to go back"""

    bl_idname = "occscene.tint_viewport"
    bl_label = "Tint by Class"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tints, or brings the colors back."""
        things = list(taggable_objects(context.scene))
        tinted = [thing for thing in things if thing.occscene.is_tinted]
        for thing in tinted:
            thing.color = thing.occscene.untinted_color
            thing.occscene.is_tinted = False
        if not tinted:
            lookup = ClassLookup.of(context.scene)
            for thing in things:
                _tint(thing, lookup)
        for area in context.screen.areas if context.screen else ():
            if area.type == "VIEW_3D":
                area.spaces.active.shading.color_type = "MATERIAL" if tinted else "OBJECT"
        return {"FINISHED"}


def _tint(thing: bpy.types.Object, lookup: ClassLookup) -> None:
    """Gives an object its class's color, remembering the artist's."""
    if not thing.occscene.is_tinted:
        thing.occscene.untinted_color = thing.color
        thing.occscene.is_tinted = True
    index = lookup.index(lookup.class_name(thing))
    thing.color = linear_color(lookup.taxonomy.classes[index]) if index else (0.05, 0.05, 0.05, 1.0)


CLASSES = (
    OCCSCENE_OT_assign_class,
    OCCSCENE_OT_select_class,
    OCCSCENE_OT_guess_classes,
    OCCSCENE_OT_set_hint,
    OCCSCENE_OT_tint_viewport,
)

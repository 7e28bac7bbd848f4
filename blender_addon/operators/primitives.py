"""Add tagged boxes, and sets of them, at the 3D cursor."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from bpy.props import FloatVectorProperty, StringProperty
from occscene.taxonomy import OUTDOOR

from ..scene.outdoor_sets import SETS, add_set
from ..scene.primitives import add_tagged_box, usual_size
from ..scene.tagging import class_label, scene_taxonomy
from ..scene.tint import tint_again


class OCCSCENE_OT_add_box(bpy.types.Operator):
    """Add a box of this class at the 3D cursor"""

    bl_idname = "occscene.add_box"
    bl_label = "Add Tagged Box"
    bl_options = {"REGISTER", "UNDO"}

    class_name: StringProperty(name="Class", description="Name of a class")
    size: FloatVectorProperty(
        name="Size",
        description="Width, depth and height; what is usual for the class if it is not given",
        subtype="XYZ_LENGTH",
        unit="LENGTH",
        min=0.0001,
        soft_max=100.0,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in Object Mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the edit mode first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds the box."""
        names = [entry.name for entry in scene_taxonomy(context.scene).classes[1:]]
        if self.class_name not in names:
            self.report({"ERROR"}, f"there is no class {self.class_name!r}; this domain has {', '.join(names)}")
            return {"CANCELLED"}
        if not self.properties.is_property_set("size"):
            self.size = usual_size(context.scene, self.class_name)
        size = (self.size[0], self.size[1], self.size[2])
        add_tagged_box(context, self.class_name, class_label(self.class_name), size, context.scene.cursor.matrix)
        tint_again(context.scene)
        return {"FINISHED"}


class OCCSCENE_OT_add_set(bpy.types.Operator):
    """Add a street, a house, a tree ... of tagged objects at the 3D cursor"""

    bl_idname = "occscene.add_set"
    bl_label = "Add Tagged Set"
    bl_options = {"REGISTER", "UNDO"}

    set_name: StringProperty(name="Set", description="Name of a set")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only outdoors, in Object Mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the edit mode first")
            return False
        if scene_taxonomy(context.scene).name != OUTDOOR.name:
            cls.poll_message_set("Streets need the domain Outdoor")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds the set."""
        if self.set_name not in SETS:
            self.report({"ERROR"}, f"there is no set {self.set_name!r}; there are {', '.join(SETS)}")
            return {"CANCELLED"}
        add_set(context, self.set_name, context.scene.cursor.matrix)
        tint_again(context.scene)
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_add_box, OCCSCENE_OT_add_set)

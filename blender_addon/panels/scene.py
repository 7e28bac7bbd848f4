"""The Scene panel: the blockout's classes."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy

from ..scene.icons import class_icon
from ..scene.tagging import ClassLookup, class_label, scene_taxonomy, worded_objects
from .add_menu import VIEW3D_MT_occscene_add
from .counts import drawn_counts
from .layout import SidebarPanel


class VIEW3D_PT_occscene_scene(SidebarPanel, bpy.types.Panel):
    """Tag the blockout."""

    bl_label = "Scene"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the domain, the target of a click, and the class palette."""
        layout = self.layout
        scene = context.scene
        session = context.window_manager.occscene
        taxonomy = scene_taxonomy(scene)
        layout.row().prop(scene.occscene, "domain", expand=True)
        row = layout.row(align=True)
        row.operator("occscene.guess_classes", text="Guess by Name", icon="SORTALPHA")
        row.operator("occscene.tint_viewport", icon="COLOR", depress=scene.occscene.is_tinted)

        column = layout.column(align=True)
        column.label(text="Assign To")
        column.row(align=True).prop(session, "assign_target", expand=True)
        column.label(text=_target_name(context, session.assign_target), icon="FORWARD")

        counts = drawn_counts(context).by_class
        palette = layout.box().column(align=True)
        for entry in taxonomy.classes[1:]:
            split = palette.split(factor=0.8, align=True)
            button = split.operator(
                "occscene.assign_class", text=class_label(entry.name), icon_value=class_icon(taxonomy, entry)
            )
            button.class_name, button.target = entry.name, session.assign_target
            part = split.row(align=True)
            part.enabled = counts[entry.name] > 0
            part.operator("occscene.select_class", text=str(counts[entry.name])).class_name = entry.name
        if counts[""]:
            row = layout.row()
            row.alert = True
            text = f"Select {counts['']} Without Class"
            row.operator("occscene.select_class", text=text, icon="ERROR").class_name = ""

        row = layout.row(align=True)
        ground, upright = ("floor", "wall") if taxonomy.name == "indoor" else ("road", "building")
        for name in (upright, ground):
            row.operator("occscene.add_box", text=class_label(name), icon="ADD").class_name = name
        row.menu(VIEW3D_MT_occscene_add.bl_idname, text="More", icon="ADD")


def _target_name(context: bpy.types.Context, target: str) -> str:
    """What a click on a class will change, by name."""
    if target == "COLLECTION":
        return str(context.collection.name)
    active = context.view_layer.objects.active
    if target == "SLOT":
        material = active.active_material if active else None
        return material.name if material else "No material in the active slot"
    return f"{len(context.view_layer.objects.selected)} selected"


class VIEW3D_PT_occscene_object(SidebarPanel, bpy.types.Panel):
    """The active object's tags."""

    bl_label = "Active Object"
    bl_parent_id = "VIEW3D_PT_occscene_scene"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is an active object of the artist's."""
        return context.object is not None and not context.object.occscene.is_output

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what gives the object a class, the strongest first; overridden ones are grayed out."""
        layout = self.layout
        obj = context.object
        lookup = ClassLookup.of(context.scene)
        own = lookup.own_class(obj)
        column = layout.column(align=True)
        _class_line(column, "OBJECT_DATA", obj.name, own, "OBJECTS", is_overridden=False)
        slots = lookup.slot_classes(obj)
        for slot, name in zip(obj.material_slots, slots, strict=False):
            if name:
                _class_line(column, "MATERIAL", slot.material.name, name, "", is_overridden=bool(own))
        from_collection = lookup.collection_class(obj)
        if from_collection:
            is_overridden = bool(own) or (bool(slots) and all(slots))
            _class_line(column, "OUTLINER_COLLECTION", "Collection", from_collection, "", is_overridden)
        if not lookup.class_names(obj):
            column.label(text="Without a class it is not sent", icon="ERROR")
        layout.prop(obj.occscene, "fill")
        layout.prop(obj.occscene, "overlap")
        _words(layout, context)


def _words(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The field for the description of all selected objects."""
    objects = worded_objects(context.view_layer)
    column = layout.column(align=True)
    text = f"Words for {len(objects)} Selected" if len(objects) > 1 else "Words"
    column.label(text=text)
    column.prop(context.scene.occscene, "selected_words", text="")
    column.enabled = bool(objects)
    if not objects:
        column.label(text="Linked: make a library override", icon="INFO")


def _class_line(
    column: bpy.types.UILayout, icon: str, owner: str, class_name: str, target: str, is_overridden: bool
) -> None:
    """One owner of a class, and the button that takes it away."""
    row = column.row(align=True)
    row.active = not is_overridden
    row.label(text=owner, icon=icon)
    part = row.row(align=True)
    part.alignment = "RIGHT"
    part.label(text=class_label(class_name) if class_name else "-")
    if class_name and target:
        button = part.operator("occscene.assign_class", text="", icon="X", emboss=False)
        button.class_name, button.target = "", target


class VIEW3D_PT_occscene_hints(SidebarPanel, bpy.types.Panel):
    """Which colours are sent."""

    bl_label = "Color Hints"
    bl_parent_id = "VIEW3D_PT_occscene_scene"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draws the switch for all."""
        self.layout.prop(context.scene.occscene, "use_hints", text="")

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the active object's colour and the switches of the selection."""
        layout = self.layout
        layout.active = context.scene.occscene.use_hints
        obj = context.object
        if obj is not None and not obj.occscene.is_output:
            split = layout.split(factor=0.6)
            split.prop(obj.occscene, "use_hint")
            split.prop(obj, "color", text="")
        row = layout.row(align=True)
        row.operator("occscene.set_hint", text="Keep Selected").use_hint = True
        row.operator("occscene.set_hint", text="Free Selected").use_hint = False


CLASSES = (VIEW3D_PT_occscene_scene, VIEW3D_PT_occscene_object, VIEW3D_PT_occscene_hints)

"""The Scene panel: the blockout's classes."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy

from ..operators.counted import counted
from ..scene.hints import color_source, hint_material
from ..scene.icons import class_icon
from ..scene.tagging import ClassLookup, class_label, has_classes, scene_taxonomy, worded_objects
from .add_menu import VIEW3D_MT_occscene_add
from .counts import drawn_counts
from .layout import SidebarPanel


class VIEW3D_PT_occscene_scene(SidebarPanel, bpy.types.Panel):
    """Tag the blockout."""

    bl_label = "Scene"
    bl_order = 1
    step = "BLOCKOUT"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the domain, the target of a click, and the class palette."""
        layout = self.layout
        scene = context.scene
        session = context.window_manager.occscene
        layout.row().prop(scene.occscene, "domain", expand=True)
        row = layout.row(align=True)
        row.operator("occscene.guess_classes", text="Guess by Name", icon="SORTALPHA")
        row.operator("occscene.tint_viewport", icon="COLOR", depress=scene.occscene.is_tinted)

        column = layout.column(align=True)
        column.row(align=True).prop(session, "assign_target", expand=True)
        row = column.row(align=True)
        row.label(text=_target_name(context, session.assign_target), icon="FORWARD")
        row.operator("occscene.assign_word", text="Find Word", icon="VIEWZOOM").target = session.assign_target
        _palette(layout, context)

        row = layout.row(align=True)
        ground, upright = ("floor", "wall") if scene.occscene.domain == "indoor" else ("road", "building")
        for name in (upright, ground):
            row.operator("occscene.add_box", text=class_label(name), icon="ADD").class_name = name
        row.menu(VIEW3D_MT_occscene_add.bl_idname, text="More", icon="ADD")
        layout.prop(scene.occscene, "use_hints", text=_hints_text(context))


def _palette(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The classes in two columns, each with its number of objects, and the objects without one."""
    taxonomy = scene_taxonomy(context.scene)
    target = context.window_manager.occscene.assign_target
    counts = drawn_counts(context).by_class
    grid = layout.box().grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for entry in taxonomy.classes[1:]:
        split = grid.split(factor=0.78, align=True)
        button = split.operator(
            "occscene.assign_class", text=class_label(entry.name), icon_value=class_icon(taxonomy, entry)
        )
        button.class_name, button.target = entry.name, target
        part = split.row(align=True)
        part.enabled = counts[entry.name] > 0
        part.operator("occscene.select_class", text=str(counts[entry.name])).class_name = entry.name
    row = layout.row()
    row.alert = row.enabled = counts[""] > 0
    text = f"Select {counts['']} Without Class" if counts[""] else "All Have a Class"
    row.operator("occscene.select_class", text=text, icon="ERROR" if counts[""] else "CHECKMARK").class_name = ""


def _hints_text(context: bpy.types.Context) -> str:
    """The switch of the hints, with how many objects have one."""
    kept = drawn_counts(context).hints
    return f"Color Hints ({counted(kept, 'object')} kept)" if kept else "Color Hints (no object keeps its color)"


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
    """The active object's tags; below all that is pressed often, so that nothing moves when another is selected."""

    bl_label = "Active Object"
    bl_order = 3
    step = "BLOCKOUT"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what gives the object a class, the strongest first; overridden ones are grayed out."""
        layout = self.layout
        obj = context.object
        if obj is None:
            layout.label(text="No object is active")
        elif obj.type == "CAMERA":
            layout.label(text=obj.name, icon="CAMERA_DATA", translate=False)
            layout.prop(obj.occscene, "is_view")
        elif not has_classes(obj):
            layout.label(text=obj.name, icon="OBJECT_DATA", translate=False)
            layout.label(text="It is not part of the blockout")
        else:
            _classes(layout.column(align=True), context, obj)
            column = layout.column()
            column.use_property_split = True
            column.use_property_decorate = False
            column.prop(obj.occscene, "fill")
            column.prop(obj.occscene, "overlap")
            _words(layout, context)
            _hint(layout, obj)


def _classes(column: bpy.types.UILayout, context: bpy.types.Context, obj: bpy.types.Object) -> None:
    """The class of the object itself, of its materials, of its collection; and whether it is sent."""
    lookup = ClassLookup.of(context.scene)
    own = lookup.own_class(obj)
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
    elif obj.hide_render:
        column.label(text="Disabled in renders: not sent", icon="ERROR")


def _hint(layout: bpy.types.UILayout, obj: bpy.types.Object) -> None:
    """Whether the object keeps its color, the color, and the switches of the selection."""
    column = layout.column(align=True)
    row = column.row(align=True)
    row.prop(obj.occscene, "use_hint")
    material = hint_material(obj)
    row.prop(*color_source(obj), text="" if material is None else material.name, translate=False)
    row = column.row(align=True)
    row.operator("occscene.set_hint", text="Selected Keep Theirs").use_hint = True
    row.operator("occscene.set_hint", text="Leave to Words").use_hint = False


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


CLASSES = (VIEW3D_PT_occscene_scene, VIEW3D_PT_occscene_object)

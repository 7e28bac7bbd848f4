"""Tagged boxes and sets of them in menus: OccScene's own, and Blender's Add menu."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from occscene.taxonomy import OUTDOOR

from ..scene.icons import class_icon
from ..scene.outdoor_sets import SETS
from ..scene.tagging import class_label, scene_taxonomy


class VIEW3D_MT_occscene_add(bpy.types.Menu):
    """Boxes of all classes, outdoors also whole streets, houses, trees."""

    bl_idname = "VIEW3D_MT_occscene_add"
    bl_label = "OccScene"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one entry for each set and each class."""
        taxonomy = scene_taxonomy(context.scene)
        if taxonomy.name == OUTDOOR.name:
            for name, pieces in SETS.items():
                icon = class_icon(taxonomy, taxonomy.classes[taxonomy.index_of(pieces[0].class_name)])
                self.layout.operator("occscene.add_set", text=name, icon_value=icon).set_name = name
            self.layout.separator()
        for entry in taxonomy.classes[1:]:
            self.layout.operator(
                "occscene.add_box", text=class_label(entry.name), icon_value=class_icon(taxonomy, entry)
            ).class_name = entry.name


def draw_in_add_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """The entry in Blender's own Add menu."""
    menu.layout.menu(VIEW3D_MT_occscene_add.bl_idname, icon="MESH_CUBE")


CLASSES = (VIEW3D_MT_occscene_add,)

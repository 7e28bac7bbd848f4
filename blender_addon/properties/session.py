"""What is shown but not saved."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

ASSIGN_TARGETS = (
    ("OBJECTS", "Objects", "Give the class to the selected objects", "OBJECT_DATA", 0),
    ("SLOT", "Material", "Give the class to the material in the active object's active slot", "MATERIAL", 1),
    ("COLLECTION", "Collection", "Give the class to the active collection", "OUTLINER_COLLECTION", 2),
)


TABS = (
    ("BLOCKOUT", "Blockout", "Classes, the volume, and the active object"),
    ("VIEWS", "Views", "What views are made of: words, numbers, cameras; and other ways to begin"),
    ("RESULTS", "Results", "What came back, and what can be done with it"),
)


class OccSceneSession(bpy.types.PropertyGroup):
    """State of the running Blender, kept at its window manager."""

    assign_target: EnumProperty(
        name="Assign To",
        description="What a click on a class gives it to; an object overrides its slots, slots override the collection",
        items=ASSIGN_TARGETS,
    )
    tab: EnumProperty(name="Step", description="Which panels stand below", items=TABS)
    is_gallery: BoolProperty(name="Gallery", description="Show all results as pictures instead of as a list")
    grid_summary: StringProperty()


CLASSES = (OccSceneSession,)

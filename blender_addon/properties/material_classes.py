"""The classes that were chosen for the materials of other programs' files."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import bpy
from bpy.props import CollectionProperty, StringProperty


class OccSceneMaterialClass(bpy.types.PropertyGroup):
    """The class of one material of one palette in one domain."""

    palette: StringProperty()
    domain: StringProperty()
    key: StringProperty()
    class_name: StringProperty()


class MaterialClassList:
    """What a scene remembers of its imports."""

    material_classes: CollectionProperty(type=OccSceneMaterialClass)


CLASSES = (OccSceneMaterialClass,)

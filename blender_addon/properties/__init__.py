"""What the extension keeps in a .blend: tags of objects, collections and materials, settings and results of scenes."""

# mypy: disable-error-code="misc"
from __future__ import annotations

import bpy
from bpy.props import PointerProperty

from . import material_classes, projection, results, session, tags
from .blockout import BlockoutSettings
from .generation import GenerationSettings
from .material_classes import MaterialClassList
from .results import ResultList


class OccSceneScene(BlockoutSettings, GenerationSettings, ResultList, MaterialClassList, bpy.types.PropertyGroup):
    """Settings and results of a scene."""


CLASSES = (
    *material_classes.CLASSES,
    *projection.CLASSES,
    *tags.CLASSES,
    *results.CLASSES,
    *session.CLASSES,
    OccSceneScene,
)

_POINTERS = (
    (bpy.types.Object, tags.OccSceneObject),
    (bpy.types.Collection, tags.OccSceneCollection),
    (bpy.types.Material, tags.OccSceneMaterial),
    (bpy.types.Scene, OccSceneScene),
    (bpy.types.WindowManager, session.OccSceneSession),
)


def add_pointers() -> None:
    """Adds `occscene` to Blender's own types."""
    for owner, group in _POINTERS:
        owner.occscene = PointerProperty(type=group)


def remove_pointers() -> None:
    """Takes `occscene` away from Blender's own types."""
    for owner, _ in reversed(_POINTERS):
        del owner.occscene

"""What stands in the scene: the blockout, its grid, or what was predicted. One at a time, so that nothing mixes.

Objects are set aside by the viewport's eye, which changes nothing of what is sent.
"""

from __future__ import annotations

import bpy

from .counting import sent_objects
from .grid_view import shown_stats
from .tagging import ClassLookup


def shown_stage(scene: bpy.types.Scene) -> str:
    """A value of `STAGES`."""
    if shown_stats(scene) is not None:
        return "GRID"
    return "PREDICTION" if scene.occscene.is_prediction_shown else "BLOCKOUT"


def set_blockout_aside(context: bpy.types.Context) -> None:
    """Hides the tagged objects that can be seen."""
    lookup = ClassLookup.of(context.scene)
    for obj in sent_objects(context.scene, context.view_layer):
        if lookup.class_names(obj) and not obj.hide_get():
            obj.hide_set(True)
            obj.occscene.is_set_aside = True
    context.scene.occscene.is_prediction_shown = True


def bring_blockout_back(scene: bpy.types.Scene) -> None:
    """Shows what was set aside, and hides what stood in its place."""
    if not scene.occscene.is_prediction_shown:
        return
    scene.occscene.is_prediction_shown = False
    for obj in scene.objects:
        if obj.occscene.result:
            obj.hide_set(True)
        if obj.occscene.is_set_aside:
            obj.hide_set(False)
            obj.occscene.is_set_aside = False


def show_predictions(scene: bpy.types.Scene, result: str) -> bool:
    """Shows the meshes of a result's occupancy, hides those of others; says whether there are some."""
    found = False
    for obj in scene.objects:
        if obj.occscene.result:
            is_shown = obj.occscene.result == result
            obj.hide_set(not is_shown)
            found = found or is_shown
    return found

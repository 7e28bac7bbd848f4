"""Results of generations, kept with the scene."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..scene.overlay import set_overlay_opacity, show_overlay

RESULT_STATES = (
    ("SENDING", "Sending", "The request is on its way to the server"),
    ("QUEUED", "Queued", "The job waits for its turn"),
    ("RUNNING", "Running", "The server works on the job"),
    ("SUCCEEDED", "Done", "What was asked for is here"),
    ("FAILED", "Failed", "See the message"),
    ("CANCELLED", "Cancelled", "The job was cancelled"),
    ("DISCONNECTED", "Disconnected", "The connection broke; the job may still run on the server"),
    (
        "RECONNECTING",
        "Waiting for Server",
        "The server does not answer, or cannot take the job yet; it is asked again",
    ),
)  # files hold their places: new ones go to the end
UNFINISHED = frozenset({"SENDING", "QUEUED", "RUNNING", "RECONNECTING"})


class OccSceneView(bpy.types.PropertyGroup):
    """One view of a result; `name` is the camera's in the request."""

    image: PointerProperty(type=bpy.types.Image)
    is_preview: BoolProperty(description="The image shows what is being made")
    camera: PointerProperty(type=bpy.types.Object, description="The camera, whatever it is called by now")
    frame: IntProperty(description="The scene's frame when the camera was read")


class OccSceneResult(bpy.types.PropertyGroup):
    """One job and what came of it; `name` is its request id."""

    request: StringProperty(description="The request as JSON, see jobs.request", options={"HIDDEN"})
    job_id: StringProperty()
    server: StringProperty()
    state: EnumProperty(items=RESULT_STATES, default="SENDING")
    message: StringProperty()
    advice: StringProperty(description="What to do about the message; it is the message's end")
    prompt: StringProperty(name="Prompt", description="The prompt, without the style")
    seed: IntProperty(name="Seed")
    phase: StringProperty()
    step: IntProperty()
    steps: IntProperty()
    denoising_steps: IntProperty()
    position: IntProperty()
    seconds: FloatProperty()
    layout_file: StringProperty(description="The layout's file in the folder; empty if there is none")
    is_favorite: BoolProperty(name="Favorite", description="Keep this result when others are cleaned up")
    occupancy_source: StringProperty(description="Where the occupancy comes from, see occscene.results")
    directory: StringProperty(description="Its files; relative to the .blend if they are next to it")
    views: CollectionProperty(type=OccSceneView)


def _show_overlay(settings: Any, _context: object) -> None:
    show_overlay(settings.id_data)


def _set_opacity(settings: Any, _context: object) -> None:
    set_overlay_opacity(settings.id_data)


STAGES = (
    ("BLOCKOUT", "Blockout", "Your objects"),
    ("GRID", "Grid", "The voxels that are sent, in place of your objects"),
    ("PREDICTION", "Prediction", "The active result's occupancy, in place of your objects"),
)

SURFACE_ITEMS = (
    ("BLOCKS", "Blocks", "One face for each voxel's side: exact, for editing voxel by voxel"),
    ("MERGED", "Merged", "The same shape with as few faces as possible"),
    ("SMOOTH", "Smooth", "Stairs of voxels become slopes: for looking at and modeling over"),
)


class ResultList:
    """What the Results panel lists."""

    results: CollectionProperty(type=OccSceneResult)
    active_result: IntProperty(name="Result", update=_show_overlay)
    only_favorites: BoolProperty(name="Favorites", description="List only the favorites")
    compared: StringProperty(description="The result that the active one is compared with; empty for none")
    is_prediction_shown: BoolProperty(options={"HIDDEN"})
    use_overlay: BoolProperty(
        name="In Cameras",
        description="Show the views over the blockout where one looks through their cameras",
        default=True,
        update=_show_overlay,
    )
    overlay_opacity: FloatProperty(
        name="Opacity",
        description="How much of the blockout the views cover",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
        update=_set_opacity,
    )
    import_surface: EnumProperty(name="Surface", description="How the voxels become a mesh", items=SURFACE_ITEMS)
    import_separate: BoolProperty(
        name="Object per Class", description="Add an object for each class, so that classes can be hidden", default=True
    )
    import_colors: BoolProperty(
        name="Colors of Views",
        description="Give the mesh the colors that the views show, as a color attribute beside its class materials",
    )


CLASSES = (OccSceneView, OccSceneResult)

"""Results of generations, kept with the scene."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

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


class OccSceneResult(bpy.types.PropertyGroup):
    """One job and what came of it; `name` is its request id."""

    request: StringProperty(description="The request as JSON, see jobs.request", options={"HIDDEN"})
    job_id: StringProperty()
    server: StringProperty()
    state: EnumProperty(items=RESULT_STATES, default="SENDING")
    message: StringProperty()
    prompt: StringProperty(name="Prompt", description="The prompt, without the style")
    seed: IntProperty(name="Seed")
    phase: StringProperty()
    step: IntProperty()
    steps: IntProperty()
    denoising_steps: IntProperty()
    position: IntProperty()
    seconds: FloatProperty()
    layout_file: StringProperty(description="The layout's file in the folder; empty if there is none")
    directory: StringProperty(description="Its files; relative to the .blend if they are next to it")
    views: CollectionProperty(type=OccSceneView)


SURFACE_ITEMS = (
    ("BLOCKS", "Blocks", "One face for each voxel's side: exact, for editing voxel by voxel"),
    ("MERGED", "Merged", "The same shape with as few faces as possible"),
    ("SMOOTH", "Smooth", "Stairs of voxels become slopes: for looking at and modeling over"),
)


class ResultList:
    """What the Results panel lists."""

    results: CollectionProperty(type=OccSceneResult)
    active_result: IntProperty(name="Result")
    import_surface: EnumProperty(name="Surface", description="How the voxels become a mesh", items=SURFACE_ITEMS)
    import_separate: BoolProperty(
        name="Object per Class", description="Add an object for each class, so that classes can be hidden", default=True
    )


CLASSES = (OccSceneView, OccSceneResult)

"""What the extension keeps in a .blend: tags of objects and collections, settings and results of scenes."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from occscene.limits import MAX_IMAGE_SIDE, MAX_STEPS, MAX_VOXEL_SIZE, MIN_IMAGE_SIDE, MIN_VOXEL_SIZE

DOMAINS = (
    ("indoor", "Indoor", "Rooms: the 12 classes of NYUv2"),
    ("outdoor", "Outdoor", "Streets: the 20 classes of SemanticKITTI"),
)
CAMERA_CHOICES = (
    ("ALL", "All", "Every camera of the scene"),
    ("SELECTED", "Selected", "The selected cameras"),
    ("ACTIVE", "Active", "The scene's active camera"),
)
RESULT_STATES = (
    ("SENDING", "Sending", "The request is on its way to the server"),
    ("QUEUED", "Queued", "The job waits for its turn"),
    ("RUNNING", "Running", "The server works on the job"),
    ("SUCCEEDED", "Done", "Views and occupancy are here"),
    ("FAILED", "Failed", "See the message"),
    ("CANCELLED", "Cancelled", "The job was cancelled"),
    ("DISCONNECTED", "Disconnected", "The connection broke; the job may still run on the server"),
)
UNFINISHED = frozenset({"SENDING", "QUEUED", "RUNNING"})


class OccSceneObject(bpy.types.PropertyGroup):
    """Tags of an object."""

    class_name: StringProperty(name="Class", description="Semantic class; empty takes the collection's")
    use_hint: BoolProperty(
        name="Keep Color", description="Send the object's viewport color as the color that it should have"
    )
    shell_only: BoolProperty(
        name="Surface Only", description="Voxelize the surface alone: the inside of a closed mesh stays empty"
    )
    is_output: BoolProperty(options={"HIDDEN"}, description="Made by OccScene: never part of a blockout")
    is_tinted: BoolProperty(options={"HIDDEN"})
    untinted_color: FloatVectorProperty(
        name="Color",
        description="Viewport color, which the tint hides",
        subtype="COLOR",
        size=4,
        min=0.0,
        max=1.0,
        options={"HIDDEN"},
    )


class OccSceneCollection(bpy.types.PropertyGroup):
    """Tags of a collection."""

    class_name: StringProperty(name="Class", description="Semantic class of the objects that have none of their own")


class OccSceneView(bpy.types.PropertyGroup):
    """One view of a result; `name` is the camera's."""

    image: PointerProperty(type=bpy.types.Image)


class OccSceneResult(bpy.types.PropertyGroup):
    """One generation; `name` is its request id."""

    job_id: StringProperty()
    server: StringProperty()
    state: EnumProperty(items=RESULT_STATES, default="SENDING")
    message: StringProperty()
    prompt: StringProperty()
    negative_prompt: StringProperty()
    seed: IntProperty()
    phase: StringProperty()
    step: IntProperty()
    steps: IntProperty()
    position: IntProperty()
    sequence: IntProperty()
    seconds: FloatProperty()
    directory: StringProperty(subtype="DIR_PATH")
    views: CollectionProperty(type=OccSceneView)


class OccSceneScene(bpy.types.PropertyGroup):
    """Settings and results of a scene."""

    domain: EnumProperty(name="Domain", description="What the scene is, and so which classes it has", items=DOMAINS)
    use_hints: BoolProperty(
        name="Color Hints", description="Send the viewport colors of objects that keep their color", default=True
    )
    volume: PointerProperty(
        name="Volume",
        description="The empty whose box is filled",
        type=bpy.types.Object,
        poll=lambda _self, thing: thing.type == "EMPTY",
    )
    voxel_size: FloatProperty(
        name="Voxel Size",
        description="Length of a voxel's side",
        subtype="DISTANCE",
        default=0.08,
        min=MIN_VOXEL_SIZE,
        max=MAX_VOXEL_SIZE,
        precision=3,
        step=1,
    )
    prompt: StringProperty(name="Prompt", description="What the scene looks like, in words")
    negative_prompt: StringProperty(name="Avoid", description="What the scene must not look like, in words")
    seed: IntProperty(name="Seed", description="The same seed with the same settings gives the same views", min=0)
    steps: IntProperty(
        name="Steps",
        description="Denoising steps: more are slower and finer; 0 leaves it to the model",
        min=0,
        max=MAX_STEPS,
    )
    use_guidance: BoolProperty(name="Guidance", description="Set the guidance instead of leaving it to the model")
    text_guidance: FloatProperty(
        name="Prompt",
        description="How strongly the prompt is followed; 1 is no extra guidance",
        default=4.0,
        max=30.0,
        min=0.0,
    )
    occupancy_guidance: FloatProperty(
        name="Blockout",
        description="How strongly the blockout is followed; 1 is no extra guidance",
        default=1.5,
        min=0.0,
        max=30.0,
    )
    cameras: EnumProperty(name="Cameras", description="One view is made for each", items=CAMERA_CHOICES)
    image_size: IntProperty(
        name="Image Size",
        description="Pixels along the longer side; the shape is the render's",
        default=256,
        min=MIN_IMAGE_SIDE,
        max=MAX_IMAGE_SIDE,
        step=8,
    )
    results: CollectionProperty(type=OccSceneResult)
    active_result: IntProperty()


class OccSceneSession(bpy.types.PropertyGroup):
    """What is shown but not saved."""

    server_status: StringProperty()
    server_icon: StringProperty(default="TIME")
    grid_summary: StringProperty()


CLASSES = (
    OccSceneObject,
    OccSceneCollection,
    OccSceneView,
    OccSceneResult,
    OccSceneScene,
    OccSceneSession,
)

_POINTERS = (
    (bpy.types.Object, OccSceneObject),
    (bpy.types.Collection, OccSceneCollection),
    (bpy.types.Scene, OccSceneScene),
    (bpy.types.WindowManager, OccSceneSession),
)


def add_pointers() -> None:
    """Adds `occscene` to Blender's own types."""
    for owner, group in _POINTERS:
        owner.occscene = PointerProperty(type=group)


def remove_pointers() -> None:
    """Takes `occscene` away from Blender's own types."""
    for owner, _ in reversed(_POINTERS):
        del owner.occscene

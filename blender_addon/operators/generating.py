"""Generate views and an occupancy from the blockout."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import time
import uuid
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..bridge.link import BridgeError
from ..properties import CAMERA_CHOICES, UNFINISHED
from ..scene.cameras import chosen_cameras, image_size, pinhole_camera_sized
from . import arrivals, jobs
from .voxelizing import summary, voxelized_blockout


class OCCSCENE_OT_generate(bpy.types.Operator):
    """Send the blockout, the cameras and the prompt to the server"""

    bl_idname = "occscene.generate"
    bl_label = "Generate"
    bl_description = (
        "Send the blockout, the cameras and the prompt to the server. From scripts, what is not given as an argument "
        "is taken from the scene"
    )

    prompt: StringProperty(name="Prompt")
    negative_prompt: StringProperty(name="Avoid")
    seed: IntProperty(name="Seed", min=0)
    steps: IntProperty(name="Steps", min=0, description="0 leaves it to the model")
    text_guidance: FloatProperty(name="Prompt Guidance", min=0.0, max=30.0)
    occupancy_guidance: FloatProperty(name="Blockout Guidance", min=0.0, max=30.0)
    cameras: EnumProperty(name="Cameras", items=CAMERA_CHOICES)
    image_size: IntProperty(name="Image Size")
    directory: StringProperty(
        name="Folder", description="Where views, occupancy and result.json are written too", subtype="DIR_PATH"
    )
    server: StringProperty(name="Server", description="host:port; empty takes the preferences'")
    wait: BoolProperty(name="Wait", description="Return when the job has ended; always so without a window")

    def _setting(self, context: bpy.types.Context, name: str) -> Any:
        """An argument if it was given, else the scene's setting."""
        return getattr(self if self.properties.is_property_set(name) else context.scene.occscene, name)

    def _guidance(self, context: bpy.types.Context, name: str) -> float | None:
        if self.properties.is_property_set(name):
            return float(getattr(self, name))
        settings = context.scene.occscene
        return float(getattr(settings, name)) if settings.use_guidance else None

    def _request(self, context: bpy.types.Context) -> arrivals.Request:
        scene = context.scene
        width, height = image_size(scene, self._setting(context, "image_size"))
        chosen = chosen_cameras(context, self._setting(context, "cameras"))
        request_id = str(uuid.uuid4())
        directory = bpy.path.abspath(self.directory) if self.directory else arrivals.default_directory(request_id)
        return arrivals.Request(
            request_id,
            self._setting(context, "prompt"),
            self._setting(context, "negative_prompt"),
            self._setting(context, "seed"),
            self._setting(context, "steps") or None,
            self._guidance(context, "text_guidance"),
            self._guidance(context, "occupancy_guidance"),
            [pinhole_camera_sized(thing, scene, width, height) for thing in chosen],
            directory,
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Voxelises, submits, and follows the job to its end where no timer does it."""
        try:
            grid, blockout = voxelized_blockout(context)
            request = self._request(context)
            record = jobs.submit(context.scene, request, grid, self.server)
        except (ValueError, OSError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.occscene.grid_summary = summary(grid, blockout)
        if not (self.wait or bpy.app.background):
            return {"FINISHED"}
        return wait_for(self, record)


def wait_for(operator: bpy.types.Operator, record: arrivals.Record) -> set[str]:
    """Polls until a job has ended, printing how it goes; reports what went wrong."""
    printer = _ProgressPrinter(record)
    jobs.wait(lambda: arrivals.result_of(record).state not in UNFINISHED, printer.update)
    result = arrivals.result_of(record)
    if result.state == "SUCCEEDED":
        operator.report({"INFO"}, f"{len(result.views)} views in {result.seconds:.1f} s: {record.request.directory}")
        return {"FINISHED"}
    operator.report({"ERROR"}, result.message or f"the job ended as {result.state.lower()}")
    return {"CANCELLED"}


class _ProgressPrinter:
    """Prints a line whenever a job has come further, at most twice a second."""

    def __init__(self, record: arrivals.Record) -> None:
        self._record = record
        self._shown = ""
        self._next = 0.0

    def update(self) -> None:
        """Prints if there is news."""
        if time.monotonic() < self._next:
            return
        line = status_line(arrivals.result_of(self._record))
        if line != self._shown:
            print(f"OccScene: {line}", flush=True)
            self._shown, self._next = line, time.monotonic() + 0.5


def status_line(result: Any) -> str:
    """Where a result stands, in a few words."""
    if result.state == "QUEUED" and result.position:
        return f"queued, {result.position} jobs before this one"
    if result.state == "RUNNING" and result.steps:
        return f"{result.phase} {result.step}/{result.steps}"
    return str(result.bl_rna.properties["state"].enum_items[result.state].name).lower()


class OCCSCENE_OT_cancel(bpy.types.Operator):
    """Ask the server to end the job"""

    bl_idname = "occscene.cancel"
    bl_label = "Cancel"

    result: StringProperty(name="Result", description="The result's name (request id)")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sends the wish; the job's last event follows."""
        result = context.scene.occscene.results.get(self.result)
        if result is None or not result.job_id:
            self.report({"WARNING"}, "The server does not have this job yet")
            return {"CANCELLED"}
        try:
            jobs.cancel(result)
        except (ValueError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class OCCSCENE_OT_reconnect(bpy.types.Operator):
    """Follow the job on the server again"""

    bl_idname = "occscene.reconnect"
    bl_label = "Reconnect"

    result: StringProperty(name="Result", description="The result's name (request id)")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Watches from what was last seen on."""
        result = context.scene.occscene.results.get(self.result)
        if result is None or not result.job_id:
            self.report({"ERROR"}, "the server never had this job: generate again")
            return {"CANCELLED"}
        result.state, result.message = "QUEUED", ""
        try:
            record = jobs.watch(context.scene, result)
        except (ValueError, BridgeError) as error:
            result.state = "DISCONNECTED"
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return wait_for(self, record) if bpy.app.background else {"FINISHED"}


CLASSES = (OCCSCENE_OT_generate, OCCSCENE_OT_cancel, OCCSCENE_OT_reconnect)

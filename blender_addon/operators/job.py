"""Operators of a job: wait for it, cancel it, follow it again, list jobs that no saved file holds."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import time
from typing import Any

import bpy
from bpy.props import StringProperty

from ..bridge.link import BridgeError
from ..jobs import events, session, tracking
from ..properties.results import UNFINISHED


def wait_for(operator: bpy.types.Operator, record: events.Record) -> set[str]:
    """Polls until a job has ended, printing how it goes; reports what went wrong."""
    printer = _ProgressPrinter(record)
    session.wait(lambda: record.state not in UNFINISHED, printer.update)
    if record.state == "SUCCEEDED":
        made = f"{len(record.views)} views" if record.views else "a layout" if record.layout_file else "an occupancy"
        note = f". {record.message}" if record.message else ""
        operator.report({"INFO"}, f"{made} in {record.seconds:.1f} s: {record.request.directory}{note}")
        return {"FINISHED"}
    operator.report({"ERROR"}, record.message or f"the job ended as {record.state.lower()}")
    return {"CANCELLED"}


class _ProgressPrinter:
    """Prints a line whenever a job has come further, at most twice a second."""

    def __init__(self, record: events.Record) -> None:
        self._record = record
        self._shown = ""
        self._next = 0.0

    def update(self) -> None:
        """Prints if the status has changed."""
        if time.monotonic() < self._next:
            return
        line = status_line(events.result_of(self._record))
        if line != self._shown:
            print(f"OccScene: {line}", flush=True)
            self._shown, self._next = line, time.monotonic() + 0.5


def status_line(result: Any) -> str:
    """Where a result stands, in a few words."""
    if result.state == "QUEUED" and result.position:
        return f"queued, {result.position} before this one"
    if result.state == "RUNNING" and result.phase == "denoising":
        return f"denoising, step {result.step} of {result.steps}"
    if result.state == "RUNNING" and result.phase:
        return f"{result.phase} ..."
    return str(result.bl_rna.properties["state"].enum_items[result.state].name).lower()


def _listed(operator: Any, context: bpy.types.Context) -> Any:
    """The scene's result that the operator names; None, and an error for the user, if it is gone."""
    result = context.scene.occscene.results.get(operator.result)
    if result is None:
        operator.report({"ERROR"}, f"there is no result {operator.result!r}")
    return result


class OCCSCENE_OT_cancel(bpy.types.Operator):
    """End the job: at once here, within a step on the server"""

    bl_idname = "occscene.cancel"
    bl_label = "Cancel"

    result: StringProperty(name="Result", description="The result's name (request id); empty cancels all of the scene")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Cancels the job, or all."""
        scene = context.scene
        if not self.result:
            for name in [result.name for result in scene.occscene.results if result.state in UNFINISHED]:
                tracking.cancel(scene, scene.occscene.results[name])
            return {"FINISHED"}
        result = _listed(self, context)
        if result is None:
            return {"CANCELLED"}
        tracking.cancel(scene, result)
        return {"FINISHED"}


class OCCSCENE_OT_reconnect(bpy.types.Operator):
    """Follow the job on the server again"""

    bl_idname = "occscene.reconnect"
    bl_label = "Reconnect"

    result: StringProperty(name="Result", description="The result's name (request id)")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Watches it; the server replays what was missed."""
        result = _listed(self, context)
        if result is None:
            return {"CANCELLED"}
        try:
            record = tracking.watch(context.scene, result)
        except (ValueError, OSError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"} if tracking.is_interactive() else wait_for(self, record)


class OCCSCENE_OT_bring_back(bpy.types.Operator):
    """List results of jobs that no file was saved with: after a crash, or if a file was closed without saving"""

    bl_idname = "occscene.bring_back"
    bl_label = "Bring Back Lost Results"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Lists them all in this file and fetches them."""
        lost = tracking.lost_jobs()
        for request_id, entry in lost:
            tracking.bring_back(request_id, entry)
        self.report({"INFO"}, f"{len(lost)} results brought back" if lost else "No result is lost")
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_cancel, OCCSCENE_OT_reconnect, OCCSCENE_OT_bring_back)

"""Many results: choose one, compare two, ask again for one that failed, and clean up."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..bridge.result_folder import remove_result_files, result_bytes
from ..jobs.journal import folder_of
from ..jobs.request import known_request
from ..properties.results import UNFINISHED
from ..properties.settings import GROUPS, SETTINGS
from .counted import counted
from .results import RESULT_DESCRIPTION, chosen_result, remove_listed

_COMPOSING = {"COMPLETE": "complete", "REDRAW": "redraw", "DETAIL": "add_detail"}


class OCCSCENE_OT_select_result(bpy.types.Operator):
    """Make this the active result"""

    bl_idname = "occscene.select_result"
    bl_label = "Select Result"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description="The result's name (request id)", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Selects it."""
        settings = context.scene.occscene
        try:
            result = chosen_result(context, self.result)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings.active_result = settings.results.find(result.name)
        return {"FINISHED"}


class OCCSCENE_OT_compare(bpy.types.Operator):
    """Compare the active result with another one: mark it, choose another, and press again to flip between the two"""

    bl_idname = "occscene.compare"
    bl_label = "Compare"
    bl_options = {"REGISTER", "UNDO"}

    action: EnumProperty(
        name="Action",
        items=(
            ("MARK", "Mark", "Keep the active result to compare others with"),
            ("FLIP", "Flip", "Exchange the active result and the one that it is compared with"),
            ("END", "End", "End the comparison"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Marks, flips or ends."""
        settings = context.scene.occscene
        try:
            active = chosen_result(context, "")
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if self.action == "FLIP" and settings.compared in settings.results:
            other = settings.results.find(settings.compared)
            settings.compared = active.name
            settings.active_result = other
        else:
            settings.compared = active.name if self.action == "MARK" else ""
        return {"FINISHED"}


class OCCSCENE_OT_retry(bpy.types.Operator):
    """Ask for this result again, with the settings that it had and the scene as it is now"""

    bl_idname = "occscene.retry"
    bl_label = "Retry"

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """What it does, and the whole of what went wrong."""
        result = context.scene.occscene.results.get(properties.result)
        what = "Ask for this result again, with the settings that it had and the scene as it is now"
        return f"{what}. {result.message}" if result and result.message else what

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sends it again; if it is sent, the failed one leaves the list."""
        try:
            result = chosen_result(context, self.result)
            name, request = result.name, known_request(result.request)
            if result.state in UNFINISHED:
                raise ValueError("the job has not ended: cancel it first")
            used = request.settings
            if request.composition is not None:
                words = {"prompt": used.prompt, "style": used.style, "seed": used.seed}
                done = getattr(bpy.ops.occscene, _COMPOSING[request.kind])(**words)
            elif request.redone:
                words = {"prompt": used.prompt, "style": used.style, "seed": used.seed}
                strength = 1.0 if used.strength is None else used.strength
                done = bpy.ops.occscene.redo_view(
                    result=request.source, view=request.redone[0], strength=strength, **words
                )
            else:
                given = {each: getattr(used, each) for each in SETTINGS if getattr(used, each) is not None}
                unused = {group for group in GROUPS if not getattr(context.scene.occscene, f"use_{group}")}
                given = {each: value for each, value in given.items() if SETTINGS[each].group not in unused}
                begun = {"start_result": request.source} if request.source else {}
                done = bpy.ops.occscene.generate(task=request.kind, variants=1, **given, **begun)
        except (ValueError, RuntimeError) as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        if done == {"FINISHED"}:
            remove_listed(context.scene, [name])
        return set(done)


class OCCSCENE_OT_clean_up(bpy.types.Operator):
    """Take results off the list, with their files if wanted. Favorites stay, and so do jobs that run"""

    bl_idname = "occscene.clean_up"
    bl_label = "Clean Up"
    bl_options = {"REGISTER", "UNDO"}

    what: EnumProperty(
        name="Remove",
        items=(
            ("FAILED", "Failed and Cancelled", "Results without anything in them"),
            ("OTHERS", "All but Favorites", "All results that have ended and are no favorites"),
            ("ACTIVE", "Active Result", "The active result, also if it is a favorite"),
        ),
    )
    with_files: BoolProperty(
        name="Delete Files",
        description="Delete the files of these results too; undo does not bring them back",
        default=False,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Says what would go, and asks."""
        return set(context.window_manager.invoke_props_dialog(self, width=340))

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the choice, and how much it removes."""
        layout = self.layout
        layout.prop(self, "what")
        layout.prop(self, "with_files")
        chosen = self._chosen(context.scene.occscene)
        size = sum(result_bytes(folder_of(result)) for result in chosen)
        layout.label(text=f"{counted(len(chosen), 'result')}, {size / 2**20:.1f} MiB of files", icon="INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Removes them; only files that a result has are deleted, and folders that are empty then."""
        settings = context.scene.occscene
        chosen = self._chosen(settings)
        names, folders = [result.name for result in chosen], [folder_of(result) for result in chosen]
        remove_listed(context.scene, names)
        freed, problem = 0, ""
        for folder in folders if self.with_files else ():
            try:
                freed += remove_result_files(folder)
            except OSError as error:
                problem = f"; {folder} could not be deleted: {error.strerror or error}"
        text = f"{counted(len(names), 'result')} removed"
        text += f", {freed / 2**20:.1f} MiB deleted" if self.with_files else ""
        self.report({"WARNING" if problem else "INFO"}, text + problem)
        return {"FINISHED"}

    def _chosen(self, settings: Any) -> Sequence[Any]:
        ended = [result for result in settings.results if result.state not in UNFINISHED]
        if self.what == "FAILED":
            return [result for result in ended if result.state in ("FAILED", "CANCELLED")]
        if self.what == "OTHERS":
            return [result for result in ended if not result.is_favorite]
        return [result for number, result in enumerate(settings.results) if number == settings.active_result]


CLASSES = (OCCSCENE_OT_select_result, OCCSCENE_OT_compare, OCCSCENE_OT_retry, OCCSCENE_OT_clean_up)
"""The operators."""

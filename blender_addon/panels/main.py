"""The first panel: what to do next, the button, how it goes and what came of it. It never changes its height."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy

from ..jobs.events import outcome
from ..jobs.live import drawn_seed, is_live
from ..jobs.request import known_request
from ..operators.counted import counted
from ..operators.job import status_line
from ..operators.styles import OCCSCENE_MT_styles
from ..properties.results import UNFINISHED
from .layout import SidebarPanel, fixed_label, sentence
from .next_step import next_step, sent_text, view_count

_MESSAGE_LINES = 3
_LOOK_WIDTH = 3.4


class VIEW3D_PT_occscene_main(SidebarPanel, bpy.types.Panel):
    """Generate views."""

    bl_label = "Generate"
    bl_order = 0

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        """Draws the way to the guide."""
        self.layout.operator("occscene.open_guide", text="", icon="HELP", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the words, the button, what it needs or sends, how jobs go, and the steps."""
        layout = self.layout
        settings = context.scene.occscene
        column = layout.column(align=True)
        column.prop(settings, "prompt", text="", icon="OUTLINER_OB_FONT", placeholder="What the scene looks like")
        row = column.row(align=True)
        row.menu("OCCSCENE_MT_styles", text=OCCSCENE_MT_styles.bl_label, icon="BRUSHES_ALL")
        row.prop(settings, "style", text="", placeholder="Style")
        _button(layout, context)
        _outcome(layout, context)
        layout.row(align=True).prop(context.window_manager.occscene, "tab", expand=True)


def _button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button; below it what is missing and its remedy, or what will be sent: always two lines."""
    settings = context.scene.occscene
    step = next_step(context)
    row = layout.row(align=True)
    row.scale_y = 1.5
    part = row.row(align=True)
    part.enabled = step is None
    views = counted(view_count(context), "View")
    text = f"Generate {views}" if settings.variants == 1 else f"Generate {settings.variants} x {views}"
    button = part.operator("occscene.generate", text=text, icon="RENDER_STILL")
    button.task = "BLOCKOUT"
    seed = drawn_seed()
    if seed is not None:  # the scene that the draft shows, also where each press has a seed of its own
        button.seed = seed
    part = row.row(align=True)
    part.ui_units_x = 2.4
    part.prop(settings, "variants", text="")
    part = row.row(align=True)
    part.ui_units_x = 3.2
    part.operator("occscene.toggle_live", icon="PLAY", depress=is_live())
    if step is None:
        fixed_label(layout, context, sent_text(context), 2, "INFO")
    elif step.operator:
        column = layout.column(align=True)
        fixed_label(column, context, step.text, 1, "FORWARD")
        button = column.operator(step.operator, text=step.label)
        for name, value in step.arguments.items():
            setattr(button, name, value)
    else:
        fixed_label(layout, context, step.text, 2, "INFO")


def _outcome(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """How the first of the running jobs goes, or what came of the newest: always as high."""
    results = context.scene.occscene.results
    running = [result for result in results if result.state in UNFINISHED]
    box = layout.box()
    if running:
        shown = next((result for result in running if result.state == "RUNNING"), running[0])
        _progress(box, context, shown, len(running))
    elif results:
        _ended(box, context, results[-1])
    else:
        box.row().label(text="Nothing generated yet", icon="BLANK1")
        fixed_label(box, context, "", _MESSAGE_LINES)


def _progress(layout: bpy.types.UILayout, context: bpy.types.Context, result: Any, count: int) -> None:
    row = layout.row(align=True)
    factor = result.step / result.steps if result.steps else 0.0
    more = f" (+ {count - 1})" if count > 1 else ""
    line = status_line(result)
    row.progress(factor=factor, type="BAR", text=sentence(line) + more)
    row.operator("occscene.cancel", text="", icon="CANCEL").result = result.name if count == 1 else ""
    _message(layout, context, result)


def _ended(layout: bpy.types.UILayout, context: bpy.types.Context, result: Any) -> None:
    row = layout.row(align=True)
    is_good = result.state == "SUCCEEDED"
    text = result.bl_rna.properties["state"].enum_items[result.state].name
    part = row.row(align=True)
    part.alert = result.state in ("FAILED", "DISCONNECTED")
    icon = {"SUCCEEDED": "CHECKMARK", "CANCELLED": "X"}.get(result.state, "ERROR")
    part.label(text=outcome(result).capitalize() if is_good else text, icon=icon)
    if result.state == "DISCONNECTED":
        row.operator("occscene.reconnect", icon="FILE_REFRESH").result = result.name
    elif not is_good:
        row.operator("occscene.retry", icon="FILE_REFRESH").result = result.name
    elif any(view.image for view in result.views):
        image = next(view.image for view in result.views if view.image)
        part = row.row(align=True)
        part.ui_units_x = _LOOK_WIDTH  # the time stands beside it in full
        part.operator("occscene.open_view", text="Look", icon="IMAGE_DATA").image = image.name
    elif result.layout_file and known_request(result.request).composition is None:
        row.operator("occscene.import_blockout", icon="MESH_CUBE").result = result.name
    _message(layout, context, result)


def _message(layout: bpy.types.UILayout, context: bpy.types.Context, result: Any) -> None:
    """What happened in one line, and what to do about it in the others; the whole text is with the results."""
    icon = "INFO" if result.message and result.state == "SUCCEEDED" else "BLANK1" if result.message else "NONE"
    column = layout.column(align=True)
    if result.advice:
        fixed_label(column, context, sentence(result.message.removesuffix(result.advice).strip()), 1, icon)
        fixed_label(column, context, result.advice, _MESSAGE_LINES - 1, "FORWARD")
    else:
        fixed_label(column, context, sentence(result.message), _MESSAGE_LINES, icon)


CLASSES = (VIEW3D_PT_occscene_main,)

"""Results and views as pictures."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.redo import can_redo

STATE_ICONS = {"SUCCEEDED": "CHECKMARK", "FAILED": "ERROR", "CANCELLED": "X", "DISCONNECTED": "UNLINKED"}

_MOST = 24
"""Results that the gallery shows, the newest: each is a picture to draw."""


def first_thumbnail(result: Any) -> int:
    """The icon of a result's first view; 0 if it has none."""
    return next((thumbnail(view) for view in result.views if thumbnail(view)), 0)


def thumbnail(view: Any) -> int:
    """The icon of a view; 0 while it has none."""
    return int(view.image.preview.icon_id) if view.image and view.image.preview else 0


def draw_gallery(layout: bpy.types.UILayout, settings: Any) -> None:
    """The newest results as pictures; a click chooses one."""
    shown = [
        (number, result)
        for number, result in enumerate(settings.results)
        if result.is_favorite or not settings.only_favorites
    ]
    grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, even_rows=True, align=True)
    for number, result in reversed(shown[-_MOST:]):
        cell = grid.column(align=True)
        icon = first_thumbnail(result)
        if icon:
            cell.template_icon(icon_value=icon, scale=3.6)
        else:
            part = cell.column()
            part.scale_y = 3.6
            part.label(text="", icon=STATE_ICONS.get(result.state, "TIME"))
        row = cell.row(align=True)
        is_active = number == settings.active_result
        row.operator("occscene.select_result", text=str(result.seed), depress=is_active).result = result.name
        row.prop(result, "is_favorite", text="", icon="SOLO_ON" if result.is_favorite else "SOLO_OFF")


def draw_views(layout: bpy.types.UILayout, settings: Any, result: Any) -> None:
    """The views of a result, beside those of the one that it is compared with; a click on a name opens the view."""
    row = layout.row(align=True)
    if settings.compared in settings.results and settings.compared != result.name:
        other = settings.results[settings.compared]
        row.operator("occscene.compare", text="Flip", icon="ARROW_LEFTRIGHT").action = "FLIP"
        row.operator("occscene.compare", text="", icon="X").action = "END"
        for view in result.views:
            pair = layout.row(align=True)
            _draw_view(pair.column(align=True), view, f"{view.name}, {result.seed}")
            if view.name in other.views:
                _draw_view(pair.column(align=True), other.views[view.name], f"{view.name}, {other.seed}")
        return
    is_marked = settings.compared == result.name
    text = "Choose Another to Compare" if is_marked else "Compare"
    row.operator("occscene.compare", text=text, icon="ARROW_LEFTRIGHT", depress=is_marked).action = (
        "END" if is_marked else "MARK"
    )
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for view in result.views:
        if view.image:
            _draw_view(grid.column(align=True), view, view.name, result.name if can_redo(result) else "")


def _draw_view(layout: bpy.types.UILayout, view: Any, text: str, redo_of: str = "") -> None:
    """A view with its buttons.

    Args:
        layout: where it is drawn.
        view: what is drawn.
        text: its name.
        redo_of: the result in which the view can be made anew; "" where it cannot.
    """
    row = layout.row(align=True)
    if thumbnail(view):
        row.template_icon(icon_value=thumbnail(view), scale=5.0)
    buttons = row.column(align=True)
    if view.camera:
        buttons.operator("occscene.look_through", text="", icon="VIEW_CAMERA").camera = view.camera.name
    if redo_of:
        button = buttons.operator("occscene.redo_view", text="", icon="FILE_REFRESH")
        button.result, button.view = redo_of, view.name
    if view.image:
        layout.operator("occscene.open_view", text=text, translate=False).image = view.image.name

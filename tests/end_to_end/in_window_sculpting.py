"""Runs inside a real Blender with a window: strokes in Sculpt Mode, which need one, and what is collected of them.

Argument after `--`: the file to write, JSON: for each kind of sculpting the number of triangles and the highest
coordinate that are collected before the stroke, after it in Sculpt Mode, and after the mode was left; and whether the
grid was drawn where a filled cube stands before the viewer.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np
from bl_ext.user_default.occscene.scene.collect import collect_blockout

OUTPUT = Path(sys.argv[-1])
KINDS = ("plain", "modifier", "multires", "dynamic topology")


def collected() -> tuple[int, float]:
    """Triangles of the one object and its highest coordinate."""
    bpy.context.view_layer.update()
    (item,) = collect_blockout(bpy.context).objects
    return len(item.triangles), round(float(item.triangles[..., 2].max()), 4)


def view() -> tuple[bpy.types.Area, bpy.types.Region]:
    """The 3D view and its main region."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    area = next(area for area in areas if area.type == "VIEW_3D")
    return area, next(region for region in area.regions if region.type == "WINDOW")


def in_view() -> Any:
    """The context of the 3D view; entered again after each change of mode, which brings other tools."""
    area, region = view()
    return bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region)


def stroke() -> None:
    """Draws a short line in the middle of the view."""
    known = set(bpy.types.OperatorStrokeElement.bl_rna.properties.keys())
    region = view()[1]
    elements = []
    for step in range(12):
        place = (region.width / 2 + step * 4, region.height / 2)
        element = {"name": "", "location": (0, 0, 0), "mouse": place, "mouse_event": place, "is_start": step == 0}
        element |= {"pressure": 1.0, "size": 80, "time": step * 0.1, "pen_flip": False, "x_tilt": 0, "y_tilt": 0}
        elements.append({name: value for name, value in element.items() if name in known})
    bpy.ops.sculpt.brush_stroke(stroke=elements)


def sculpt(kind: str) -> list[tuple[int, float]]:
    """Sculpts a tagged plane from above."""
    with in_view():
        for obj in list(bpy.data.objects):
            bpy.data.objects.remove(obj)
        bpy.ops.mesh.primitive_grid_add(x_subdivisions=40, y_subdivisions=40, size=6)
        plane = bpy.context.object
        plane.occscene.class_name = "objs"
        if kind == "modifier":
            plane.modifiers.new("array", "ARRAY")
        if kind == "multires":
            plane.modifiers.new("multires", "MULTIRES")
            bpy.ops.object.multires_subdivide(modifier="multires")
        view()[0].spaces.active.region_3d.view_perspective = "ORTHO"
        bpy.ops.view3d.view_axis(type="TOP")
        bpy.ops.view3d.view_all()
        bpy.ops.object.mode_set(mode="SCULPT")
        if kind == "dynamic topology":
            bpy.ops.sculpt.dynamic_topology_toggle()
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    states = [collected()]
    with in_view():
        stroke()
    states.append(collected())
    assert plane.mode == "SCULPT"
    with in_view():
        bpy.ops.object.mode_set(mode="OBJECT")
    return [*states, collected()]


def grid_pixels() -> list[list[int]]:
    """The colours in the middle of the view while the grid is shown: outside a filled cube, then within it."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.mesh.primitive_cube_add(size=2)
    bpy.context.object.occscene.class_name, bpy.context.object.occscene.fill = "sofa", "SOLID"
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.show_grid()
    colors: list[list[int]] = []
    handle = bpy.types.SpaceView3D.draw_handler_add(lambda: colors.append(middle()), (), "WINDOW", "POST_PIXEL")
    looking = view()[0].spaces.active.region_3d
    looking.view_perspective, looking.view_location = "PERSP", (0, 0, 0)
    for distance in (8.0, 0.2):
        looking.view_distance = distance
        colors.append([])
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=2)
    bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
    second = len(colors) - 1 - colors[::-1].index([])
    return [colors[second - 1], colors[-1]]


def middle() -> list[int]:
    """The colour in the middle of what is being drawn."""
    x, y, width, height = gpu.state.viewport_get()
    framebuffer = gpu.state.active_framebuffer_get()
    pixel = framebuffer.read_color(x + width // 2, y + height // 2, 1, 1, 4, 0, "UBYTE")
    return [int(channel) for channel in np.array(pixel.to_list(), np.uint8).reshape(-1)[:3]]


def run() -> None:
    """Does all of it, and quits."""
    try:
        report: dict[str, object] = {kind: sculpt(kind) for kind in KINDS}
        with in_view():
            report["grid"] = grid_pixels()
        OUTPUT.write_text(json.dumps(report))
    except Exception:
        OUTPUT.write_text(json.dumps({"error": traceback.format_exc()}))
    bpy.ops.wm.quit_blender()


bpy.app.timers.register(run, first_interval=3.0)

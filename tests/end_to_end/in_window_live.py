"""Runs inside a real Blender with a window: Live is switched on, a box is moved, and the draft is looked at.

Arguments after `--`: address of a server that draws drafts, a folder for pictures of the window, the file to write,
JSON: what was seen and how long our steps took; and the seconds that a draft is waited for.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np

ADDRESS, PICTURES, OUTPUT, PATIENCE = sys.argv[sys.argv.index("--") + 1 :]
os.environ["OCCSCENE_SERVER"] = ADDRESS
OBJECTS, SEGMENTS, RINGS = 50, 54, 28  # the round ones have some 2,900 triangles each: 100,000 in all
FURNITURE = (
    ("floor", "floor", (4.8, 4.8, 0.1), (0, 0, -0.05)),
    ("ceiling", "ceiling", (4.8, 4.8, 0.1), (0, 0, 2.6)),
    ("north wall", "wall", (4.8, 0.1, 2.5), (0, 2.35, 1.25)),
    ("south wall", "wall", (4.8, 0.1, 2.5), (0, -2.35, 1.25)),
    ("east wall", "wall", (0.1, 4.8, 2.5), (2.35, 0, 1.25)),
    ("west wall", "wall", (0.1, 4.8, 2.5), (-2.35, 0, 1.25)),
    ("window", "window", (1.2, 0.12, 1.0), (0, 2.33, 1.4)),
    ("sofa", "sofa", (1.9, 0.9, 0.8), (-0.5, 1.7, 0.4)),
    ("coffee table", "table", (1.0, 0.6, 0.4), (-0.5, 0.5, 0.2)),
    ("bookshelf", "furn", (0.9, 0.35, 1.9), (1.7, 2.0, 0.95)),
    ("armchair", "chair", (0.8, 0.8, 0.8), (1.4, 0.6, 0.4)),
    ("tv", "tvs", (1.1, 0.08, 0.6), (-0.5, -2.2, 1.0)),
    ("sideboard", "furn", (1.6, 0.4, 0.6), (-0.5, -2.0, 0.3)),
    ("chair", "chair", (0.45, 0.45, 0.9), (1.5, -1.2, 0.45)),
    ("table", "table", (1.2, 0.8, 0.75), (1.2, -1.7, 0.375)),
)


def view() -> tuple[bpy.types.Window, bpy.types.Area]:
    """The window and its 3D view."""
    window = bpy.context.window_manager.windows[0]
    return window, next(area for area in window.screen.areas if area.type == "VIEW_3D")


def build() -> None:
    """A furnished room of 50 objects with 100,000 triangles, seen by a camera in a corner."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    rng = np.random.default_rng(1)
    for name, class_name, size, place in FURNITURE:
        bpy.ops.mesh.primitive_cube_add(size=1, location=place)
        obj = bpy.context.object
        obj.name, obj.scale, obj.occscene.class_name = name, size, class_name
    bpy.ops.mesh.primitive_uv_sphere_add(segments=SEGMENTS, ring_count=RINGS, radius=0.12)
    ball = bpy.context.object
    for number in range(OBJECTS - len(FURNITURE)):
        obj = ball if not number else ball.copy()
        if number:
            obj.data = ball.data.copy()
            bpy.context.collection.objects.link(obj)
        obj.name, obj.occscene.class_name = f"vase {number}", "objs"
        obj.location = (*rng.uniform((-2, -1.5), (2, 1.2)), 0.13 if number % 2 else 0.95)
    bpy.ops.object.camera_add(location=(2.0, -2.0, 1.6), rotation=(1.28, 0.0, 0.72))
    scene = bpy.context.scene
    scene.camera = bpy.context.object
    scene.camera.data.lens = 18
    scene.render.resolution_x = scene.render.resolution_y = 1024
    bpy.ops.occscene.fit_volume(mode="PRESET", domain="indoor")
    scene.occscene.prompt = "a bright living room with white walls, an oak floor, a red sofa"


class Steps:
    """How long what the extension does in Blender's process takes, in ms: of this thread's time, and by the clock."""

    def __init__(self) -> None:
        self.longest: dict[str, list[float]] = {}

    def around(self, module: Any, name: str) -> None:
        """Times a function of a module."""
        function = getattr(module, name)

        def timed(*arguments: Any) -> Any:
            begin, work = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments)
            finally:
                took = [1000 * (time.thread_time() - work), 1000 * (time.perf_counter() - begin)]
                before = self.longest.get(name, [0.0, 0.0])
                self.longest[name] = [max(pair) for pair in zip(before, took, strict=True)]

        setattr(module, name, timed)


def photograph(name: str) -> Iterator[float]:
    """Stores what the 3D view and its sidebar show."""
    _, area = view()
    pictures: dict[str, Any] = {}

    def read(kind: str) -> None:
        x, y, width, height = gpu.state.viewport_get()
        pixels = gpu.state.active_framebuffer_get().read_color(x, y, width, height, 4, 0, "UBYTE")
        pictures[kind] = np.array(pixels.to_list(), np.uint8)

    handles = [bpy.types.SpaceView3D.draw_handler_add(read, (kind,), kind, "POST_PIXEL") for kind in ("WINDOW", "UI")]
    while len(pictures) < len(handles):
        area.tag_redraw()
        yield 0.2
    for kind, handle in zip(("WINDOW", "UI"), handles, strict=True):
        bpy.types.SpaceView3D.draw_handler_remove(handle, kind)
        np.save(Path(PICTURES) / f"{name} {kind}.npy", pictures[kind])


def drawn(count: int) -> Iterator[float]:
    """Waits until a draft after the first `count` is shown and nothing is left to be drawn."""
    from bl_ext.user_default.occscene.jobs import live

    end = time.monotonic() + float(PATIENCE)
    while time.monotonic() < end:
        now = live._live
        if now.count > count and not now.first and now.asked is None and now.arrived is None:
            return
        yield 0.1
    raise TimeoutError(live.live_line()[0])


def script(report: dict[str, Any]) -> Iterator[float]:
    """What the artist does."""
    from bl_ext.user_default.occscene.jobs import live, session

    window, area = view()
    with bpy.context.temp_override(window=window, area=area):
        build()
    bpy.context.preferences.system.viewport_aa = "OFF"  # it redraws eight times for a change, which software is slow at
    bpy.context.window_manager.occscene.tab = "BLOCKOUT"
    area.spaces.active.show_region_ui = True
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    yield 1.0
    next(region for region in area.regions if region.type == "UI").active_panel_category = "OccScene"
    yield 1.0
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_center_camera()
    yield from photograph("before")
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.occscene.toggle_live()
    yield from drawn(0)
    yield from photograph("first")
    steps = Steps()
    steps.around(live._live.capture, "read")
    for module, name in ((live, "_follow"), (live, "_show"), (live, "_send"), (session._session, "poll")):
        steps.around(module, name)
    waits = []
    for number in range(2):
        count = live._live.count
        bpy.data.objects["sofa"].location.x += 0.25
        yield from drawn(count)
        waits.append(live._live.seconds)
        report["line"] = live.live_line()[0]
        if not number:
            yield from photograph("moved")
    report["waits"], report["steps"] = waits, steps.longest
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.ed.undo_push(message="Moved")
        bpy.ops.mesh.primitive_cube_add(size=0.5, location=(0, 0, 0.3))
        bpy.ops.ed.undo_push(message="Added")
        bpy.ops.ed.undo()
    yield from drawn(live._live.count - 1)
    report["undone"] = len(bpy.data.objects)
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.occscene.toggle_live()
    yield 1.0
    yield from photograph("off")
    report["images"] = len([image for image in bpy.data.images if image.name not in ("Render Result", "Viewer Node")])


def play() -> float | None:
    """One step; when all are done, writes the report and quits."""
    try:
        return next(steps)
    except StopIteration:
        pass
    except Exception:
        report["error"] = traceback.format_exc()
    Path(OUTPUT).write_text(json.dumps(report))
    bpy.ops.wm.quit_blender()
    return None


report: dict[str, Any] = {}
steps = script(report)
bpy.app.timers.register(play, first_interval=3.0)

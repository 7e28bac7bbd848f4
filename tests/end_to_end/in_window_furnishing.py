"""Runs inside a real Blender with a window: each button of scenes from words, and undo and redo as an artist does.

Arguments after `--`: address of a server that composes by a plain rule (`tests/blender/compose_server.py`), a layout
file, a folder for pictures of the window, the file to write, JSON: for each case what the scene held before, after,
after Ctrl+Z, after a redo, and what the extension said; and the seconds that an answer is waited for.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np

ADDRESS, LAYOUT, PICTURES, OUTPUT, PATIENCE = sys.argv[sys.argv.index("--") + 1 :]
UNFINISHED = ("SENDING", "QUEUED", "RUNNING", "RECONNECTING")
Steps = Iterator[float]


def in_view() -> Any:
    """The context of the 3D view; entered again after each change of mode or file."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def state() -> dict[str, list[object]]:
    """What the artist has made, but for the results that the extension lists."""
    return {
        obj.name: [
            # of what is hidden, Blender brings the world matrix up to date only when it is shown again
            [round(value, 4) for row in (obj.matrix_basis if obj.hide_viewport else obj.matrix_world) for value in row],
            len(obj.data.polygons) if obj.type == "MESH" else 0,
            obj.occscene.class_name,
            [round(value, 4) for value in obj.color],
            obj.hide_viewport,
            obj.hide_render,
            sorted(collection.name for collection in obj.users_collection),
        ]
        for obj in sorted(bpy.data.objects, key=lambda obj: str(obj.name))
    }


def begin() -> None:
    """A floor, a wall, a sofa and two chairs, the sofa selected, with an undo step behind them."""
    with in_view():
        for obj in list(bpy.data.objects):
            bpy.data.objects.remove(obj)
        for collection in list(bpy.data.collections):
            bpy.data.collections.remove(collection)
        for name, class_name, size, place in (
            ("floor", "floor", (4, 4, 0.2), (0, 0, -0.1)),
            ("wall", "wall", (4, 0.1, 2.5), (0, 2.05, 1.25)),
            ("chair", "chair", (0.5, 0.5, 0.9), (-1, 0, 0.45)),
            ("chair.001", "chair", (0.5, 0.5, 0.9), (-1, -1, 0.45)),
            ("sofa", "sofa", (2, 0.9, 0.8), (0.5, 1, 0.4)),
        ):
            bpy.ops.mesh.primitive_cube_add(size=1, location=place)
            obj = bpy.context.object
            obj.name, obj.scale, obj.occscene.class_name = name, size, class_name
        bpy.ops.occscene.fit_volume(mode="TIGHT")
        bpy.ops.ed.undo_push(message="Built")


def select(name: str) -> None:
    """Selects one object, which becomes the active one."""
    with in_view():
        bpy.ops.object.select_all(action="DESELECT")
        obj = bpy.data.objects[name]
        obj.select_set(True)
        bpy.context.view_layer.objects.active = obj
        bpy.ops.ed.undo_push(message="Select")


def press(button: str, **arguments: object) -> None:
    """Presses a button; the operator returns at once."""
    with in_view():
        getattr(bpy.ops.occscene, button)("INVOKE_DEFAULT", True, **arguments)


def ask(button: str, prompt: str = "", **arguments: object) -> None:
    """Presses a button that asks the server."""
    bpy.context.scene.occscene.prompt = prompt
    press(button, server=ADDRESS, **arguments)


def last() -> Any:
    """The newest result."""
    return bpy.context.scene.occscene.results[-1]


def ask_and_hold(button: str) -> Path:
    """The same with a server that waits for a file, which is returned, before it answers."""
    file = Path(PICTURES) / f"answer {time.monotonic()}"
    ask(button, prompt=f"until {file}")
    return file


def answered() -> Steps:
    """Waits until the job has ended and its change is there."""
    deadline = time.monotonic() + float(PATIENCE)
    while (last().state in UNFINISHED or not last().message) and time.monotonic() < deadline:
        yield 0.2


def undo() -> None:
    """Ctrl+Z."""
    with in_view():
        bpy.ops.ed.undo()


def redo() -> None:
    """Ctrl+Shift+Z."""
    with in_view():
        bpy.ops.ed.redo()


def photograph(name: str) -> Steps:
    """Stores what the whole 3D view shows, with the sidebar's tab of the extension."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    pictures: dict[str, Any] = {}

    def read(kind: str) -> None:
        x, y, width, height = gpu.state.viewport_get()
        pixels = gpu.state.active_framebuffer_get().read_color(x, y, width, height, 4, 0, "UBYTE")
        pictures[kind] = np.array(pixels.to_list(), np.uint8)

    kinds = ("WINDOW", "UI")
    handles = [bpy.types.SpaceView3D.draw_handler_add(read, (kind,), kind, "POST_PIXEL") for kind in kinds]
    area.tag_redraw()
    while len(pictures) < len(kinds):
        yield 0.2
    for kind, handle in zip(kinds, handles, strict=True):
        bpy.types.SpaceView3D.draw_handler_remove(handle, kind)
        np.save(Path(PICTURES) / f"{name} {kind}.npy", pictures[kind])


def undone_and_redone(name: str, before: dict[str, Any], report: dict[str, Any]) -> Steps:
    """Notes what one undo takes back and one redo brings again."""
    report["before"], report["after"] = before, state()
    if " " not in name:
        yield from photograph(f"{name} after")
    undo()
    report["undone"] = state()
    yield 0.5
    report["a little later"] = state()
    if " " not in name:
        yield from photograph(f"{name} undone")
    redo()
    report["redone"] = state()
    yield 0.5
    if bpy.context.scene.occscene.results:
        report["message"], report["state"] = last().message, last().state


def button_case(button: str, **arguments: object) -> Callable[[str, dict[str, Any]], Steps]:
    """The button pressed, answered, undone and redone."""

    def case(name: str, report: dict[str, Any]) -> Steps:
        begin()
        select("sofa")
        before = state()
        yield from photograph(f"{name} before")
        ask(button, **arguments)
        yield from answered()
        yield from undone_and_redone(name, before, report)

    return case


def import_case(name: str, report: dict[str, Any]) -> Steps:
    """A layout imported."""
    begin()
    before = state()
    press("import_blockout", filepath=LAYOUT)
    yield 0.2
    yield from undone_and_redone(name, before, report)


def edit_mode_case(button: str) -> Callable[[str, dict[str, Any]], Steps]:
    """The answer comes while the artist edits another object's mesh."""

    def case(name: str, report: dict[str, Any]) -> Steps:
        begin()
        select("sofa")
        answer = ask_and_hold(button)
        select("chair")
        with in_view():
            bpy.ops.object.mode_set(mode="EDIT")
            bpy.ops.mesh.select_all(action="SELECT")
            bpy.ops.mesh.subdivide()
            bpy.ops.ed.undo_push(message="Subdivide")
        answer.touch()
        while last().state in UNFINISHED:
            yield 0.2
        yield 1.0
        report["in edit mode"] = [last().message, bpy.context.mode, sorted(bpy.data.objects.keys())]
        with in_view():
            bpy.ops.object.mode_set(mode="OBJECT")
            bpy.ops.ed.undo_push(message="Toggle Edit Mode")
        before = state()
        yield from answered()
        yield from undone_and_redone(name, before, report)

    return case


def reselected_case(button: str) -> Callable[[str, dict[str, Any]], Steps]:
    """The artist selects something else while the answer is on its way."""

    def case(name: str, report: dict[str, Any]) -> Steps:
        begin()
        select("sofa")
        answer = ask_and_hold(button)
        yield 0.3
        select("chair")
        before = state()
        answer.touch()
        yield from answered()
        report["selected"] = sorted(obj.name for obj in bpy.context.view_layer.objects.selected)
        yield from undone_and_redone(name, before, report)

    return case


def undo_meanwhile_case(button: str) -> Callable[[str, dict[str, Any]], Steps]:
    """The artist moves a chair, presses the button, and takes the move back before the answer is there."""

    def case(name: str, report: dict[str, Any]) -> Steps:
        begin()
        with in_view():
            bpy.data.objects["chair"].location.y += 0.25
            bpy.ops.ed.undo_push(message="Move")
        select("sofa")
        answer = ask_and_hold(button)
        yield 0.3
        undo()
        undo()
        before = state()
        report["moved back"] = round(bpy.data.objects["chair"].location.y, 4)
        answer.touch()
        yield from answered()
        yield from undone_and_redone(name, before, report)

    return case


CASES: dict[str, Callable[[str, dict[str, Any]], Steps]] = {"import blockout": import_case}
for _button in ("complete", "redraw", "add_detail"):
    CASES[_button] = button_case(_button)
    CASES[f"{_button} in edit mode"] = edit_mode_case(_button)
    CASES[f"{_button} reselected"] = reselected_case(_button)
    CASES[f"{_button} undone meanwhile"] = undo_meanwhile_case(_button)


def run() -> Steps:
    """All cases, one after the other."""
    report: dict[str, dict[str, Any]] = {}
    for name, case in CASES.items():
        report[name] = {}
        try:
            yield from case(name, report[name])
        except Exception:
            report[name]["error"] = traceback.format_exc()
            if bpy.context.mode != "OBJECT":
                with in_view():
                    bpy.ops.object.mode_set(mode="OBJECT")
        Path(OUTPUT).write_text(json.dumps(report))
    bpy.ops.wm.quit_blender()


_steps = run()
bpy.app.timers.register(lambda: next(_steps, None), first_interval=3.0)

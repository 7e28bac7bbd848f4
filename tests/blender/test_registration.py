"""The extension comes and goes without a trace."""

from __future__ import annotations

import bpy

import blender_addon


def test_ten_times_without_a_leftover() -> None:
    blender_addon.unregister()
    before = snapshot()
    for _ in range(10):
        blender_addon.register()
        assert hasattr(bpy.types.Scene, "occscene")
        blender_addon.unregister()
    assert snapshot() == before
    blender_addon.register()


def snapshot() -> tuple[object, ...]:
    """Everything that the extension could leave behind."""
    names = {name for name in dir(bpy.types) if "occscene" in name.lower()}
    attributes = [
        hasattr(owner, "occscene")
        for owner in (bpy.types.Object, bpy.types.Collection, bpy.types.Scene, bpy.types.WindowManager)
    ]
    handlers = [len(getattr(bpy.app.handlers, name)) for name in ("load_post", "save_pre", "depsgraph_update_post")]
    return names, attributes, handlers, list(dir(bpy.ops.occscene))

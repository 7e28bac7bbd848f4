"""An empty Blender file with the extension registered, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture(autouse=True)
def scene() -> Iterator[bpy.types.Scene]:
    """The scene of an empty file."""
    import blender_addon

    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    yield bpy.context.scene
    blender_addon.unregister()

"""The extension comes and goes without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

import blender_addon
from tests.patience import PATIENCE


def test_ten_times_without_a_leftover() -> None:
    blender_addon.unregister()
    before = snapshot()
    for _ in range(10):
        blender_addon.register()
        assert hasattr(bpy.types.Scene, "occscene")
        blender_addon.unregister()
    assert snapshot() == before
    blender_addon.register()


def test_a_script_that_used_the_module_ends() -> None:
    """What the extension leaves in Blender must not be waited for when Python has ended."""
    script = "import blender_addon, bpy; blender_addon.register(); blender_addon.unregister()"
    ended = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_blenders_own_process_imports_neither_protobuf_nor_grpc(server: str, tmp_path: Path) -> None:
    """Through a whole job and its import: other extensions bring other versions of them."""
    script = f"""
import sys, bpy, blender_addon
blender_addon.register()
bpy.ops.occscene.add_rig()
bpy.ops.occscene.generate(task="TEXT", prompt="a room", steps=1, directory={str(tmp_path)!r}, server={server!r})
bpy.ops.occscene.import_occupancy()
assert bpy.context.scene.occscene.results[0].state == "SUCCEEDED"
print("loaded", [name for name in ("grpc", "google.protobuf", "occscene.v1", "zstandard") if name in sys.modules])
"""
    environment = os.environ | {"OCCSCENE_USER_FOLDER": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "loaded []" in ended.stdout, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "script",
    [
        "blender_addon.register()",
        "for _ in range(3):\n    blender_addon.register()\n    blender_addon.unregister()\nblender_addon.register()",
        "blender_addon.register()\nbpy.ops.wm.read_factory_settings(use_empty=True)\nbpy.ops.occscene.add_rig()",
        "blender_addon.register()\nwith suppress(RuntimeError):\n    bpy.ops.occscene.complete(server='[::1]:1')",
        "blender_addon.register()\nsys.exit(0)",
    ],
)
def test_a_script_may_end_while_the_extension_is_registered(script: str, tmp_path: Path) -> None:
    """Also with objects added, with a bridge that has tried to reach a server, and after coming and going."""
    ended = subprocess.run(
        [sys.executable, "-c", f"from contextlib import suppress\nimport sys, bpy, blender_addon\n{script}"],
        env=os.environ | {"OCCSCENE_USER_FOLDER": str(tmp_path)},
        timeout=PATIENCE,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


def test_an_update_takes_its_own_wheel(tmp_path: Path) -> None:
    """Of an older version of the extension the wheel's modules are still there."""
    (tmp_path / "occscene").symlink_to(Path(blender_addon.__file__).parent, target_is_directory=True)
    script = f"""
import sys, types
for name in ("bl_ext", "bl_ext.user_default", "occscene", "occscene.rig"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["bl_ext.user_default"].__path__ = [{str(tmp_path)!r}]
import bl_ext.user_default.occscene as extension
extension.register()
extension.unregister()
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def snapshot() -> tuple[object, ...]:
    """Everything that the extension could leave behind."""
    names = {name for name in dir(bpy.types) if "occscene" in name.lower()}
    owners = (bpy.types.Object, bpy.types.Collection, bpy.types.Material, bpy.types.Scene, bpy.types.WindowManager)
    attributes = [hasattr(owner, "occscene") for owner in owners]
    lists = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    handlers = [len(handler) for handler in lists if isinstance(handler, list)]
    menu = len(bpy.types.VIEW3D_MT_add.draw._draw_funcs)
    return names, attributes, handlers, menu, list(dir(bpy.ops.occscene))

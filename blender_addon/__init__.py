"""OccScene for Blender: a tagged blockout in, textured views and a predicted occupancy out.

An extension for Blender 4.2 and later. In the bpy module the same package is used as `blender_addon`:
`import blender_addon; blender_addon.register()`.
"""

import sys

# An update re-imports the extension in a running Blender, but not the wheel `occscene` that came with it.
if __package__.startswith("bl_ext.") and not any(name.startswith(f"{__package__}.") for name in sys.modules):
    for _name in [name for name in sys.modules if name.split(".")[0] == "occscene"]:
        del sys.modules[_name]


def register() -> None:
    """Adds the extension's classes, properties and commands to Blender."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Takes away everything that `register` added, and ends the bridge."""
    from . import registration

    registration.unregister()

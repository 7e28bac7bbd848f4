"""Live: drafts that follow the artist's changes, and the full result of what a draft shows."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy

from ..jobs import connection_check
from ..jobs.live import drawn_seed, is_live, start_live, stop_live


class OCCSCENE_OT_toggle_live(bpy.types.Operator):
    """Show the active camera's view as a draft that follows each change: what is moved, tagged, colored or typed. The
    server keeps none of the drafts
    """

    bl_idname = "occscene.toggle_live"
    bl_label = "Live"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The domain's model can draw drafts, as far as is known; what is on can be switched off."""
        if connection_check.last_check.can("drafts", context.scene.occscene.domain) is False and not is_live():
            cls.poll_message_set("The server's model draws no drafts")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begins or ends it."""
        if is_live():
            stop_live()
        else:
            start_live(context.scene)
        return {"FINISHED"}


class OCCSCENE_OT_generate_as_drafted(bpy.types.Operator):
    """Generate the active camera's view in full quality, with the seed of the draft that is shown"""

    bl_idname = "occscene.generate_as_drafted"
    bl_label = "Generate This View"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """A draft is shown."""
        return drawn_seed() is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Sends the job."""
        seed = drawn_seed()
        assert seed is not None
        try:
            return set(
                bpy.ops.occscene.generate(task="BLOCKOUT", cameras="ACTIVE", quality="FULL", seed=seed, variants=1)
            )
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}


CLASSES = (OCCSCENE_OT_toggle_live, OCCSCENE_OT_generate_as_drafted)
"""The operators."""

"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "sunny day, clear blue sky, hard shadows"
settings.negative_prompt = ""

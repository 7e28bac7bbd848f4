"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "on a clear day, in bright sunshine, under a blue sky"
settings.negative_prompt = ""

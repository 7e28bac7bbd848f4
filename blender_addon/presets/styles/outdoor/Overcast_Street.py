"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "on an overcast day, under a grey sky, in soft grey daylight"
settings.negative_prompt = ""

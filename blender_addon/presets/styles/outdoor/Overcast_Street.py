"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "overcast day, soft grey light, wet asphalt"
settings.negative_prompt = ""

"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "at dusk with the street lamps lit, windows lit"
settings.negative_prompt = ""

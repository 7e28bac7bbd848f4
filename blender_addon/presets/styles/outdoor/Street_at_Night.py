"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "at nightfall under street lamps, dark sky, windows lit"
settings.negative_prompt = ""

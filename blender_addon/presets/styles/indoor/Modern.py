"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "modern style, white painted walls, grey terrazzo floor, steel and leather, clear daylight"
settings.negative_prompt = ""

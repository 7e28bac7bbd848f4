"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "japanese style, white shoji walls, green tatami floor, birch wood, soft grey daylight"
settings.negative_prompt = ""

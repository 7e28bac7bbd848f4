"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "industrial style, brown brick walls, grey concrete floor, leather and black steel, bright day"
settings.negative_prompt = ""

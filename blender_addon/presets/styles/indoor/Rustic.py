"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "rustic style, beige stone walls, oak planks floor, knitted wool, golden sunset light"
settings.negative_prompt = ""

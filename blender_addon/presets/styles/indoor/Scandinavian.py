"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "scandinavian style, white plaster walls, oak planks floor, birch furniture, soft morning sunlight"
settings.negative_prompt = ""

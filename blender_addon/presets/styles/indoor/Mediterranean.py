"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "mediterranean style, white plaster walls, terracotta tiled floor, blue and white stripes, bright day"
settings.negative_prompt = ""

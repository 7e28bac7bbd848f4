"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "mid-century style, olive painted walls, teak parquet floor, mustard velvet, bright daylight"
settings.negative_prompt = ""

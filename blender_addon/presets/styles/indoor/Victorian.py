"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "victorian style, red damask wallpaper, mahogany parquet floor, velvet, warm lamp light in the evening"
settings.negative_prompt = ""

"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "bohemian style, terracotta plaster walls, teak planks floor, woven and striped fabrics, warm evening"
settings.negative_prompt = ""

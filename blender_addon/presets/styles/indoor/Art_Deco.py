"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = (
    "art deco style, navy painted walls, black and white checked marble floor, velvet and brass, warm evening"
)
settings.negative_prompt = ""

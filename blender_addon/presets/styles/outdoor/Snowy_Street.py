"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "under fresh snow, on a snowy winter day"
settings.negative_prompt = ""

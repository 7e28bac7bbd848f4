"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "in low evening sun, with long shadows in low sun"
settings.negative_prompt = ""

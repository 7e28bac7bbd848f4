"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "in low evening sun, long shadows"
settings.negative_prompt = ""

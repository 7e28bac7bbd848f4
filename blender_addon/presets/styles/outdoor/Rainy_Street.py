"""Style preset, in the form that Blender writes its presets."""

import bpy

settings = bpy.context.scene.occscene

settings.style = "after rain, the road wet, grey sky"
settings.negative_prompt = ""

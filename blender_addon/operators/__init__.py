"""What the extension does when a button is pressed or a script calls `bpy.ops.occscene`."""

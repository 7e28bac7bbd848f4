"""Jobs as Blender follows them: what is asked of the server, what comes back, and what survives a crash."""

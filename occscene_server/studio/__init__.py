"""Synthetic scenes, modelled and rendered through Blender, and the demo."""

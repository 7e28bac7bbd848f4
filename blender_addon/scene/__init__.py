"""Blender's data to the project's value types and back."""

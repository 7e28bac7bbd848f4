"""Geometry in plain numpy: triangles to grids and grids to surfaces."""

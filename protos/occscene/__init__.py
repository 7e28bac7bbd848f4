"""The value types that OccScene's messages carry, in plain numpy: grids, cameras and taxonomies.

Importing `occscene.grid`, `occscene.camera` or `occscene.taxonomy` needs only numpy; `occscene.codec` and the
generated `occscene.v1` modules need protobuf.
"""

__version__ = "0.1.0"

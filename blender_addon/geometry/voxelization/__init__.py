"""Triangles of many objects to one semantic grid: `voxelize` is the way in and says what becomes a voxel.

From the bottom: `scanlines` finds where lines through voxel centres cut triangles, `watertight` which triangles enclose
a volume, `spans` the stretches of lines inside them, `rooms`, `openings`, `winding` and `open_filling` what else has an
inside, `thin_features` what lines miss; `voxel_sets` and `compositing` hold the outcome, and `occupancy` joins it all.
`docs/voxelization.md` shows the rules.
"""

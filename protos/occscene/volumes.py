"""The volume of each taxonomy's data set, for scenes that bring no grid."""

from __future__ import annotations

import numpy as np

from occscene.grid import GridVolume

_SIZES = {"indoor": ((60, 60, 36), 0.08), "outdoor": ((256, 256, 32), 0.2)}


def default_volume(taxonomy: str) -> GridVolume:
    """The data set's volume, centred on the world's origin along x and y, its lowest layer just below z = 0.

    Indoor (NYUv2) has 60 x 60 x 36 voxels of 0.08 m, outdoor (SemanticKITTI) 256 x 256 x 32 of 0.2 m.
    """
    shape, voxel_size = _SIZES[taxonomy]
    pose = np.eye(4)
    pose[:3, 3] = (-shape[0] * voxel_size / 2, -shape[1] * voxel_size / 2, -voxel_size)
    return GridVolume(shape, voxel_size, pose)

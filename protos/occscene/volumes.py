"""The volume of each taxonomy's data set, for scenes that bring no grid."""

from __future__ import annotations

import numpy as np

from occscene.grid import GridVolume
from occscene.rigid import Float64Array

_SIZES = {"indoor": ((60, 60, 36), 0.08), "outdoor": ((256, 256, 32), 0.2)}


def default_volume(taxonomy: str, pose: Float64Array | None = None) -> GridVolume:
    """The data set's volume, centred on an origin along x and y, its lowest layer just below z = 0.

    Indoor (NYUv2) has 60 x 60 x 36 voxels of 0.08 m, outdoor (SemanticKITTI) 256 x 256 x 32 of 0.2 m.

    Args:
        taxonomy: name of the classes.
        pose: rigid 4x4 in metres from the axes of that origin to the world's; None where they are the world's.
    """
    shape, voxel_size = _SIZES[taxonomy]
    centered = np.eye(4)
    centered[:3, 3] = (-shape[0] * voxel_size / 2, -shape[1] * voxel_size / 2, -voxel_size)
    return GridVolume(shape, voxel_size, centered if pose is None else pose @ centered)


def beyond_usual(volume: GridVolume, taxonomy: str) -> str:
    """What to say of a volume with more voxels along a side than the data set's, which models learned from; else ""."""
    usual, _ = _SIZES[taxonomy]
    sides, most = (*sorted(volume.shape[:2]), volume.shape[2]), (*sorted(usual[:2]), usual[2])
    if all(side <= limit for side, limit in zip(sides, most, strict=True)):
        return ""
    own, known = (" x ".join(map(str, shape)) for shape in (volume.shape, usual))
    return (
        f"The volume has {own} voxels, more than the {known} of {taxonomy} models: it is neither cut nor tiled, but "
        "takes longer, and is less sure"
    )

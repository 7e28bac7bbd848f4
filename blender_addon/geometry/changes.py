"""What differs between two grids of the same volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid, occupied

ADDED, REMOVED, RECLASSED = 1, 2, 3
CHANGES = {ADDED: "added", REMOVED: "removed", RECLASSED: "other class"}


def changes(before: SemanticGrid, after: SemanticGrid) -> NDArray[np.uint8]:
    """Marks each voxel with `ADDED`, `REMOVED` or `RECLASSED`, 0 where nothing changed; unknown counts as empty.

    Raises:
        ValueError: the grids have different shapes.
    """
    if before.shape != after.shape:
        raise ValueError(f"the grids have {before.shape} and {after.shape} voxels; only grids of one volume compare")
    was, is_now = occupied(before.labels), occupied(after.labels)
    marks = np.zeros(before.shape, np.uint8)
    marks[is_now & ~was] = ADDED
    marks[was & ~is_now] = REMOVED
    marks[was & is_now & (before.labels != after.labels)] = RECLASSED
    return marks

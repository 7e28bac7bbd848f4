"""Objects by connected components: for files of labels only, and for voxels that belong to no object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from occscene.grid import EMPTY, UNKNOWN, GridObject, SemanticGrid
from occscene.limits import MAX_OBJECTS
from occscene.taxonomy import TAXONOMIES


def with_connected_objects(grid: SemanticGrid) -> SemanticGrid:
    """The grid with an object for each connected part of a class that belongs to none.

    Parts are 26-connected and named after their class. A grid that would have more objects than a grid may have, as
    one of noise would, stays as it is.
    """
    instances = np.zeros(grid.shape, np.int64) if grid.instances is None else grid.instances.astype(np.int64)
    free = (instances == 0) & (grid.labels != EMPTY) & (grid.labels != UNKNOWN)
    if not free.any():
        return grid
    from scipy import ndimage  # slow to import, and most grids do not come here

    used = {obj.id for obj in grid.objects}
    unused = [number for number in range(1, MAX_OBJECTS + 1) if number not in used]
    classes = TAXONOMIES[grid.taxonomy].classes
    objects = list(grid.objects)
    for label in np.unique(grid.labels[free]):
        parts, count = ndimage.label(free & (grid.labels == label), np.ones((3, 3, 3)))
        if count > len(unused):
            return grid
        numbers, unused = unused[:count], unused[count:]
        objects += [GridObject(number, classes[label].name) for number in numbers]
        instances += np.array([0, *numbers])[parts]
    return replace(grid, instances=instances.astype(np.uint16), objects=tuple(objects))

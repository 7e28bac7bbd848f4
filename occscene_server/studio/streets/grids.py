"""A street's volume, and its two grids: the true one of its meshes and the one of its blockout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from occscene_server.studio.scene_grids import item_grids
from occscene_server.studio.streets.street import HALF_VOLUME, Street


def street_volume(street: Street) -> GridVolume:
    """The data set's volume, centred on the street, its lowest layer just below where the carriageway is lowest."""
    volume = default_volume(OUTDOOR.name)
    pose = np.array(volume.world_from_grid)
    pose[2, 3] -= abs(street.plan.course.slope) * HALF_VOLUME
    return replace(volume, world_from_grid=pose)


def street_grids(street: Street) -> tuple[SemanticGrid, SemanticGrid]:
    """The true grid and the blockout's; in both `street.items[i]` has the id i + 1."""
    return item_grids(street.items, street_volume(street), OUTDOOR)

"""A layout's boxes as a grid, voxelised as the blockout that they become."""

from __future__ import annotations

from occscene.grid import GridVolume, SemanticGrid
from occscene.layout import LayoutObject
from occscene.part_shapes import BOX_FACES, triangulated
from occscene.placed_layout import PlacedLayout, moved
from occscene.room_shell import shell_objects
from occscene.taxonomy import TAXONOMIES

from .voxelization.voxelize import TriangleObject, voxelize


def layout_grid(placed: PlacedLayout, volume: GridVolume) -> SemanticGrid:
    """The boxes of a layout and its room in a volume of the world; instances are its objects, then the room's parts."""
    layout = placed.layout
    shell = [] if layout.room is None else shell_objects(layout.room)
    taxonomy = TAXONOMIES[layout.taxonomy]
    labels = {entry.name: entry.index for entry in taxonomy.classes}

    def box(obj: LayoutObject) -> TriangleObject:
        corners = moved(obj, placed.world_from_layout).corners
        return TriangleObject(obj.name, labels[obj.class_name], corners[triangulated(BOX_FACES)], hint=obj.color)

    return voxelize([box(obj) for obj in (*layout.objects, *shell)], volume, taxonomy)

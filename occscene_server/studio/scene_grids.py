"""A room's two grids: the true one of its meshes and the one of its blockout, voxelised as an artist's scene is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridVolume, SemanticGrid
from occscene.part_shapes import BOX_CORNERS, BOX_FACES, triangulated
from occscene.srgb import LinearColor
from occscene.taxonomy import INDOOR, Taxonomy
from occscene.volumes import default_volume

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from occscene_server.studio.room import Box, Item, Part, Room


def indoor_volume(room: Room) -> GridVolume:
    """The volume of 4.8 x 4.8 x 2.88 m centred on the room, its bottom at the underside of the floor."""
    bottom = min(part.vertices[:, 2].min() for item in room.items if item.class_name == "floor" for part in item.parts)
    usual = default_volume(INDOOR.name)
    extent = np.array(usual.shape) * usual.voxel_size
    pose = np.eye(4)
    pose[:3, 3] = ((room.size[0] - extent[0]) / 2, (room.size[1] - extent[1]) / 2, bottom)
    return replace(usual, world_from_grid=pose)


def room_grids(room: Room) -> tuple[SemanticGrid, SemanticGrid]:
    """The true grid and the blockout's; in both `room.items[i]` has the id i + 1, in the blockout with its colour."""
    return item_grids(room.items, indoor_volume(room), INDOOR)


def item_grids(items: Sequence[Item], volume: GridVolume, taxonomy: Taxonomy) -> tuple[SemanticGrid, SemanticGrid]:
    """The true grid of items and their blockout's; in both `items[i]` has the id i + 1."""

    def solid(item: Item, triangles: NDArray[np.float64], hint: LinearColor | None = None) -> TriangleObject:
        class_index = taxonomy.index_of(item.class_name)
        return TriangleObject(item.name, class_index, triangles, item.priority, item.fill, hint)

    true = [solid(item, item_triangles(item)) for item in items]
    coarse = [solid(item, blockout_triangles(item), item.color) for item in items]
    return voxelize(true, volume, taxonomy), voxelize(coarse, volume, taxonomy)


def item_classes(items: Sequence[Item], taxonomy: Taxonomy) -> NDArray[np.uint8]:
    """The class of each id in grids and item views: entry 0 is empty space, i + 1 is `items[i]`."""
    return np.array([0, *(taxonomy.index_of(item.class_name) for item in items)], np.uint8)


def item_triangles(item: Item) -> NDArray[np.float64]:
    """(T, 3, 3) world triangles of an item's meshes, without its foliage."""
    solids = [part for part in item.parts if not part.foliage]
    return np.concatenate([item.world_vertices(part)[part_indices(part)] for part in solids])


def blockout_triangles(item: Item) -> NDArray[np.float64]:
    """(T, 3, 3) world triangles of an item's blockout: its boxes, then its sketch."""
    drawn = [part.vertices[part_indices(part)] for part in item.sketch]
    return np.concatenate([box_triangles(item.blockout), *drawn])


def part_indices(part: Part) -> NDArray[np.int64]:
    """(T, 3) vertex indices of the triangles that a part's polygons fan out into."""
    return triangulated(part.faces)


def box_triangles(boxes: tuple[Box, ...]) -> NDArray[np.float64]:
    """(12 * boxes, 3, 3) world triangles of oriented boxes."""
    return np.concatenate([np.zeros((0, 3, 3)), *(box_corners(box)[triangulated(BOX_FACES)] for box in boxes)])


def box_corners(box: Box) -> NDArray[np.float64]:
    """(8, 3) world corners of an oriented box in metres, z fastest."""
    cosine, sine = np.cos(box.angle), np.sin(box.angle)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    corners: NDArray[np.float64] = (BOX_CORNERS * box.size) @ turn.T + box.center
    return corners

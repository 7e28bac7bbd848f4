"""A room's two grids: the true one of its meshes and the one of its blockout, voxelised as an artist's scene is."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from occscene_server.studio.room import INDOOR_VOXEL_SIZE, Box, Item, Part, Room

INDOOR_SHAPE = (60, 60, 36)

_BOX_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
_BOX_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def indoor_volume(room: Room) -> GridVolume:
    """The volume of 4.8 x 4.8 x 2.88 m centred on the room, its bottom at the underside of the floor."""
    bottom = min(part.vertices[:, 2].min() for item in room.items if item.class_name == "floor" for part in item.parts)
    extent = np.array(INDOOR_SHAPE) * INDOOR_VOXEL_SIZE
    pose = np.eye(4)
    pose[:3, 3] = ((room.size[0] - extent[0]) / 2, (room.size[1] - extent[1]) / 2, bottom)
    return GridVolume(INDOOR_SHAPE, INDOOR_VOXEL_SIZE, pose)


def room_grids(room: Room) -> tuple[SemanticGrid, SemanticGrid]:
    """The true grid and the blockout's; in both `room.items[i]` has the id i + 1, in the blockout with its colour."""
    volume = indoor_volume(room)
    true = [_triangle_object(item, item_triangles(item)) for item in room.items]
    coarse = [_triangle_object(item, box_triangles(item.blockout), item.color) for item in room.items]
    return voxelize(true, volume, INDOOR), voxelize(coarse, volume, INDOOR)


def classes_of_items(room: Room) -> NDArray[np.uint8]:
    """The class of each id in a room's grids and item views: entry 0 is empty space, i + 1 is `room.items[i]`."""
    return np.array([0, *(INDOOR.index_of(item.class_name) for item in room.items)], np.uint8)


def _triangle_object(
    item: Item, triangles: NDArray[np.float64], hint: tuple[float, float, float] | None = None
) -> TriangleObject:
    return TriangleObject(item.name, INDOOR.index_of(item.class_name), triangles, item.priority, item.fill, hint)


def item_triangles(item: Item) -> NDArray[np.float64]:
    """(T, 3, 3) world triangles of an item's meshes."""
    return np.concatenate([part.vertices[part_indices(part)] for part in item.parts])


def part_indices(part: Part) -> NDArray[np.int64]:
    """(T, 3) vertex indices of the triangles that a part's polygons fan out into."""
    return np.array([(face[0], face[i], face[i + 1]) for face in part.faces for i in range(1, len(face) - 1)])


def box_triangles(boxes: tuple[Box, ...]) -> NDArray[np.float64]:
    """(12 * boxes, 3, 3) world triangles of oriented boxes."""
    sides = np.array([(s[0], s[i], s[i + 1]) for s in _BOX_SIDES for i in (1, 2)])
    triangles = [np.zeros((0, 3, 3))]
    for box in boxes:
        cosine, sine = np.cos(box.angle), np.sin(box.angle)
        turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        corners = (_BOX_CORNERS * box.size) @ turn.T + box.center
        triangles.append(corners[sides])
    return np.concatenate(triangles)

"""A layout as a semantic grid: its boxes or their parts, and the floor, ceiling and walls of its room."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.layout import Layout, LayoutObject
from occscene.limits import MAX_NAME_LENGTH
from occscene.placed_layout import PlacedLayout
from occscene.rigid import invert_rigid
from occscene.room_shell import CEILING_THICKNESS as CEILING_THICKNESS
from occscene.room_shell import FLOOR_THICKNESS as FLOOR_THICKNESS
from occscene.room_shell import WALL_THICKNESS as WALL_THICKNESS
from occscene.room_shell import shell_objects
from occscene.taxonomy import TAXONOMIES

from occscene_server.geometry.box_voxels import box_voxels
from occscene_server.geometry.solid_voxels import solid_voxels
from occscene_server.geometry.solids import Bools, Ints, Solids

_HOLLOW = {"floor": 10, "ceiling": 10, "wall": 15, "window": 50, "door": 25, "rug": 30, "picture": 75}
"""What is voxelised as a surface, with its paint priority; all else is solid and has its class's."""


@dataclass(frozen=True)
class BoxObject:
    """One object to voxelise.

    Args:
        obj: name, class, box and colour hint.
        priority: paint priority; where objects overlap the higher wins, then the later.
        shell_only: keep only the surface.
    """

    obj: LayoutObject
    priority: int
    shell_only: bool


def box_objects(layout: Layout) -> list[BoxObject]:
    """What a layout's grid shows: the room's shell, then its objects."""
    shell = shell_objects(layout.room) if layout.room is not None else []
    classes = {entry.name: entry.priority for entry in TAXONOMIES[layout.taxonomy].classes}
    boxes = []
    for obj in (*shell, *layout.objects):
        hollow = obj.name if obj.name in _HOLLOW else "wall" if obj.name.endswith(" wall") else None
        priority = classes[obj.class_name] if hollow is None else _HOLLOW[hollow]
        boxes.append(BoxObject(obj, priority, hollow is not None))
    return boxes


Blocks = dict[BoxObject, tuple[Ints, Bools]]
"""What objects take of one volume: the lowest voxel of a block, and what of the block is kept."""


def layout_grid(layout: Layout, volume: GridVolume, blocks: Blocks | None = None) -> SemanticGrid:
    """Voxelises a layout; instance i + 1 is entry i of `box_objects`, objects with their colour as hint and word."""
    return grid_of_boxes(box_objects(layout), volume, layout.taxonomy, blocks)


def placed_grid(placed: PlacedLayout, volume: GridVolume, blocks: Blocks | None = None) -> SemanticGrid:
    """The boxes of a layout in a volume of the world.

    Args:
        placed: the layout, and where it stands.
        volume: upright.
        blocks: of objects that were voxelised there before, to which others are added; None for none.

    Raises:
        ValueError: the volume leans.
    """
    in_layout = invert_rigid(placed.world_from_layout) @ volume.world_from_grid
    grid = layout_grid(placed.layout, replace(volume, world_from_grid=in_layout), blocks)
    return replace(grid, world_from_grid=volume.world_from_grid)


def grid_of_boxes(
    boxes: list[BoxObject], volume: GridVolume, taxonomy: str, blocks: Blocks | None = None
) -> SemanticGrid:
    """Voxelises boxes into a volume whose z axis is the world's; `blocks` as of `placed_grid`.

    Raises:
        ValueError: the volume leans.
    """
    grid_from_world = invert_rigid(volume.world_from_grid)
    if not np.allclose(grid_from_world[2, :3], (0.0, 0.0, 1.0)):
        raise ValueError("the volume's z axis leans; a layout is voxelised in upright volumes only")
    labels, instances = np.zeros(volume.shape, np.uint8), np.zeros(volume.shape, np.uint16)
    names = {entry.name: entry.index for entry in TAXONOMIES[taxonomy].classes}
    for index in sorted(range(len(boxes)), key=lambda i: boxes[i].priority):
        box = boxes[index]
        known = None if blocks is None else blocks.get(box)
        if known is not None:
            low, kept = known
        elif box.obj.parts and not box.shell_only:
            low, kept = object_voxels(box.obj, volume)
        else:
            corners = box.obj.corners @ (grid_from_world[:3, :3].T / volume.voxel_size)
            corners += grid_from_world[:3, 3] / volume.voxel_size
            low, kept = box_voxels(corners, volume.shape, box.shell_only)
        if blocks is not None:
            blocks[box] = low, kept
        place = tuple(slice(start, start + side) for start, side in zip(low.tolist(), kept.shape, strict=True))
        labels[place][kept] = names[box.obj.class_name]
        instances[place][kept] = index + 1
    objects = tuple(GridObject(i + 1, box.obj.name, box.obj.color, _phrase(box.obj)) for i, box in enumerate(boxes))
    return SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy, instances, objects)


def _phrase(obj: LayoutObject) -> str:
    """ "teal sofa", "" for an object without a word for its colour."""
    return f"{obj.color_word} {obj.name}"[:MAX_NAME_LENGTH] if obj.color_word else ""


def object_voxels(obj: LayoutObject, volume: GridVolume | SemanticGrid) -> tuple[Ints, Bools]:
    """The voxels of an object's parts in a volume or grid: the lowest one of a block, and what of the block is kept."""
    grid_from_world = invert_rigid(volume.world_from_grid)
    turn = grid_from_world[:3, :3] @ obj.axes
    place = grid_from_world[:3, :3] @ np.array(obj.center) + grid_from_world[:3, 3]
    grid_from_object = np.concatenate([turn, place[:, None]], 1) / volume.voxel_size
    return solid_voxels(Solids.of_layout(obj.parts), grid_from_object, volume.shape)

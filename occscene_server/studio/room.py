"""What a procedural room is before Blender sees it: named items made of textured meshes.

World convention: Blender's, right-handed, Z up, metres. The floor lies at z = 0 and the room's inner walls
enclose [0, width] x [0, depth] x [0, height].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blender_addon.geometry.voxelization.voxelize import Fill

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """The primitive that a part's mesh was made from.

    Args:
        kind: one of `occscene.layout.PART_KINDS`, or "lathe".
        size: extent along the primitive's own axes in metres; cylinders, lathes and rods stand along z.
        pose: (3, 4), from the primitive's axes to where the part is: rotation, and its middle in metres.
        taper: width of the last end over that of the first; 1 where both are alike.
    """

    kind: str
    size: tuple[float, float, float]
    pose: FloatArray
    taper: float = 1.0


@dataclass(frozen=True)
class Part:
    """One mesh of one material.

    Args:
        vertices: (V, 3) world coordinates in metres.
        faces: polygons as tuples of vertex indices, counter-clockwise seen from outside.
        material: key into `Room.materials`.
        local: (V, 3) texture coordinates in metres, in the part's own frame: longest side along x, thinnest along z.
            Wood's grain runs along local x, flat patterns lie in local xy; a wall has x along it and y up, a floor x
            and y as the world; pictures and rugs have their origin in the middle.
        smooth: shade smooth.
        solid: what the mesh is in short; None for walls, floor and ceiling.
        foliage: leaves and blades that views show; too fine for grids, and left out of stored triangles.
    """

    vertices: FloatArray
    faces: tuple[tuple[int, ...], ...]
    material: str
    local: FloatArray
    smooth: bool = False
    solid: Solid | None = None
    foliage: bool = False


@dataclass(frozen=True)
class Box:
    """An oriented box of a blockout: centre and size in metres, turned by `angle` radians about +Z."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]
    angle: float = 0.0


@dataclass(frozen=True)
class Item:
    """One object of a room: its true mesh and the boxes that an artist would block it out with.

    Args:
        name: what a person calls it, lower case, singular: "sofa", "floor lamp", "back wall".
        class_name: name in the indoor taxonomy: "wall", "sofa", "table", ...
        parts: the detailed meshes.
        blockout: coarse boxes in world coordinates; empty when an artist would leave the item out of a blockout.
        color: mean albedo, linear RGB in [0, 1].
        phrase: how a prompt names it with colour and material: "a mustard velvet sofa".
        fill: what of its inside is voxelised (of walls, floor, ceiling, rugs and pictures the surface only).
        priority: paint priority over other items where voxels overlap; None takes the class's own.
        extent: the item's own oriented box, its front along +y of the box; None for walls, floor, ceiling and skirting.
        pose: (3, 4), rotation with scale and place in metres, from the parts' frame to the world; None where parts have
            world coordinates. Items of one tuple of parts share one mesh.
        sketch: what of the blockout is no box, in world coordinates: slabs along a bend, balls for crowns.
    """

    name: str
    class_name: str
    parts: tuple[Part, ...]
    blockout: tuple[Box, ...]
    color: tuple[float, float, float]
    phrase: str
    fill: Fill = Fill.AUTOMATIC
    priority: int | None = None
    extent: Box | None = None
    pose: FloatArray | None = None
    sketch: tuple[Part, ...] = ()

    def world_vertices(self, part: Part) -> FloatArray:
        """(V, 3) world coordinates of one of the item's parts."""
        if self.pose is None:
            return part.vertices
        placed: FloatArray = part.vertices @ self.pose[:, :3].T + self.pose[:, 3]
        return placed


@dataclass(frozen=True)
class MaterialSpec:
    """A procedural material by kind with its parameters, resolved to shader nodes by `materials.py`.

    Args:
        kind: "planks", "brick", "plaster", "velvet", ... one of `materials.KINDS`.
        color: main albedo, linear RGB.
        accent: second colour where the pattern has one, linear RGB.
        scale: size of the pattern's repeat in metres.
        seed: varies the pattern.
        emission: watts per square metre of emitted light; 0 for none.
    """

    kind: str
    color: tuple[float, float, float]
    accent: tuple[float, float, float] = (0.5, 0.5, 0.5)
    scale: float = 1.0
    seed: int = 0
    emission: float = 0.0


@dataclass(frozen=True)
class Opening:
    """A hole in a wall through which daylight enters.

    Args:
        wall: "west" (x = 0), "east" (x = width), "south" (y = 0), "north" (y = depth).
        start, end: along the wall in metres; bottom, top: above the floor in metres.
    """

    wall: str
    start: float
    end: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Room:
    """A furnished room: everything that a rendering and a prompt need.

    Args:
        seed: the same seed gives the same room.
        kind: "living room", "bedroom", "study", ...
        style: "scandinavian", "industrial", ...
        light: "morning sun", "bright day", "overcast", "warm evening", "sunset", ...
        size: width (x), depth (y), height (z) in metres, each within the indoor volume of 4.8 x 4.8 x 2.88 m.
        items: everything with geometry, walls, floor and ceiling included.
        materials: every key that `Part.material` uses.
        openings: window holes, already cut into the wall meshes of `items`.
        wall_phrase, floor_phrase: "white plaster walls", "oak plank floor".
        wall_color, floor_color: plain colour words for probes: "white", "brown", "green", ...
    """

    seed: int
    kind: str
    style: str
    light: str
    size: tuple[float, float, float]
    items: tuple[Item, ...]
    materials: dict[str, MaterialSpec] = field(default_factory=dict)
    openings: tuple[Opening, ...] = ()
    wall_phrase: str = ""
    floor_phrase: str = ""
    wall_color: str = ""
    floor_color: str = ""

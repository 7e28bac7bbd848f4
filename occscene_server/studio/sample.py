"""Three blockouts as an artist would model them, for the demo and for tests; the bpy add-on must be registered.

Each is a room of the studio's test split, so no model was trained on it, and its true detail is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid

from occscene_server.studio.blender_scene import add_camera
from occscene_server.studio.cameras import draw_cameras
from occscene_server.studio.indoor import build_room
from occscene_server.studio.room import Box, Item, Room
from occscene_server.studio.scene_grids import room_grids

VIEW_SIDE = 256
"""Pixels of the sample's square views."""

_HINTED = frozenset({"sofa", "chair", "bed", "table", "furn"})
"""Classes whose objects keep their viewport colour; what else there is, walls and floor above all, is the prompt's."""


@dataclass(frozen=True)
class Sample:
    """A room and what the artist would ask for."""

    seed: int
    prompt: str


SAMPLES: dict[str, Sample] = {
    "living_room": Sample(
        60,
        "an industrial living room with brown brick walls and a grey concrete floor, a red linen sofa, a red coffee "
        "table, a teal and white checked rug, a walnut bookshelf, a black television, a beige chest of drawers, "
        "bright day",
    ),
    "bedroom": Sample(
        20,
        "a mediterranean bedroom with white plaster walls and a white tiled floor, a purple bed with a brown linen "
        "blanket, two oak nightstands, a teal linen bench, a teak wardrobe, an oak bookshelf, bright day",
    ),
    "study": Sample(
        780,
        "a mediterranean study with white plaster walls and a blue and white checkered floor, an oak desk, a brown "
        "linen office chair, a black computer monitor, a terracotta linen armchair, a yellow and white striped sofa, "
        "bright day",
    ),
}


def sample_room(kind: str) -> Room:
    """The room behind a sample.

    Args:
        kind: a key of `SAMPLES`.

    Raises:
        KeyError: there is no such sample; the message names those that there are.
    """
    if kind not in SAMPLES:
        raise KeyError(f"there is no sample {kind!r}; there are {', '.join(SAMPLES)}")
    return build_room(SAMPLES[kind].seed)


def true_grid(kind: str) -> SemanticGrid:
    """The sample's known true detail, in the volume that the add-on fits to its blockout."""
    return room_grids(sample_room(kind))[0]


def build_sample(kind: str) -> None:
    """Adds a sample's blockout and cameras to Blender's current scene and sets its prompt; nothing is tagged yet.

    Args:
        kind: a key of `SAMPLES`.

    Raises:
        KeyError: there is no such sample.
    """
    room = sample_room(kind)
    scene = bpy.context.scene
    blockout = bpy.data.collections.new("Blockout")
    scene.collection.children.link(blockout)
    for item in room.items:
        if item.blockout:
            blockout.objects.link(_box_object(item))
    scene.render.resolution_x = scene.render.resolution_y = VIEW_SIDE
    scene.render.resolution_percentage = 100
    for camera in draw_cameras(room, room_grids(room)[0]):
        thing = add_camera(camera)
        thing.name = thing.data.name = f"camera_{int(camera.name) + 1}"
        thing.data.display_size = 0.3
        scene.camera = scene.camera or thing
    scene.occscene.prompt = SAMPLES[kind].prompt
    scene.occscene.image_size = VIEW_SIDE


def _box_object(item: Item) -> bpy.types.Object:
    """An item's boxes as one mesh object, named and coloured as an artist would."""
    corners = np.concatenate([_corners(box) for box in item.blockout])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [tuple(8 * number + corner for corner in side) for number in range(len(item.blockout)) for side in sides]
    mesh = bpy.data.meshes.new(item.name)
    mesh.from_pydata((corners - middle).tolist(), [], faces)
    thing = bpy.data.objects.new(item.name, mesh)
    thing.location = middle.tolist()
    thing.color = (*item.color, 1.0)
    thing.occscene.use_hint = item.class_name in _HINTED
    thing.occscene.fill = item.fill.name
    return thing


def _corners(box: Box) -> NDArray[np.float64]:
    """The (8, 3) corners of a box in metres, z fastest."""
    unit = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    cosine, sine = np.cos(box.angle), np.sin(box.angle)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    corners: NDArray[np.float64] = (unit * box.size) @ turn.T + box.center
    return corners

"""Three blockouts as an artist would model them, for the demo and for tests; the bpy add-on must be registered.

Each is a room of the studio's test split, so no model was trained on it, and its true detail is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from occscene.limits import IMAGE_SIDE
from occscene.part_shapes import BOX_FACES

from occscene_server.studio.blender_scene import add_camera
from occscene_server.studio.cameras import draw_cameras
from occscene_server.studio.indoor import build_room
from occscene_server.studio.room import Item, Room
from occscene_server.studio.scene_grids import box_corners, room_grids

_HINTED = frozenset({"sofa", "chair", "bed", "table", "furn", "car", "truck", "other-vehicle", "building"})
"""Classes whose objects keep their viewport colour; what else there is, walls, floor and ground above all, is
the prompt's."""


@dataclass(frozen=True)
class Sample:
    """A room or a street by its seed, and what the artist would ask for."""

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
            blockout.objects.link(blockout_object(item))
    scene.render.resolution_x = scene.render.resolution_y = IMAGE_SIDE
    scene.render.resolution_percentage = 100
    for camera in draw_cameras(room, room_grids(room)[0]):
        camera_object = add_camera(camera)
        camera_object.name = camera_object.data.name = f"camera_{int(camera.name) + 1}"
        camera_object.data.display_size = 0.3
        scene.camera = scene.camera or camera_object
    scene.occscene.prompt = SAMPLES[kind].prompt


def blockout_object(item: Item) -> bpy.types.Object:
    """An item's boxes and sketch as one mesh object, named and coloured as an artist would; it is not linked yet."""
    pieces = [(box_corners(box), BOX_FACES) for box in item.blockout]
    pieces += [(part.vertices, part.faces) for part in item.sketch]
    corners = np.concatenate([vertices for vertices, _ in pieces])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    firsts = np.cumsum([0, *(len(vertices) for vertices, _ in pieces)]).tolist()
    faces = [
        tuple(first + corner for corner in side)
        for first, (_, sides) in zip(firsts, pieces, strict=False)
        for side in sides
    ]
    mesh = bpy.data.meshes.new(item.name)
    mesh.from_pydata((corners - middle).tolist(), [], faces)
    obj = bpy.data.objects.new(item.name, mesh)
    obj.location = middle.tolist()
    obj.color = (*item.color, 1.0)
    obj.occscene.use_hint = item.class_name in _HINTED
    obj.occscene.fill = item.fill.name
    return obj

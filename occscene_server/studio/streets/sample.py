"""Streets' blockouts as an artist would model them in Blender, one for the demo; the bpy add-on must be registered."""

from __future__ import annotations

import bpy
from occscene.limits import IMAGE_SIDE

from occscene_server.studio.blender_scene import add_camera
from occscene_server.studio.sample import Sample, blockout_object
from occscene_server.studio.streets.cameras import draw_street_cameras
from occscene_server.studio.streets.grids import street_grids, street_volume
from occscene_server.studio.streets.street import build_street

STREET_SAMPLES: dict[str, Sample] = {
    "street": Sample(
        20,
        "a suburban street that bends to the left on a clear day, a white house and a teal house behind clipped "
        "hedges, a red city bus and a white delivery van driving on the asphalt road, a black estate car on the left, "
        "linden trees",
    )
}
"""Streets of the studio's test split."""


def build_street_blockout(seed: int, prompt: str) -> None:
    """Adds the blockout and the cameras of the street of `seed` to Blender's current scene, with words for objects.

    The scene's domain becomes outdoor and its volume the street's; nothing is tagged yet.

    Args:
        seed: of the street.
        prompt: the scene's.

    Raises:
        NoViewError: no camera fits.
    """
    from blender_addon.scene.volume import set_volume

    street = build_street(seed)
    scene = bpy.context.scene
    blockout = bpy.data.collections.new("Blockout")
    scene.collection.children.link(blockout)
    for item in street.items:
        if item.blockout or item.sketch:
            obj = blockout_object(item)
            obj.occscene.prompt = item.phrase
            blockout.objects.link(obj)
    scene.render.resolution_x = scene.render.resolution_y = IMAGE_SIDE
    scene.render.resolution_percentage = 100
    for camera in draw_street_cameras(street, street_grids(street)[0]):
        camera_object = add_camera(camera)
        camera_object.name = camera_object.data.name = f"camera_{int(camera.name) + 1}"
        scene.camera = scene.camera or camera_object
    scene.occscene.domain = "outdoor"
    scene.occscene.prompt = prompt
    set_volume(scene, street_volume(street))

"""What the Generate panel sets for the next generation: `SceneSettings`, and what is Blender's own."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..scene.grid_view import mark_stale
from .settings import scene_properties

SEED_MODES = (
    ("FIXED", "Fixed", "Keep the seed: the same settings give the same views again"),
    ("RANDOM", "Random", "Draw a new seed each time; the one that was used stays visible"),
    ("NEXT", "Next", "Count the seed up after each generation"),
)


MAX_VARIANTS = 16
"""Results of one press: no more than a server lets wait by default."""


def _active_camera(settings: Any) -> int:
    camera = settings.id_data.camera
    return -1 if camera is None else int(bpy.context.view_layer.objects.find(camera.name))


def _set_active_camera(settings: Any, index: int) -> None:
    objects = bpy.context.view_layer.objects
    if 0 <= index < len(objects) and objects[index].type == "CAMERA":
        settings.id_data.camera = objects[index]


def _mark_stale(_settings: object, _context: object) -> None:
    mark_stale()


class ListedSettings:
    """A property for each of `SceneSettings`."""

    __annotations__ = scene_properties({"send_geometry": _mark_stale})


class GenerationSettings(ListedSettings):
    """What the Generate panel sets."""

    seed_mode: EnumProperty(name="Seed Mode", description="What becomes of the seed", items=SEED_MODES)
    variants: IntProperty(
        name="Variants",
        description="How many results one press makes, each with a seed of its own",
        default=1,
        min=1,
        max=MAX_VARIANTS,
    )
    active_camera: IntProperty(
        name="Camera", description="The scene's active camera", get=_active_camera, set=_set_active_camera
    )
    use_guidance: BoolProperty(
        name="Adherence",
        description="Set how closely prompt and blockout are followed, instead of leaving it to the model",
    )
    use_sun: BoolProperty(
        name="Sun",
        description="Set where the sun stands, instead of leaving it to the prompt's words",
    )
    redraw_as: StringProperty(
        name="As",
        description="Redraw: the kind of object that the selected ones become, for example armchair; empty keeps what "
        "they are",
        maxlen=100,
    )

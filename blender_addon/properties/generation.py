"""What the Generate panel sets for the next generation: `SceneSettings`, and what is Blender's own."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..scene.grid_view import mark_stale
from .settings import scene_properties

SEED_MODES = (
    ("FIXED", "Fixed", "Keep the seed: the same settings give the same views again"),
    ("RANDOM", "Random", "Draw a new seed each time; the one that was used stays visible"),
    ("NEXT", "Next", "Count the seed up after each generation"),
)


def _mark_stale(_settings: object, _context: object) -> None:
    mark_stale()


class ListedSettings:
    """A property for each of `SceneSettings`."""

    __annotations__ = scene_properties({"send_geometry": _mark_stale})


class GenerationSettings(ListedSettings):
    """What the Generate panel sets."""

    seed_mode: EnumProperty(name="Seed Mode", description="What becomes of the seed", items=SEED_MODES)
    use_guidance: BoolProperty(
        name="Adherence",
        description="Set how closely prompt and blockout are followed, instead of leaving it to the model",
    )
    redraw_as: StringProperty(
        name="As",
        description="Redraw: the kind of object that the selected ones become, for example armchair; empty keeps what "
        "they are",
        maxlen=100,
    )

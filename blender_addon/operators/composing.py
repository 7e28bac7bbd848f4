"""Complete, Redraw and Add Detail: the server's priors work on the scene's own objects."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import bpy
from bpy.props import StringProperty
from occscene.layout import LayoutObject
from occscene.placed_layout import PlacedLayout

from ..bridge.link import BridgeError
from ..jobs import connection_check, tracking
from ..jobs.composed import LABELS
from ..jobs.request import Composition
from ..properties.settings import MAX_INT, TRANSIENT, SceneSettings
from ..scene.given import GivenObjects, given_objects
from ..scene.tagging import ClassLookup, scene_taxonomy
from ..scene.volume import set_volume
from .job_operator import JobOperator
from .voxelizing import volume_around


class Composing(JobOperator):
    """An operator that sends the scene's objects, and changes the scene when the result arrives."""

    kind: str
    prior: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The server has the domain's priors, as far as that is known."""
        why = missing(context.scene, cls.prior)
        if why:
            cls.poll_message_set(why)  # type: ignore[attr-defined]
        return not why

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sends the scene; what comes back is one undo step."""
        scene = context.scene
        try:
            given = given_objects(context)
            composition = self.composition(context, given)
            volume = volume_around(scene, given.blockout.objects)
            if scene.occscene.volume is None:
                set_volume(scene, volume)
            settings = SceneSettings(
                prompt=self.setting(context, "prompt"),
                style=self.setting(context, "style"),
                seed=self.used_seed(context),
            )
            settings.check()
            request = self.new_request(self.kind, settings, composition=composition)
            record = tracking.submit(scene, request, tracking.Task(None, volume, scene.occscene.domain), self.server)
        except (ValueError, OSError, BridgeError) as error:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        if self.kind == "COMPLETE":
            self.keep_seed(context, settings.seed)
        return self.follow(record)

    def used_seed(self, context: bpy.types.Context) -> int:
        """The seed of the request."""
        return self.chosen_seed(context)

    def composition(self, context: bpy.types.Context, given: GivenObjects) -> Composition:
        """The composition to send.

        Raises:
            ValueError: no suitable object is selected.
        """
        raise NotImplementedError


class OCCSCENE_OT_complete(Composing, bpy.types.Operator):
    """Keep all tagged objects as they are, and let the prior furnish the rest of the volume as the prompt says.
    Where there is no wall, floor or ceiling, a room is added too"""

    bl_idname = "occscene.complete"
    bl_label = LABELS["COMPLETE"]
    kind, prior = "COMPLETE", "layout_prior"

    def composition(self, _context: bpy.types.Context, given: GivenObjects) -> Composition:
        """Gives all objects and asks for the rest."""
        return Composition(PlacedLayout(given.layout), given.sources, furnish=True)


class OCCSCENE_OT_redraw(Composing, bpy.types.Operator):
    """Give each selected object a new place, size and color among the others, which stay; or make it another kind.
    Press again for another try"""

    bl_idname = "occscene.redraw"
    bl_label = LABELS["REDRAW"]
    kind, prior = "REDRAW", "layout_prior"

    redraw_as: StringProperty(
        options=TRANSIENT, name="As", description="Another kind of object, for example armchair; empty keeps the kind"
    )

    def used_seed(self, context: bpy.types.Context) -> int:
        """A new random seed, so that each press is another try."""
        return self.chosen_seed(context) if self.properties.is_property_set("seed") else random.randrange(MAX_INT)

    def composition(self, context: bpy.types.Context, given: GivenObjects) -> Composition:
        """Gives all objects, the chosen ones renamed to their new kind."""
        places = _selected_places(context, given)
        objects = list(given.layout.objects)
        owner = self if self.properties.is_property_set("redraw_as") else context.scene.occscene
        kind = owner.redraw_as.strip()
        if kind:
            for place in places:
                objects[place] = _as_kind(context.scene, objects[place], kind)
        layout = replace(given.layout, objects=tuple(objects))
        return Composition(PlacedLayout(layout), given.sources, redraw=places)


class OCCSCENE_OT_add_detail(Composing, bpy.types.Operator):
    """Give each selected box its parts, as one mesh with loose pieces that is parented to the box. The box itself is
    kept, disabled in viewports and renders, and no longer sent"""

    bl_idname = "occscene.add_detail"
    bl_label = LABELS["DETAIL"]
    kind, prior = "DETAIL", "parts_prior"

    def composition(self, context: bpy.types.Context, given: GivenObjects) -> Composition:
        """Only the selected ones."""
        places = _selected_places(context, given)
        layout = replace(given.layout, objects=tuple(given.layout.objects[place] for place in places))
        return Composition(PlacedLayout(layout), tuple(given.sources[place] for place in places), with_parts=True)


_PRIORS = {"layout_prior": "layouts", "parts_prior": "parts"}


def missing(scene: bpy.types.Scene, prior: str) -> str:
    """What keeps a button from working that needs `layout_prior` or `parts_prior`, or ""."""
    domain, check = scene.occscene.domain, connection_check.last_check
    lacking = check.lacks_domain(domain)
    if not lacking and check.can(prior, domain) is False:
        return f"The server's {domain} model has no prior for {_PRIORS[prior]}"
    return lacking


def selected_tagged(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected objects that have a class."""
    lookup = ClassLookup.of(context.scene)
    selected = context.view_layer.objects.selected
    return [obj for obj in selected if not obj.occscene.is_output and lookup.class_names(obj)]


def _selected_places(context: bpy.types.Context, given: GivenObjects) -> tuple[int, ...]:
    """Places of the selected objects in what is given.

    Raises:
        ValueError: none is selected, or one of them is no single box.
    """
    names = [obj.name for obj in selected_tagged(context)]
    if not names:
        raise ValueError("select tagged objects first: those that are to be changed")
    whole = given.whole
    several = [name for name in names if name in given.sources and name not in whole]
    if several:
        raise ValueError(f"{', '.join(several)}: parts of it have several classes; give it one class, or select others")
    places = tuple(sorted(whole[name] for name in names if name in whole))
    if not places:
        raise ValueError(f"{', '.join(names)}: not sent, since it is disabled in renders; enable it there")
    return places


def _as_kind(scene: bpy.types.Scene, obj: LayoutObject, kind: str) -> LayoutObject:
    """An object as another kind of object: with the class that its name means, else with its own class."""
    guessed: Any = scene_taxonomy(scene).guess(kind)
    return replace(obj, name=kind, class_name=guessed.name if guessed else obj.class_name)


CLASSES = (OCCSCENE_OT_complete, OCCSCENE_OT_redraw, OCCSCENE_OT_add_detail)
"""The operators."""

"""Make one view of a result anew; the others stay as they are, and it comes to agree with them."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from bpy.props import FloatProperty, StringProperty
from occscene.grid import load_grid
from occscene.mesh import load_mesh
from occscene.placed_layout import load_layout
from occscene.results import Result, read_result

from ..bridge.link import BridgeError
from ..jobs import connection_check, tracking
from ..jobs.journal import folder_of
from ..jobs.request import Request, known_request
from ..properties.settings import MAX_INT, TRANSIENT
from .job_operator import JobOperator
from .results import RESULT_DESCRIPTION, chosen_result

_KINDS = ("BLOCKOUT", "TEXT")


def can_redo(result: Any) -> bool:
    """Whether a view of a result can be made anew while others stay, as far as that is known."""
    if result.state != "SUCCEEDED" or len(result.views) < 2 or connection_check.last_check.can("start_views") is False:
        return False
    return known_request(result.request).kind in _KINDS


class OCCSCENE_OT_redo_view(JobOperator, bpy.types.Operator):
    """Make this view anew, with a new seed or other words; the other views stay as they are"""

    bl_idname = "occscene.redo_view"
    bl_label = "Redo View"

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options=TRANSIENT)
    view: StringProperty(name="View", description="The view's name; empty takes the active camera's", options=TRANSIENT)
    strength: FloatProperty(
        name="Strength",
        description="How much of the view may change: 1 makes it anew, less begins at the view as it is",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
        options=TRANSIENT,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for words and seed."""
        try:
            request = self._source(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        used = request.settings
        self.prompt, self.style, self.seed = used.prompt, used.style, random.randrange(MAX_INT)
        return set(context.window_manager.invoke_props_dialog(self, width=400, confirm_text="Redo"))

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws them."""
        layout = self.layout
        layout.label(text=f"{self.view}; the other views stay as they are", translate=False)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "prompt")
        layout.prop(self, "style")
        layout.prop(self, "seed")
        layout.prop(self, "strength", slider=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sends what was sent for the result once more, with the views that stay."""
        try:
            source = self._source(context)
            folder = _whole_folder(source.directory)
            request = self._request(context, source)
            record = tracking.submit(context.scene, request, self._task(request, folder), self.server)
        except (ValueError, OSError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        results = context.scene.occscene.results
        context.scene.occscene.active_result = results.find(record.request.request_id)
        return self.follow(record)

    def _source(self, context: bpy.types.Context) -> Request:
        """The request of the result whose views stay, with the folder where it is now; finds the view.

        Raises:
            ValueError: there is no such result or view, or no other view that could stay.
        """
        result = chosen_result(context, self.result)
        request = known_request(result.request)
        names = [view.camera.name for view in request.views]
        if not self.view:
            camera = context.scene.camera
            self.view = next((view.name for view in result.views if camera and view.camera == camera), "")
        if result.state != "SUCCEEDED" or request.kind not in _KINDS:
            raise ValueError("only a view of a result that is done, from a blockout or from text, can be made anew")
        if self.view not in names:
            known = ", ".join(repr(name) for name in names)
            raise ValueError(f"the result has no view {self.view!r}; it has {known}")
        if len(names) < 2:
            raise ValueError("the result has one view only, and none that could stay: generate it again")
        return replace(request, directory=str(folder_of(result)))

    def _request(self, context: bpy.types.Context, source: Request) -> Request:
        used, given = source.settings, self.properties.is_property_set
        words = {name: getattr(self, name) for name in ("prompt", "style") if given(name)}
        seed = self.seed if given("seed") else random.randrange(MAX_INT)
        strength = self.strength if self.strength < 1.0 else None
        settings = replace(used, **words, seed=seed, start_from="NONE", strength=strength, quality="FULL")
        settings.check()
        request = self.new_request(source.kind, settings, source.views)
        return replace(request, source=source.request_id, redone=(self.view,))

    def _task(self, request: Request, whole: Result) -> tracking.Task:
        """What was sent for the result, from its folder."""
        start = []
        for place, view in enumerate(request.views):
            name = view.camera.name
            if name not in request.redone or request.settings.strength is not None:
                path = whole.views.get(name)
                if path is None or not path.is_file():
                    raise ValueError(f"{whole.folder} has no view of camera {name!r} any more: generate it again")
                start.append(tracking.StartImage(place, path.read_bytes(), name not in request.redone))
        if request.kind == "BLOCKOUT":
            if whole.blockout is None:
                raise ValueError(f"{whole.folder} has no blockout.npz any more: generate it again")
            return tracking.Task(load_grid(whole.blockout), mesh=load_mesh(whole.blockout), start=start)
        if whole.occupancy is None:
            raise ValueError(f"{whole.folder} has no occupancy.npz any more: generate it again")
        volume, taxonomy = (grid := load_grid(whole.occupancy)).volume, grid.taxonomy
        layout = None if whole.layout is None else load_layout(whole.layout)
        return tracking.Task(None, volume, taxonomy, start=start, layout=layout)


def _whole_folder(directory: str) -> Result:
    try:
        return read_result(Path(directory))
    except ValueError as error:
        raise ValueError(f"the views that are to stay are not there: {error}") from error


CLASSES = (OCCSCENE_OT_redo_view,)

"""What all operators that send a job to the server share: prompt, seed, folder, server, and whether to wait."""

# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import random
import uuid
from datetime import datetime
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..jobs import events, journal, tracking
from ..jobs.request import Composition, Request
from ..properties.settings import (
    FORMER_NAMES,
    MAX_INT,
    TRANSIENT,
    SceneSettings,
    operator_arguments,
    scene_value,
    setting_value,
)
from ..scene.cameras import SceneView
from .job import wait_for


class PromptArguments:
    """The settings that all such operators have as arguments."""

    __annotations__ = operator_arguments(("prompt", "style", "seed"))


class JobOperator(PromptArguments):
    """An operator that sends a job; what is not given as an argument is the scene's."""

    directory: StringProperty(
        options=TRANSIENT,
        name="Folder",
        description="Where views, grids, layouts and result.json are written",
        subtype="DIR_PATH",
    )
    server: StringProperty(options=TRANSIENT, name="Server", description="host:port; empty takes the preferences'")
    wait: BoolProperty(
        options=TRANSIENT, name="Wait", description="Return when the job has ended; always so without a window"
    )
    properties: Any

    def setting(self, context: bpy.types.Context, name: str) -> Any:
        """A setting's argument if it was given, also by a former name, else the scene's."""
        for argument in (name, *(former for former, new in FORMER_NAMES.items() if new == name)):
            if self.properties.is_property_set(argument):
                return setting_value(name, getattr(self, argument))
        return scene_value(context.scene, name)

    def chosen_seed(self, context: bpy.types.Context) -> int:
        """The argument, else the scene's as its seed mode says."""
        if self.properties.is_property_set("seed"):
            return int(self.setting(context, "seed"))
        settings = context.scene.occscene
        return random.randrange(MAX_INT) if settings.seed_mode == "RANDOM" else int(settings.seed)

    def new_request(
        self,
        kind: str,
        settings: SceneSettings,
        views: tuple[SceneView, ...] = (),
        composition: Composition | None = None,
    ) -> Request:
        """A request with an id of its own, and the folder for its result."""
        request_id = str(uuid.uuid4())
        folder = bpy.path.abspath(self.directory) if self.directory else str(journal.results_folder() / request_id[:8])
        created = datetime.now().astimezone().isoformat(timespec="seconds")
        return Request(request_id, kind, settings, views, folder, created, composition)

    def keep_seed(self, context: bpy.types.Context, used: int) -> None:
        """Shows the seed that was used, or the one that comes next."""
        settings = context.scene.occscene
        if not self.properties.is_property_set("seed"):
            settings.seed = used + (settings.seed_mode == "NEXT")

    def follow(self, record: events.Record) -> set[str]:
        """Waits for the job where no timer follows it, or a script asks for that."""
        if not self.wait and tracking.is_interactive():
            return {"FINISHED"}
        return wait_for(self, record)

"""What keeps a generation from being sent, and the button that mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy
from occscene.limits import MAX_VIEWS
from occscene.taxonomy import OUTDOOR

from ..jobs import connection_check
from ..jobs.estimate import estimated_seconds, rough_time
from ..operators.counted import counted
from ..scene.camera_objects import cameras_of
from ..scene.frame import picture_size, view_window
from ..scene.frames import animation_frames, fitted_step
from .counts import drawn_counts


@dataclass(frozen=True)
class NextStep:
    """What is to be done first.

    Args:
        text: in one or two lines.
        operator: of the button; "" where there is none.
        label: the button's.
        arguments: of the operator.
    """

    text: str
    operator: str = ""
    label: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def view_count(context: bpy.types.Context) -> int:
    """How many views the scene's choice of cameras makes."""
    scene = context.scene
    settings = scene.occscene
    cameras = cameras_of(scene, context.view_layer, settings.cameras)
    if settings.cameras == "ANIMATION":
        return len(animation_frames(scene, settings.frame_step)) if cameras else 0
    return len(cameras)


def views_fit(count: int) -> bool:
    """Whether one request may have so many views."""
    return 0 < count <= MAX_VIEWS


def next_step(context: bpy.types.Context) -> NextStep | None:
    """What is missing for the blockout's views; None if nothing is."""
    scene = context.scene
    settings = scene.occscene
    counts = drawn_counts(context)
    check = connection_check.last_check
    if settings.domain == OUTDOOR.name:  # few models know it: better said before a street is tagged than after
        connection_check.ask_soon()
    lacking = check.lacks_domain(settings.domain)
    if lacking:
        return NextStep(lacking)
    if not counts.objects:
        if counts.by_class[""]:
            text = f"Next: classes for {counted(counts.by_class[''], 'object')}"
            return NextStep(text, "occscene.guess_classes", "Guess by Name")
        return NextStep("Next: add boxes below, or model, or begin from text in Views")
    if settings.volume is None:
        text = "Next: place the volume that is sent"
        return NextStep(text, "occscene.fit_volume", "Place Volume", {"mode": "WHOLE"})
    count = view_count(context)
    if not count:
        if settings.cameras == "ALL" and not any(obj.type == "CAMERA" for obj in context.view_layer.objects):
            return NextStep("Next: add cameras, one for each view", "occscene.add_rig", "Add Cameras")
        return NextStep("Next: choose cameras, in Views", "occscene.add_rig", "Add Cameras")
    if count > MAX_VIEWS:
        return NextStep(
            f"{count} views are more than the {MAX_VIEWS} that one request may have: untick cameras in Views"
        )
    if settings.quality == "DRAFT" and check.can("drafts", settings.domain) is False:
        return NextStep("The server's model draws no drafts: set the quality to Full, in Views")
    narrow = picture(scene)[1]
    return NextStep(narrow) if narrow else None


def picture(scene: bpy.types.Scene) -> tuple[tuple[int, int], str]:
    """Width and height of the views in pixels, and "" or why there are none."""
    settings = scene.occscene
    try:
        multiple = connection_check.last_check.image_multiple
        return picture_size(view_window(scene, settings.image_shape), settings.image_size, multiple), ""
    except ValueError as error:
        text = str(error)
        return (0, 0), text[0].upper() + text[1:]


def sent_text(context: bpy.types.Context) -> str:
    """What will be sent, and how long it takes if that is known."""
    scene = context.scene
    settings = scene.occscene
    count, (size, _) = view_count(context), picture(scene)
    text = (
        f"Sends {counted(drawn_counts(context).objects, 'object')}, {counted(count, 'view')} of {size[0]} x {size[1]}"
    )
    if settings.cameras == "ANIMATION" and fitted_step(scene, settings.frame_step) != settings.frame_step:
        text += f", every {fitted_step(scene, settings.frame_step)} frames"
    seconds = estimated_seconds(scene, count, *size)
    if seconds:
        text += f"; {rough_time(seconds * settings.variants)}"
    elif not settings.prompt:
        text += ". Say above what it looks like"
    return text

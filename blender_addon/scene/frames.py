"""Views along an animation: which frames, through which cameras, and what does not stand still meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
from occscene.limits import MAX_VIEWS

from .tagging import ClassLookup, taggable_objects
from .visibility import rendered_objects

_SAME = 1e-5
"""Blender units, and parts of a rotation's matrix, by which an object may differ between frames and stand still."""


def fitted_step(scene: bpy.types.Scene, step: int) -> int:
    """The step, or the smallest larger one with which the scene's frames are no more than one request may have."""
    count = scene.frame_end - scene.frame_start + 1
    return max(step, -(-count // MAX_VIEWS))


def animation_frames(scene: bpy.types.Scene, step: int) -> Sequence[int]:
    """Every frame of the scene's animation by `fitted_step`, from its first."""
    return range(scene.frame_start, scene.frame_end + 1, fitted_step(scene, step))


@contextmanager
def frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    """Brings the scene back to its frame and camera after the block, which may go to other frames."""
    frame, subframe, camera = scene.frame_current, scene.frame_subframe, scene.camera
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=subframe)
        if scene.camera != camera:  # markers bind cameras
            scene.camera = camera


class MovingObjects:
    """Finds the tagged objects that are not the same in all frames that it is shown.

    The grid is that of one frame, so they are frozen in it.
    """

    def __init__(self, context: bpy.types.Context) -> None:
        lookup = ClassLookup.of(context.scene)
        rendered = rendered_objects(context.scene)
        self._objects = [obj for obj in taggable_objects(context.scene) if obj in rendered and lookup.class_names(obj)]
        self._first: dict[str, list[float]] = {}
        self.names: dict[str, None] = {}

    def see(self, context: bpy.types.Context) -> None:
        """Compares the objects as they are in the present frame with those of the first that was seen."""
        graph = context.evaluated_depsgraph_get()
        for obj in self._objects:
            evaluated = obj.evaluated_get(graph)
            now = [number for row in evaluated.matrix_world for number in row]
            now += [number for corner in evaluated.bound_box for number in corner]
            first = self._first.setdefault(obj.name, now)
            if any(abs(a - b) > _SAME * max(1.0, abs(a)) for a, b in zip(first, now, strict=True)):
                self.names.setdefault(obj.name)

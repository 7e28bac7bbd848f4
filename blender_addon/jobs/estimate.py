"""How long a generation will take, from earlier ones of the scene on the same server."""

from __future__ import annotations

import bpy
import numpy as np

from .connection import server_address
from .request import known_request

_FIXED = 0.5
"""Share of a job's time that does not grow with it, while there are no jobs of several sizes that tell: preparing,
sending, and what the device does in one go whatever the size."""

_RECENT = 8
"""Results that count."""


def estimated_seconds(scene: bpy.types.Scene, views: int, width: int, height: int) -> float | None:
    """Seconds that the scene's settings will take by its newest results from the same server; None if there are none.

    The time is taken as a fixed part and one that grows with views, pixels and denoising steps. Jobs of several sizes
    tell both; of jobs of one size, `_FIXED` is taken as fixed. Waiting for other jobs is not in it.
    """
    settings = scene.occscene
    known = _known_times(scene)
    if not known:
        return None
    work = views * width * height * (settings.steps or _default_steps(scene) or known[0][2])
    works, times, _ = np.array(known, float).T
    if works.max() > 1.2 * works.min():
        slope, fixed = np.polyfit(works, times, 1)
        if slope > 0.0 and fixed >= 0.0:
            return float(fixed + slope * work)
    newest_work, newest_time, _ = known[0]
    return float(newest_time * (_FIXED + (1 - _FIXED) * work / newest_work))


def _known_times(scene: bpy.types.Scene) -> list[tuple[float, float, int]]:
    """Work, seconds and denoising steps of the results that tell, the newest first."""
    settings = scene.occscene
    address = server_address()
    known: list[tuple[float, float, int]] = []
    for result in reversed(settings.results):
        if result.state != "SUCCEEDED" or result.server != address or len(known) == _RECENT:
            continue
        request = known_request(result.request)
        if request.kind not in ("BLOCKOUT", "TEXT") or request.settings.quality != settings.quality:
            continue
        camera = request.views[0].camera
        steps = int(result.denoising_steps or request.settings.steps or 0)
        if not steps and settings.quality != "DRAFT":  # its progress went by while Blender was away
            continue
        steps = steps or 1
        known.append((float(len(request.views) * camera.width * camera.height * steps), float(result.seconds), steps))
    return known


def _default_steps(scene: bpy.types.Scene) -> int:
    """The model's own steps, as a result shows that left them to it; 0 if there is none."""
    for result in reversed(scene.occscene.results):
        if result.denoising_steps and known_request(result.request).settings.steps is None:
            return int(result.denoising_steps)
    return 0


def rough_time(seconds: float) -> str:
    """A time as people say it: about 5 s, 40 s, 3 min."""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    return f"about {round(seconds / 60)} min"

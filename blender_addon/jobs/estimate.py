"""How long a generation will take, from earlier ones of the scene on the same server."""

from __future__ import annotations

import bpy

from .connection import server_address
from .request import Request


def estimated_seconds(scene: bpy.types.Scene, views: int, width: int, height: int) -> float | None:
    """Seconds that the scene's settings will take by its newest result from the same server; None if there is none.

    The time is taken to grow with views, pixels and denoising steps. Waiting for other jobs is not in it.
    """
    settings = scene.occscene
    address = server_address()
    for result in reversed(settings.results):
        if result.state != "SUCCEEDED" or result.server != address:
            continue
        request = Request.from_json(result.request)
        if request.kind not in ("BLOCKOUT", "TEXT") or request.settings.quality != settings.quality:
            continue
        camera = request.views[0].camera
        pixels = views * width * height / (len(request.views) * camera.width * camera.height)
        steps = settings.steps or _default_steps(scene)
        more_steps = steps / result.denoising_steps if steps and result.denoising_steps else 1.0
        return float(result.seconds * pixels * more_steps)
    return None


def _default_steps(scene: bpy.types.Scene) -> int:
    """The model's own steps, as a result shows that left them to it; 0 if there is none."""
    for result in reversed(scene.occscene.results):
        if result.denoising_steps and Request.from_json(result.request).settings.steps is None:
            return int(result.denoising_steps)
    return 0


def rough_time(seconds: float) -> str:
    """A time as people say it: about 5 s, 40 s, 3 min."""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    return f"about {round(seconds / 60)} min"

"""Object counts for drawing, which happens many times a second."""

from __future__ import annotations

import time

import bpy

from ..scene.counting import SentCounts, sent_counts

_SHARE = 0.05
"""Largest share of the time that counting may take: small scenes are counted at each redraw, large ones seldom."""

_last: dict[int, tuple[float, SentCounts]] = {}


def drawn_counts(context: bpy.types.Context) -> SentCounts:
    """`sent_counts`, a little old where counting takes long."""
    scene = context.scene
    begin = time.monotonic()
    known = _last.get(scene.session_uid)
    if known is not None and begin < known[0]:
        return known[1]
    counts = sent_counts(scene, context.view_layer)
    end = time.monotonic()
    _last.clear()  # one scene is drawn at a time
    _last[scene.session_uid] = (end + (end - begin) / _SHARE, counts)
    return counts

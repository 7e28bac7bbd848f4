"""Object counts for drawing, which happens many times a second."""

from __future__ import annotations

import time
from collections import Counter

import bpy

from ..scene.tagging import class_counts

_SHARE = 0.05
"""Largest share of the time that counting may take: small scenes are counted at each redraw, large ones seldom."""

_last: dict[int, tuple[float, Counter[str]]] = {}


def drawn_counts(scene: bpy.types.Scene) -> Counter[str]:
    """`class_counts`, a little old where counting takes long."""
    begin = time.monotonic()
    due, counts = _last.get(scene.session_uid, (0.0, Counter[str]()))
    if begin < due:
        return counts
    counts = class_counts(scene)
    end = time.monotonic()
    _last.clear()  # one scene is drawn at a time
    _last[scene.session_uid] = (end + (end - begin) / _SHARE, counts)
    return counts

"""Cameras as a message's head fields, the same as in a cameras file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from occscene.camera import PinholeCamera


def cameras_head(cameras: Sequence[PinholeCamera]) -> list[dict[str, Any]]:
    """The JSON fields of cameras."""
    return [{**vars(camera), "world_from_camera": camera.world_from_camera.tolist()} for camera in cameras]


def cameras_from_head(rows: list[dict[str, Any]]) -> list[PinholeCamera]:
    """Rebuilds cameras from `cameras_head`."""
    return [PinholeCamera(**row) for row in rows]

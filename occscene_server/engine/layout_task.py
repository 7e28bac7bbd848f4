"""Layouts as a job, and as the beginning of text to scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.placed_layout import PlacedLayout
from occscene.v1 import job_pb2

from occscene_server.geometry.given_room import LEAST_SIDE, largest_room

if TYPE_CHECKING:  # they import torch, which not every user of this module needs
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.text_to_scene import LayoutDraft

LEAST_STREET = 12.0
"""Metres along and across of the smallest volume in which a street is laid out: its carriageway and pavements."""


def composed_layout(priors: ScenePriors | None, task: job_pb2.ComposeLayout, volume: GridVolume) -> job_pb2.JobEvent:
    """The event with the layout that a checked task asks for.

    Raises:
        ValueError: there is no prior for it, or what is given has no room.
    """
    if priors is None or priors.layout is None:
        raise ValueError("this server's model has no layout prior; compose layouts on one that has")
    from occscene_server.pipelines.layout_composition import Composition, compose

    given = layout_from_message(task.layout) if task.HasField("layout") else None
    asked = Composition(task.prompt, task.seed, volume, given, tuple(task.redraw), task.furnish, task.with_parts)
    return layout_event(*compose(priors, asked))


def layout_draft(
    priors: ScenePriors | None, task: job_pb2.GenerateScene, volume: GridVolume, cameras: Sequence[PinholeCamera]
) -> tuple[LayoutDraft | None, list[str]]:
    """The layout that a task of text to scene begins from, and notes on it; None where it has none."""
    if task.without_prior:
        return None, []
    given = layout_from_message(task.layout) if task.HasField("layout") else None
    if priors is not None and priors.layout is None:
        priors = None
    if given is None and (priors is None or not _has_space(priors, volume)):
        return None, []
    from occscene_server.pipelines.layout_composition import Composition, compose, sights
    from occscene_server.pipelines.text_to_scene import LayoutDraft

    notes: list[str] = []
    if given is None:
        assert priors is not None
        given, notes = compose(priors, Composition(task.prompt, task.seed, volume, with_parts=True, cameras=cameras))
    propose = None
    if priors is not None and (given.layout.room is not None or given.layout.taxonomy == "outdoor"):
        propose = priors.proposals(task.prompt, sights(cameras, given.world_from_layout))
    return LayoutDraft(given, volume, propose, task.seed), notes


def layout_event(placed: PlacedLayout, notes: list[str]) -> job_pb2.JobEvent:
    """The event of a layout."""
    return job_pb2.JobEvent(layout=job_pb2.JobLayout(layout=layout_to_message(placed), notes=notes))


def _has_space(priors: ScenePriors, volume: GridVolume) -> bool:
    """Whether a volume is upright and large enough for a room or street; others are filled without a layout."""
    upright = np.allclose(volume.world_from_grid[2, :3], (0.0, 0.0, 1.0), atol=1e-6)
    assert priors.layout is not None
    if priors.layout.prior.vocabulary.taxonomy != "indoor":
        return bool(upright and min(volume.shape[:2]) * volume.voxel_size >= LEAST_STREET)
    return bool(upright and largest_room(volume).min() >= LEAST_SIDE)

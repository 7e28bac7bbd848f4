"""Checks of layouts, in tasks of their own and as the start of text to scene."""

from __future__ import annotations

import numpy as np
from occscene.codec import volume_from_message
from occscene.grid import GridVolume
from occscene.layout_codec import layout_from_message, object_from_message
from occscene.limits import MAX_OBJECTS
from occscene.placed_layout import PlacedLayout
from occscene.taxonomy import TAXONOMIES, taxonomy_named
from occscene.v1 import job_pb2, layout_pb2, scene_service_pb2
from occscene.volumes import default_volume

from occscene_server.api.scene_validation import check_volume
from occscene_server.api.setting_validation import check_settings
from occscene_server.api.violations import Violations
from occscene_server.engine.model_info import unknown_domain

_MAX_REPORTED = 10  # wrong objects of one layout


def check_composition(
    task: job_pb2.ComposeLayout, model: scene_service_pb2.ModelInfo | None, at: str, violations: Violations
) -> None:
    """Checks all of a task that composes a layout."""
    check_settings(task, at, violations)
    given = task.layout.taxonomy if task.HasField("layout") else ""
    if task.taxonomy and given and task.taxonomy != given:
        text = f"taxonomy is {task.taxonomy[:50]!r} but the layout's is {given[:50]!r}"
        violations.add(f"{at}.taxonomy", text)
    name, path = (given, f"{at}.layout.taxonomy") if given else (task.taxonomy, f"{at}.taxonomy")
    taxonomy = violations.attempt(path, lambda: taxonomy_named(name, path))
    check_known(name, model, path, violations)
    if model is not None and not model.layout_prior:
        violations.add(at, f"the model {model.name} has no layout prior; ask a server whose model has one")
    if task.HasField("layout"):
        check_layout(task.layout, f"{at}.layout", violations)
    count = len(task.layout.objects)
    for place, index in enumerate(task.redraw):
        if index >= count:
            text = f"redraw has {index}; the layout has {count} objects, numbered from 0"
            violations.add(f"{at}.redraw[{place}]", text)
            break
    if len(set(task.redraw)) < len(task.redraw):
        violations.add(f"{at}.redraw", "redraw names an object twice; name each once")
    if not (task.furnish or task.redraw or task.with_parts):
        violations.add(at, "nothing is to be done; set furnish, redraw or with_parts")
    if not task.furnish and not count:
        violations.add(f"{at}.layout", "the layout has no objects and furnish is not set; set it, or send objects")
    volume = default_volume(taxonomy.name) if taxonomy else None
    if task.HasField("volume"):
        volume = check_volume(task.volume, f"{at}.volume", violations)
    if volume is not None:
        _check_upright(volume, f"{at}.volume", violations)


def check_start(
    task: job_pb2.GenerateScene, model: scene_service_pb2.ModelInfo | None, at: str, violations: Violations
) -> None:
    """Checks the layout that text to scene is to begin from."""
    if not task.HasField("layout"):
        return
    if task.HasField("grid"):
        violations.add(f"{at}.layout", "grid and layout are both given; omit one of them")
    if task.without_prior:
        violations.add(f"{at}.layout", "layout is given and without_prior is set; omit one of them")
    if task.taxonomy not in ("", task.layout.taxonomy):
        text = f"the layout's taxonomy is {task.layout.taxonomy[:50]!r} but the scene's is {task.taxonomy[:50]!r}"
        violations.add(f"{at}.layout.taxonomy", text)
    if check_layout(task.layout, f"{at}.layout", violations) and not (
        task.layout.objects or task.layout.HasField("room")
    ):
        violations.add(f"{at}.layout", "layout has neither a room nor objects; omit it")
    volume = (
        violations.attempt(f"{at}.volume", lambda: volume_from_message(task.volume))
        if task.HasField("volume")
        else None
    )
    if volume is not None:
        _check_upright(volume, f"{at}.volume", violations)


def check_layout(message: layout_pb2.Layout, at: str, violations: Violations) -> PlacedLayout | None:
    """The layout, if it is valid; of wrong objects, only the first `_MAX_REPORTED` are reported."""
    if len(message.objects) > MAX_OBJECTS:
        violations.add(f"{at}.objects", f"objects has {len(message.objects)} entries; the limit is {MAX_OBJECTS}")
        return None
    count = len(violations)
    taxonomy = TAXONOMIES.get(message.taxonomy)
    known = {entry.name for entry in taxonomy.classes[1:]} if taxonomy else set()
    for index, item in enumerate(message.objects):
        path = f"{at}.objects[{index}]"
        violations.attempt(path, lambda i=item, p=path: object_from_message(i, p))  # type: ignore[misc]
        if taxonomy and item.class_name not in known:
            text = f"class_name is {item.class_name[:50]!r}; {taxonomy.name} has {', '.join(sorted(known))}"
            violations.add(f"{path}.class_name", text)
        if len(violations) - count >= _MAX_REPORTED:
            break
    return violations.attempt(at, lambda: layout_from_message(message, at)) if len(violations) == count else None


def check_known(taxonomy: str, model: scene_service_pb2.ModelInfo | None, at: str, violations: Violations) -> None:
    """Checks that a model, if it is known yet, knows a taxonomy."""
    if model is not None and taxonomy in TAXONOMIES and taxonomy not in model.taxonomies:
        violations.add(at, unknown_domain(taxonomy, [model]))


def _check_upright(volume: GridVolume, at: str, violations: Violations) -> None:
    if not np.allclose(volume.world_from_grid[2, :3], (0.0, 0.0, 1.0), atol=1e-6):
        violations.add(at, "the volume leans; a layout needs one whose z axis is the world's: rotate it about z only")

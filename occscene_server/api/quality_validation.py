"""Checks of what a scene's quality asks for."""

from __future__ import annotations

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.violations import Violations

_NAMES = {
    number: name.removeprefix("SCENE_QUALITY_")
    for name, number in job_pb2.SceneQuality.items()
    if number != job_pb2.SCENE_QUALITY_UNSPECIFIED
}


def check_quality(
    task: job_pb2.GenerateScene, model: scene_service_pb2.ModelInfo | None, at: str, violations: Violations
) -> None:
    """Checks the quality: known, possible with this model, and with shapes where it draws nothing but shapes."""
    if task.quality and task.quality not in _NAMES:
        known = " or ".join(f"{name} ({number})" for number, name in _NAMES.items())
        violations.add(f"{at}.quality", f"quality is {task.quality}; it must be {known}, or absent for FULL")
    if task.quality != job_pb2.SCENE_QUALITY_DRAFT:
        return
    if model is not None and not model.drafts:
        text = f"quality is DRAFT, but the model {model.name} draws no drafts: it has no guided decoder"
        violations.add(f"{at}.quality", f"{text}; ask for FULL, or choose a model whose ModelInfo says `drafts`")
    if task.HasField("steps"):
        violations.add(f"{at}.steps", f"steps is {task.steps} and quality is DRAFT, which denoises nothing; omit steps")
    if task.HasField("grid") or task.HasField("layout"):
        return
    text = "quality is DRAFT and there is nothing to show: neither grid nor layout is given"
    if task.without_prior:
        violations.add(f"{at}.quality", f"{text}, and without_prior is set; send one of them, or omit without_prior")
    elif model is not None and not model.layout_prior:
        violations.add(f"{at}.quality", f"{text}, and the model has no layout prior; send one of them, or ask for FULL")

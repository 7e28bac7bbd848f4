"""Checks of the views that a scene begins at, and of those that stay."""

from __future__ import annotations

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.scene_validation import check_image
from occscene_server.api.violations import Violations


def check_start_views(
    task: job_pb2.GenerateScene, model: scene_service_pb2.ModelInfo | None, at: str, violations: Violations
) -> None:
    """Checks that the views are of cameras, whole, and all or none of those that do not stay; and their strength."""
    path, count = f"{at}.start_views", len(task.cameras)
    stays = [item.view for item in task.start_views if item.keep]
    if task.HasField("strength") and len(stays) == len(task.start_views):
        text = f"strength is {task.strength:g}, but no view is begun at; omit strength, or send start_views to begin at"
        violations.add(f"{at}.strength", text)
    if not task.start_views:
        return
    if model is not None and not model.start_views:
        text = f"the model {model.name} cannot begin at given views; omit start_views, or choose another model"
        violations.add(path, text)
    if task.quality == job_pb2.SCENE_QUALITY_DRAFT:
        violations.add(path, "start_views is given and quality is DRAFT, which denoises nothing; omit one of them")
    views = [item.view for item in task.start_views]
    if len(views) > count:
        violations.add(path, f"there are {len(views)} start views for {count} cameras; send at most one each")
        return  # nothing is decoded
    for index, item in enumerate(task.start_views):
        if item.view >= count:
            text = f"view is {item.view}; there are {count} cameras, numbered from 0"
            violations.add(f"{path}[{index}].view", text)
        elif item.view in views[:index]:
            violations.add(f"{path}[{index}].view", f"view {item.view} is given twice; send each view once")
        else:
            check_image(item.image, task.cameras[item.view], f"{path}[{index}].image", violations)
    if len(set(stays)) >= count > 0:
        violations.add(path, f"all {count} views stay; leave at least one to generate")
    missing = sorted(set(range(count)) - set(views))
    if missing and len(stays) < len(views):
        text = f"view {missing[0]} has no image, but others that do not stay have one; send one for each, or for none"
        violations.add(path, text)

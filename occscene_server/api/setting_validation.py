"""Checks of a task's settings against the limits that `Settings` gives."""

from __future__ import annotations

from occscene.settings import Settings
from occscene.v1 import job_pb2

from occscene_server.api.violations import Violations


def check_settings(task: job_pb2.GenerateScene | job_pb2.ComposeLayout, at: str, violations: Violations) -> None:
    """Checks the texts' lengths and the numbers' ranges of those settings that a task has."""
    for setting in Settings.listed():
        field = task.DESCRIPTOR.fields_by_name.get(setting.name)
        if field is None or field.enum_type is not None or (field.has_presence and not task.HasField(setting.name)):
            continue
        fault = setting.fault(getattr(task, setting.name))
        if fault:
            violations.add(f"{at}.{setting.name}", fault)

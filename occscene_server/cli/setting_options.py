"""Options of commands that are made from `Settings`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer
from occscene.settings import Setting, Settings

from occscene_server.option_groups import in_place_of, option

DEFAULTS = Settings()
"""What a command is declared with; its options have the same defaults."""


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for each of these settings, or for all, in place of its parameter `settings`."""
    chosen = [setting for setting in Settings.listed() if setting.name in names or not names]

    def build(**given: Any) -> Settings:
        return Settings(**{setting.name: _value(setting, given[setting.name]) for setting in chosen})

    return in_place_of("settings", [_option(setting) for setting in chosen], build)


def _option(setting: Setting) -> inspect.Parameter:
    """The parameter that typer makes an option of."""
    flags = [f"--{name.replace('_', '-')}" for name in (setting.name, setting.former_name) if name]
    details: dict[str, Any] = {"help": f"{setting.help}."}
    default = setting.default
    kind: Any = setting.type | None if setting.is_optional else setting.type
    if setting.choices:
        kind = Literal[tuple(choice.lower() for choice, _, _ in setting.choices)]
        details["case_sensitive"] = False
        default = default.lower()
    elif setting.type in (int, float):
        details |= {"min": setting.minimum, "max": setting.maximum}
    annotation = Annotated[kind, typer.Option(*flags, *filter(None, [setting.short_option]), **details)]
    return option(setting.name, annotation, default)


def _value(setting: Setting, given: Any) -> Any:
    return given.upper() if setting.choices else given

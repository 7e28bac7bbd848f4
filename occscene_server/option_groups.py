"""Options that several commands have are defined once: a command takes a group of them as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any


def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """The parameter that typer makes an option of; `annotation` is `Annotated[type, typer.Option(...)]`."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def in_place_of(
    parameter: str, options: Sequence[inspect.Parameter], build: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command options in place of one of its parameters, which it gets as what `build` makes of their values.

    The decorated command takes keywords only.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        signature = inspect.signature(command, eval_str=True)
        for own in signature.parameters.values():
            parameters += options if own.name == parameter else [own.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        shown = signature.replace(parameters=parameters)

        @wraps(command)
        def run(**arguments: Any) -> None:
            given = shown.bind(**arguments)
            given.apply_defaults()
            values = given.arguments
            group = build(**{each.name: values.pop(each.name) for each in options})
            command(**{parameter: group}, **values)

        run.__signature__ = shown  # type: ignore[attr-defined]
        return run

    return decorate

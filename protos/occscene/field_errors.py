"""Errors that know which field they are about, so that nobody reads it out of their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class FieldError(ValueError):
    """A field is outside its limits; as text, its path and the problem.

    Args:
        field: path of the field from the checked value, for example `objects[2].size`.
        problem: what is wrong, what the limit is, what to do.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field} {self.problem}"


def within(parent: str, build: Callable[[], Value]) -> Value:
    """Runs `build`, which makes the value of the field `parent`.

    Raises:
        FieldError: that of `build`, with the path from where `parent` is a field.
    """
    try:
        return build()
    except FieldError as error:
        raise FieldError(f"{parent}.{error.field}", error.problem) from error

"""What is wrong with a request, collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from occscene.field_errors import FieldError

Value = TypeVar("Value")


@dataclass(frozen=True)
class FieldViolation:
    """One invalid field of a request.

    Args:
        field: path from the request's root, for example `generate_scene.cameras[2].fx`.
        description: what is wrong, what the limit is, what to do.
    """

    field: str
    description: str


class GivenUpError(Exception):
    """The caller no longer waits for the result of the check."""


class Violations(list[FieldViolation]):
    """Collects violations.

    Args:
        given_up: whether the caller no longer waits for them.
    """

    def __init__(self, given_up: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._given_up = given_up

    def go_on(self) -> None:
        """Call this regularly.

        Raises:
            GivenUpError: the check is to end.
        """
        if self._given_up():
            raise GivenUpError

    def add(self, field: str, description: str) -> None:
        """Adds one."""
        self.append(FieldViolation(field, description))

    def attempt(self, field: str, build: Callable[[], Value]) -> Value | None:
        """Runs `build`; its FieldError becomes a violation of the field that it names, another ValueError of `field`.

        What raises FieldErrors must know its path from the request's root.
        """
        self.go_on()
        try:
            return build()
        except FieldError as error:
            self.add(error.field, str(error))
        except ValueError as error:
            self.add(field, str(error).removeprefix(f"{field}: "))
        return None

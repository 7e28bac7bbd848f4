"""What the commands share: how user errors look."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer
from occscene.client.errors import SceneError

from occscene_server.terminal import complain
from occscene_server.terminal import console as console


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Prints what is wrong with the user's input, or what a server answered, and ends with status 1."""
    try:
        yield
    except (ValueError, OSError, SceneError) as error:
        complain(str(error))
        raise typer.Exit(1) from error

"""Where a command's options come from: the command line, then OCCSCENE_* variables, then a TOML file.

The options of the command are the one list of what can be set; the file's keys are their names.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

FROM_ENVIRONMENT: dict[str, Any] = {"auto_envvar_prefix": "OCCSCENE"}
"""Context settings of a command: `--tls-key` may also be given as OCCSCENE_TLS_KEY."""


class ConfigurableCommand(TyperCommand):
    """A command whose errors name the source of a wrong value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the options.

        Raises:
            typer.BadParameter: a value is wrong; the message names the option, the variable or the file's key.
        """
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if error.param is None or error.param.name is None:
                raise
            name = error.param.name
            source = getattr(ctx.get_parameter_source(name), "name", "")
            if source == "ENVIRONMENT":
                variable = f"OCCSCENE_{name.upper()}"
                error.param_hint = f"'{variable}' in the environment, which is {os.environ[variable]!r}"
            elif source == "DEFAULT_MAP":
                error.param_hint = f"'{name}' in {ctx.params['config']}, which is {ctx.default_map[name]!r}"
            raise


def _read(ctx: typer.Context, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:  # a TOMLDecodeError is a ValueError
        raise typer.BadParameter(f"{path} cannot be read: {error}") from error
    params = {str(param.name): param for param in ctx.command.params if param.name not in ("config", "help")}
    names = list(params)
    ctx.default_map = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            way_out = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(names)}"
            raise typer.BadParameter(f"{path} has the unknown key {key!r}; {way_out}")
        if getattr(params[name], "multiple", False):
            texts = value if isinstance(value, list) else [value]
            if not all(isinstance(text, str) for text in texts):
                raise typer.BadParameter(f"{key!r} in {path} must be a string or a list of strings")
            ctx.default_map[name] = texts
            continue
        if not isinstance(value, str | int | float):
            text = f"{key!r} in {path} is {type(value).__name__}; it must be a string, a number, true or false"
            raise typer.BadParameter(text)
        ctx.default_map[name] = str(value).lower() if isinstance(value, bool) else str(value)  # as on a command line
    return path


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        is_eager=True,
        callback=_read,
        help="TOML file with any of these options, for example: port = 50052. The command line and the environment "
        "come first.",
    ),
]

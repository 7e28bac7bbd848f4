"""The command `occscene-server`. Each command's module is imported when it is called, so that help is quick."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from occscene_server.terminal import INTERRUPTED, errors

_COMMANDS = {
    "serve": ("occscene_server.cli.serve:serve_app", "Run the server that Blender talks to."),
    "generate": ("occscene_server.cli.generate:generate", "Blockout or text to views and an occupancy."),
    "layout": ("occscene_server.cli.layout:layout", "Words to a room of named boxes."),
    "predict": ("occscene_server.cli.generate:predict", "Posed images to an occupancy."),
    "models": (
        "occscene_server.cli.models:models_app",
        "List and fetch Stable Diffusion checkpoints and ControlNets.",
    ),
    "maps": ("occscene_server.cli.maps:maps", "Blockout to depth, normal and segmentation maps for ControlNets."),
    "info": ("occscene_server.cli.jobs:info", "What a running server runs and accepts."),
    "jobs": (
        "occscene_server.cli.jobs:jobs_app",
        "List, show, fetch, cancel and delete jobs of a running server.",
    ),
    "studio": ("occscene_server.studio.cli:studio_app", "Render synthetic scenes for training."),
    "train": ("occscene_server.training.cli:train_app", "Train the networks."),
    "evaluate": ("occscene_server.evaluation.cli:evaluate_app", "Score a model."),
    "benchmark": ("occscene_server.evaluation.speed_cli:benchmark", "How fast this machine does the main job."),
}


class _LazyGroup(TyperGroup):
    """Knows its commands by the place where they are written."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands whose modules are installed."""
        return [name for name, (place, _) in _COMMANDS.items() if importlib.util.find_spec(place.split(":")[0])]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Imports a command; while they are listed, a name and a line of help do."""
        if cmd_name not in _COMMANDS:
            return None
        place, line = _COMMANDS[cmd_name]
        if self._listing:
            return TyperCommand(cmd_name, help=line)
        module, attribute = place.split(":")
        target = getattr(importlib.import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            single = typer.Typer(pretty_exceptions_enable=False)
            single.command(cmd_name)(target)
            target = single
        command = typer.main.get_command(target)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; Ctrl-C ends it with a line that says so and the status of a process which it ended."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            errors.say(str(interrupt) or "interrupted")
            raise typer.Exit(INTERRUPTED) from interrupt

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help without importing the commands."""
        self._listing = True
        super().format_help(ctx, formatter)


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="OccScene: from a blockout to textured views and a finer occupancy.",
)


@app.callback()
def _root() -> None:
    """OccScene: from a blockout to textured views and a finer occupancy."""


def main() -> None:
    """Runs the command line."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it would log, the commands say themselves
    app()

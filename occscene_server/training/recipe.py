"""A recipe: a TOML file of the data sets and the stages, in order, that some weights come from.

    [data.rooms]
    command = "studio render"
    scenes = "0:1141"

    [stage.autoencoder]
    command = "train autoencoder"
    data = "rooms"
    steps = 6400

    [stage.regression-prior]
    command = "train regression-prior"
    data = "rooms"
    vae = "autoencoder"
    minutes = 53
    note = "on two cores"

The keys are options of the command. One that takes a data set has the name of one, one that takes weights the name of
an earlier stage that writes them, or "bundled/compact-indoor/vae" for weights that come with the package. `minutes` and
`note` say how it went and change nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from occscene_server.data.seeds import seed_range
from occscene_server.training.arguments import MadeBy, Weights, Writes
from occscene_server.weights import default_model

Value = str | int | float | bool
DATA_COMMANDS = ("studio render", "studio layouts")
STAGE_GROUPS = ("train", "evaluate")
OF_THE_MACHINE = ("output", "max_minutes", "device", "workers")
"""Options that are no part of a recipe: they decide where and how fast it runs."""
BUNDLED = "bundled/"
"""Begins the names of weights that come with the package."""
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]*")


class RecipeError(ValueError):
    """A recipe that cannot be run, and what to do about it."""


@dataclass(frozen=True)
class Command:
    """A command of `occscene-server` as its signature has it.

    Args:
        name: for example "train regression-prior".
        command: the command line's.
        marks: by option, what a recipe must know of it.
    """

    name: str
    command: Any
    marks: Mapping[str, MadeBy | Weights | Writes]

    @classmethod
    def find(cls, root: Any, name: str) -> Command | None:
        """The command of that name below the command line's root; None if there is none."""
        command = root
        for word in name.split(" "):
            command = command.get_command(None, word) if hasattr(command, "get_command") else None
            if command is None:
                return None
        if not (callback := getattr(command, "callback", None)) or hasattr(command, "commands"):
            return None
        marks = {
            option: mark
            for option, hint in get_type_hints(callback, include_extras=True).items()
            for mark in get_args(hint)
            if isinstance(mark, MadeBy | Weights | Writes)
        }
        return cls(name, command, marks)

    @property
    def writes(self) -> Writes | None:
        """What it leaves in its output folder; None where it is no stage."""
        mark = self.marks.get("output")
        return mark if isinstance(mark, Writes) else None

    @property
    def options(self) -> dict[str, Any]:
        """The command line's options by name."""
        return {option.name: option for option in self.command.params if option.name != "help"}

    def arguments(self, values: Mapping[str, Value | Path]) -> list[str]:
        """The words of the command line that set some options."""
        words = []
        for name, value in values.items():
            option = self.options[name]
            if option.is_flag:
                words += (option.opts if value else option.secondary_opts)[:1]
            else:
                words += [option.opts[0], str(value)]
        return words


@dataclass(frozen=True)
class Entry:
    """A data set or a stage.

    Args:
        name: unique among its likes, and the name of its folder.
        command: makes it.
        values: of the command's options, as written.
        inputs: the data sets and stages that are named among `values`, by option.
        minutes: that it took; None if not written down.
        note: what the options do not say.
    """

    name: str
    command: Command
    values: Mapping[str, Value]
    inputs: Mapping[str, Entry]
    minutes: float | None = None
    note: str = ""

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage, not a data set."""
        return self.command.writes is not None

    @property
    def seeds(self) -> range:
        """Of the scenes of a data set."""
        return seed_range(str(self.values.get("scenes", self.command.options["scenes"].default)))

    def folder(self, output: Path, data: Path) -> Path:
        """Where it is, stages below `output` and data sets below `data`."""
        return (output if self.is_stage else data) / self.name

    def arguments(self, output: Path, data: Path, device: str = "cpu") -> list[str]:
        """The words that follow `occscene-server`."""
        values: dict[str, Value | Path] = {
            option: bundled_folder(value) if is_bundled(value) else value for option, value in self.values.items()
        }
        for option, source in self.inputs.items():
            folder, mark = source.folder(output, data), self.command.marks[option]
            if isinstance(mark, Weights) and source.command.writes is not None:
                folder = source.command.writes.folder(folder, mark.part)
            values[option] = folder
        values["output"] = self.folder(output, data)
        if "device" in self.command.options and device != "cpu":
            values["device"] = device
        return [*self.command.name.split(" "), *self.command.arguments(values)]


@dataclass(frozen=True)
class Recipe:
    """Data sets and stages by name, in the order of the file."""

    data: Mapping[str, Entry]
    stages: Mapping[str, Entry]


def read_recipe(path: Path, root: Any) -> Recipe:
    """Reads and checks a recipe.

    Args:
        path: of the TOML file.
        root: the command line `occscene-server`, whose commands the recipe names.

    Raises:
        RecipeError: it is no recipe, or one of its commands, options, values or inputs does not exist.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RecipeError(f"{path} is no TOML file: {error}") from error
    data: dict[str, Entry] = {}
    stages: dict[str, Entry] = {}
    for kind, entries in tables.items():
        if kind not in ("data", "stage") or not isinstance(entries, dict):
            raise RecipeError(f"{path} has a {kind!r}; a recipe has tables [data.NAME] and [stage.NAME] only")
    if not tables.get("stage"):
        raise RecipeError(f"{path} has no stage; write one as a table [stage.NAME]")
    for name, table in tables.get("data", {}).items():
        reader = _EntryReader(f"{path}, [data.{name}]", root, data, {})
        data[name] = reader.read(name, table, DATA_COMMANDS)
    for name, table in tables["stage"].items():
        reader = _EntryReader(f"{path}, [stage.{name}]", root, data, stages)
        stages[name] = reader.read(name, table, None)
    return Recipe(data, stages)


@dataclass(frozen=True)
class _EntryReader:
    """Reads one table.

    Args:
        where: begins each error.
        root: the command line.
        data, stages: what stands before the table.
    """

    where: str
    root: Any
    data: Mapping[str, Entry]
    stages: Mapping[str, Entry]

    def read(self, name: str, table: Any, allowed: tuple[str, ...] | None) -> Entry:
        if not isinstance(table, dict):
            raise RecipeError(f"{self.where} is {table!r}; it must be a table with a command and its options")
        if not _NAME.fullmatch(name):
            raise RecipeError(f"{self.where}: {name!r} names a folder; use letters, digits, '.', '_' and '-' only")
        values = dict(table)
        command = self._command(values.pop("command", None), allowed)
        minutes, note = values.pop("minutes", None), values.pop("note", "")
        if not isinstance(minutes, int | float | None) or not isinstance(note, str):
            raise RecipeError(f"{self.where}: minutes must be a number and note a text")
        known = [option for option in command.options if option not in OF_THE_MACHINE]
        for option, value in values.items():
            self._check_value(command, option, value, known)
        inputs = {
            option: self._input(option, value, mark)
            for option, value in values.items()
            if isinstance(mark := command.marks.get(option), MadeBy | Weights)
            and not self._comes_with(mark, option, value)
        }
        for option in known:
            if command.options[option].required and option not in values:
                raise RecipeError(f"{self.where} has no {option}, which `{command.name}` needs")
        entry = Entry(name, command, values, inputs, minutes, note)
        self._parse(entry)
        return entry

    def _command(self, name: Any, allowed: tuple[str, ...] | None) -> Command:
        if isinstance(name, str) and (allowed is None or name in allowed):
            command = Command.find(self.root, name)
            if command is not None and (allowed is not None or command.writes is not None):
                return command
        known = allowed or [command.name for command in stage_commands(self.root)]
        raise RecipeError(f"{self.where}: command = {name!r}; it must be one of {', '.join(known)}")

    def _check_value(self, command: Command, option: str, value: Any, known: list[str]) -> None:
        if option in OF_THE_MACHINE and option in command.options:
            raise RecipeError(f"{self.where}: {option} = {value!r}; {option} is no part of a recipe, omit it")
        if option not in known:
            raise RecipeError(
                f"{self.where}: {option} = {value!r}; `{command.name}` has no such option, only "
                f"{', '.join(sorted(known))}"
            )
        if not isinstance(value, str | int | float | bool):
            raise RecipeError(f"{self.where}: {option} = {value!r}; it must be a text, a number, true or false")
        if command.options[option].is_flag != isinstance(value, bool):
            wanted = "true or false" if command.options[option].is_flag else "a text or a number"
            raise RecipeError(f"{self.where}: {option} = {str(value).lower()}; it must be {wanted}")

    def _comes_with(self, mark: MadeBy | Weights, option: str, value: Any) -> bool:
        """Whether a value names bundled weights, which must be there."""
        if isinstance(mark, MadeBy) or not is_bundled(value):
            return False
        if not bundled_folder(value).is_dir():
            raise RecipeError(f"{self.where}: {option} = {value!r}; there are no such weights in {bundled_folder('')}")
        return True

    def _input(self, option: str, value: Any, mark: MadeBy | Weights) -> Entry:
        if isinstance(mark, MadeBy):
            likes = {name: entry for name, entry in self.data.items() if entry.command.name == mark.command}
            wanted = f"the name of a data set of `{mark.command}`"
        else:
            likes = {
                name: entry
                for name, entry in self.stages.items()
                if entry.command.writes is not None and mark.part in entry.command.writes.parts
            }
            wanted = f"the name of an earlier stage that writes {mark.part}"
        if value not in likes:
            raise RecipeError(f"{self.where}: {option} = {value!r}; it must be {wanted}: {', '.join(likes) or 'none'}")
        return likes[value]

    def _parse(self, entry: Entry) -> None:
        """Lets the command line itself check the values."""
        words = entry.arguments(Path(), Path())[len(entry.command.name.split(" ")) :]
        try:
            entry.command.command.make_context(entry.command.name, words)
        except typer.BadParameter as error:
            option = str(getattr(error.param, "name", ""))
            raise RecipeError(f"{self.where}: {option} = {entry.values.get(option)!r}; {error.message}") from error
        if not entry.is_stage:
            try:
                _ = entry.seeds
            except ValueError as error:
                raise RecipeError(f"{self.where}: scenes = {entry.values.get('scenes')!r}; {error}") from error


def is_bundled(value: Any) -> bool:
    """Whether an option's value names weights that come with the package, as "bundled/compact-indoor/vae"."""
    return isinstance(value, str) and value.startswith(BUNDLED)


def bundled_folder(value: Any) -> Path:
    """The folder of weights that `is_bundled`."""
    return default_model().parent / str(value).removeprefix(BUNDLED)


def stage_commands(root: Any) -> list[Command]:
    """All commands that are stages."""
    writers = [
        Command.find(root, f"{group} {name}")
        for group in STAGE_GROUPS
        for name in getattr(root.get_command(None, group), "commands", ())
    ]
    return [command for command in writers if command is not None and command.writes is not None]

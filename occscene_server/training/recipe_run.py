"""`occscene-server train recipe`: runs the stages of a recipe in order, or goes on where it was interrupted.

Each stage has a folder with a record of what it was made from. What is finished is skipped; what was interrupted
resumes from its checkpoint; what the recipe now wants otherwise is refused, never mixed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from occscene_server.data.dataset import list_scenes, scene_folder
from occscene_server.data.layouts import ROOMS_PER_FILE, layouts_file
from occscene_server.terminal import errors, say
from occscene_server.training import arguments as arg
from occscene_server.training.recipe import Entry, Recipe, RecipeError, read_recipe

RECORD = "recipe.json"


@dataclass(frozen=True)
class RecipeRun:
    """A recipe and where it runs.

    Args:
        recipe: as read.
        output: receives a folder for each stage.
        data: has a folder for each data set.
        device: "cpu" or "cuda".
        root: the command line.
    """

    recipe: Recipe
    output: Path
    data: Path
    device: str
    root: Any

    def command_line(self, entry: Entry) -> str:
        """What makes a data set or a stage, for a shell."""
        return shlex.join(["occscene-server", *entry.arguments(self.output, self.data, self.device)])

    def unfinished(self, only: str | None) -> list[Entry]:
        """The stages to run, in order.

        Args:
            only: the one stage that is wanted; None for all.

        Raises:
            RecipeError: there is no such stage, one before it is not finished, or a folder has another recipe's.
        """
        stages = self.recipe.stages
        if only is not None and only not in stages:
            raise RecipeError(f"--only is {only!r}; the stages are {', '.join(stages)}")
        wanted = list(stages.values()) if only is None else [stages[only]]
        if only is not None:
            for source in _stages_of(wanted[0]):
                if not self.is_finished(source):
                    raise RecipeError(
                        f"{only} takes the weights of {source.name}, which is not finished in {self.output}; run that "
                        f"first with --only {source.name}, or omit --only"
                    )
        return [stage for stage in wanted if not self.is_finished(stage)]

    def is_finished(self, stage: Entry) -> bool:
        """Whether a stage has been run to its end.

        Raises:
            RecipeError: its folder was begun with other options or inputs.
        """
        folder = stage.folder(self.output, self.data)
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        wanted = _made_from(stage)
        for part, now in wanted.items():
            then = record["made_from"].get(part)
            if then != now:
                raise RecipeError(
                    f"{folder} was begun with {_difference(part, then, now)}; remove the folder to train {stage.name} "
                    "anew, or give another --output"
                )
        return bool(record["finished"])

    def missing_data(self, stages: Iterable[Entry]) -> dict[str, str]:
        """What the data sets of some stages lack, by the data set's name.

        Raises:
            RecipeError: one has scenes that the recipe does not name, which would be trained on, too.
        """
        sets = {source.name: source for stage in stages for source in stage.inputs.values() if not source.is_stage}
        missing = {name: _missing(entry, entry.folder(self.output, self.data)) for name, entry in sets.items()}
        return {name: text for name, text in missing.items() if text}

    def run(self, stages: Sequence[Entry]) -> None:
        """Runs stages one after the other in this process."""
        for number, stage in enumerate(stages, 1):
            say(f"Stage {number} of {len(stages)}, {stage.name}: {self.command_line(stage)}")
            self._write_record(stage, finished=False)
            words = stage.arguments(self.output, self.data, self.device)[1:]
            group = self.root.get_command(None, stage.command.name.split(" ")[0])
            if code := group.main(words, prog_name="occscene-server", standalone_mode=False):
                raise typer.Exit(code)
            self._write_record(stage, finished=True)
            gc.collect()  # its scenes and networks, before the next stage reads its own

    def _write_record(self, stage: Entry, finished: bool) -> None:
        folder = stage.folder(self.output, self.data)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{RECORD}.partial"
        record = {"finished": finished, "made_from": _made_from(stage)}
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(folder / RECORD)


def recipe(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="TOML file with the data sets and the stages.")],
    output: Annotated[Path, typer.Option(help="Folder that receives a folder for each stage.")],
    data: Annotated[Path, typer.Option(help="Folder that has a folder for each data set.")],
    only: Annotated[str | None, typer.Option(help="Run this stage only; those before it are finished.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands that would run.")] = False,
    device: arg.Device = "cpu",
) -> None:
    """Run or resume the stages of a recipe in order; finished ones are skipped."""
    root = ctx.find_root().command
    try:
        run = RecipeRun(read_recipe(file, root), output, data, device, root)
        stages = run.unfinished(only)
        missing = run.missing_data(stages)
        if dry_run:
            for entry in [*(run.recipe.data[name] for name in missing), *stages]:
                say(run.command_line(entry))
            return
        if missing:
            raise RecipeError(
                "\n".join(
                    f"{text}; make it with: {run.command_line(run.recipe.data[name])}" for name, text in missing.items()
                )
            )
    except RecipeError as error:
        errors.say(str(error))
        raise typer.Exit(2) from error
    run.run(stages)
    say(f"All is finished in {output}" if only is None else f"{only} is finished in {output / only}")


def _stages_of(entry: Entry) -> list[Entry]:
    return [source for source in entry.inputs.values() if source.is_stage]


def _made_from(entry: Entry) -> dict[str, Any]:
    """The command, the options, and of each input a digest of the same."""
    inputs = {
        option: hashlib.sha256(json.dumps(_made_from(source), sort_keys=True).encode()).hexdigest()[:16]
        for option, source in entry.inputs.items()
    }
    return {"command": entry.command.name, "options": dict(entry.values), "inputs": inputs}


def _difference(part: str, then: Any, now: Any) -> str:
    """The first difference, in words."""
    if not isinstance(now, dict) or not isinstance(then, dict):
        return f"{part} {then!r}, the recipe says {now!r}"
    name = next(key for key in [*now, *then] if then.get(key) != now.get(key))
    if part == "inputs":
        return f"another {name} than the recipe's"
    was, says = (f"{name} = {values[name]!r}" if name in values else f"no {name}" for values in (then, now))
    return f"{was}, the recipe says {says}"


def _missing(entry: Entry, folder: Path) -> str:
    """What a data set's folder lacks, in words; empty if nothing."""
    if entry.command.name == "studio layouts":
        wanted = {layouts_file(folder, seed) for seed in entry.seeds[::ROOMS_PER_FILE]}
        there, unit = set(folder.glob("layouts_*.npz")), f"files of {ROOMS_PER_FILE} rooms"
    else:
        wanted = {scene_folder(folder, seed) for seed in entry.seeds}
        there, unit = set(list_scenes(folder)), "scenes"
    if extra := sorted(path.name for path in there - wanted):
        raise RecipeError(
            f"{folder} has {len(extra)} {unit} that data set {entry.name} does not name, as {extra[0]}; use a "
            "folder of its own for each data set"
        )
    lacking = len(wanted - there)
    return f"data set {entry.name} lacks {lacking} of {len(wanted)} {unit} in {folder}" if lacking else ""

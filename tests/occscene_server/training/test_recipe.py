"""Recipes are checked against the commands' own signatures, and the shipped ones are what the cards say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

from occscene_server.cli.root import app
from occscene_server.training import arguments as arg
from occscene_server.training.recipe import Recipe, RecipeError, read_recipe, stage_commands
from occscene_server.weights import default_model

ROOT = typer.main.get_command(app)
RECIPES = Path(arg.__file__).parent / "recipes"
GOOD = """
[data.rooms]
command = "studio render"
scenes = "0:40"

[data.words]
command = "studio layouts"

[stage.eyes]
command = "train autoencoder"
data = "rooms"

[stage.base]
command = "train denoiser"
data = "rooms"
vae = "eyes"

[stage.sight]
command = "train perception"
data = "rooms"
steps = 10

[stage.both]
command = "train joint"
data = "rooms"
vae = "eyes"
denoiser = "base"
perception = "sight"
freeze_perception = true
"""


def read(folder: Path, text: str, root: object = ROOT) -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(text)
    return read_recipe(path, root)


def test_stages_feed_each_other_by_name(tmp_path: Path) -> None:
    both = read(tmp_path, GOOD).stages["both"]
    assert both.arguments(Path("o"), Path("d"), "cuda") == [
        *("train", "joint", "--data", "d/rooms", "--vae", "o/eyes/vae", "--denoiser", "o/base/denoiser"),
        *("--perception", "o/sight/perception", "--freeze-perception", "--output", "o/both", "--device", "cuda"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 10", "step = 10", ("[stage.sight]", "step = 10", "`train perception`", "pixel_steps", "keep")),
        ("steps = 10", "steps = 0", ("[stage.sight]", "steps = 0", "greater than or equal to 1")),
        ("steps = 10", "steps = 1.5", ("[stage.sight]", "steps = 1.5", "integer")),
        ("steps = 10", "steps = true", ("[stage.sight]", "steps = true", "a number")),
        ("steps = 10", "steps = [10]", ("[stage.sight]", "steps = [10]", "a number")),
        ("steps = 10", 'output = "/tmp"', ("output = '/tmp'", "no part of a recipe")),
        ("steps = 10", "max_minutes = 5", ("max_minutes = 5", "no part of a recipe")),
        ("steps = 10", 'minutes = "5"', ("minutes must be a number",)),
        ("freeze_perception = true", 'freeze_perception = "yes"', ("freeze_perception = yes", "true or false")),
        ('"train joint"', '"train joints"', ("[stage.both]", "'train joints'", "train joint,", "evaluate train")),
        ('"train joint"', '"train recipe"', ("'train recipe'", "must be one of")),
        ('"train joint"', '"train"', ("command = 'train'", "must be one of")),
        ('"train joint"', '"studio render"', ("'studio render'", "must be one of")),
        ('"train joint"', "3", ("command = 3", "must be one of")),
        ('command = "train joint"\n', "", ("command = None", "must be one of")),
        ('denoiser = "base"\n', "", ("[stage.both] has no denoiser", "`train joint`")),
        ('denoiser = "base"', 'denoiser = "sight"', ("denoiser = 'sight'", "that writes denoiser: base")),
        ('denoiser = "base"', 'denoiser = "both"', ("denoiser = 'both'", "earlier stage", "base")),
        ('denoiser = "base"', 'denoiser = "runs/base"', ("denoiser = 'runs/base'", "earlier stage", "base")),
        ('denoiser = "base"', 'denoiser = ["base"]', ("denoiser = ['base']",)),
        ('data = "rooms"\nsteps', 'data = "words"\nsteps', ("data = 'words'", "`studio render`: rooms")),
        ('scenes = "0:40"', 'scenes = "40"', ("[data.rooms]", "scenes = '40'", "FIRST:END")),
        ('scenes = "0:40"', "workers = 4", ("workers = 4", "no part of a recipe")),
        ('scenes = "0:40"', "image_size = 7", ("[data.rooms]", "image_size = 7", "greater than")),
        ('"studio layouts"', '"studio sheet"', ("[data.words]", "studio render, studio layouts")),
        ("[stage.both]", '[stage."../both"]', ("../both", "letters")),
        ("[stage.both]", "[stages.both]", ("'stages'", "[data.NAME] and [stage.NAME]")),
        ("[stage.both]", "[stage.both", ("no TOML file", "line")),
        ("[stage.both]", "[stage.sight]", ("no TOML file",)),
    ],
)
def test_one_clear_error(tmp_path: Path, old: str, new: str, said: tuple[str, ...]) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError) as error:
        read(tmp_path, GOOD.replace(old, new))
    assert "recipe.toml" in str(error.value)
    for part in said:
        assert part in str(error.value)


def test_files_that_are_no_recipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml", ROOT)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path, ROOT)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="no TOML file"):
        read_recipe(tmp_path / "bytes.toml", ROOT)
    for text in ("", GOOD.split("[stage")[0], "stage = 3", "[stage]\nx = 3"):
        with pytest.raises(RecipeError, match=r"recipe\.toml"):
            read(tmp_path, text)


def test_a_new_stage_and_its_options_need_no_second_list(tmp_path: Path) -> None:
    train, root = typer.Typer(), typer.Typer()

    def polish(
        output: Annotated[Path, arg.OUTPUT, arg.Writes(("shine",))],
        cloths: Annotated[int, typer.Option(max=3)] = 1,
        over: Annotated[Path | None, arg.INITIAL, arg.Weights("shine")] = None,
    ) -> None:
        """Polish."""

    train.command()(polish)
    train.command("dry")(lambda: None)
    root.add_typer(train, name="train")
    root.add_typer(typer.Typer(), name="evaluate")
    command = typer.main.get_command(root)
    text = '[stage.a]\ncommand = "train polish"\ncloths = 2\n[stage.b]\ncommand = "train polish"\nover = "a"\n'
    words = read(tmp_path, text, command).stages["b"].arguments(Path("o"), Path("d"))
    assert words == ["train", "polish", "--over", "o/a/shine", "--output", "o/b"]
    with pytest.raises(RecipeError, match=r"cloths = 4; .*less than or equal to 3"):
        read(tmp_path, text.replace("cloths = 2", "cloths = 4"), command)


def test_weights_that_come_with_the_package(tmp_path: Path) -> None:
    """They are named as such, and are there."""
    text = """
        [data.streets]
        command = "studio render"
        [stage.seeing]
        command = "train perception"
        data = "streets"
        initial = "bundled/compact-indoor/perception"
    """
    stage = read(tmp_path, text).stages["seeing"]
    assert list(stage.inputs) == ["data"]
    words = stage.arguments(Path("runs"), Path("data"))
    assert words[words.index("--initial") + 1] == str(default_model() / "perception")
    with pytest.raises(RecipeError, match="initial = 'bundled/compact-indoor/sight'; there are no such weights in"):
        read(tmp_path, text.replace("indoor/perception", "indoor/sight"))


def test_every_command_that_trains_is_a_stage() -> None:
    train = ROOT.get_command(None, "train")
    stages = {command.name for command in stage_commands(ROOT)}
    assert stages == {f"train {name}" for name in train.commands if name != "recipe"} | {"evaluate train"}
    for command in stage_commands(ROOT):
        for option in ("data", "vae", "denoiser", "perception", "initial", "model", "generator"):
            assert option not in command.options or option in command.marks, f"{command.name} --{option}"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_recipes_can_be_run(path: Path) -> None:
    recipe = read_recipe(path, ROOT)
    used = {source.name for stage in recipe.stages.values() for source in stage.inputs.values()}
    ends = [name for name in recipe.stages if name not in used]
    assert set(recipe.data) <= used
    assert (
        ends
        == {
            "compact-indoor": ["bundle", "evaluator"],
            "compact-outdoor": ["bundle", "evaluator"],
            "layout-indoor": ["second"],
            "layout-outdoor": ["layout"],
            "parts-indoor": ["parts"],
            "parts-outdoor": ["parts"],
        }[path.stem]
    )


@pytest.mark.weights
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_card_s_table_is_what_the_recipe_says(path: Path) -> None:
    card = (default_model().parent / path.stem / "README.md").read_text(encoding="utf-8")
    expected = table(read_recipe(path, ROOT))
    assert expected in card, f"the card's table must be\n{expected}"


def table(recipe: Recipe) -> str:
    rows = ["| stage | command | data | steps | batch | other options | minutes | note |", "|---" * 8 + "|"]
    for name, stage in recipe.stages.items():
        values = {key: f"{value:,}" if isinstance(value, int) else str(value) for key, value in stage.values.items()}
        first = [values.pop(key, "") for key in ("data", "steps", "batch")]
        minutes = "" if stage.minutes is None else f"{stage.minutes:g}"
        others = ", ".join(f"{key} {value}" for key, value in values.items())
        rows.append("| " + " | ".join((name, f"`{stage.command.name}`", *first, others, minutes, stage.note)) + " |")
    return "\n".join(rows) + "\n"

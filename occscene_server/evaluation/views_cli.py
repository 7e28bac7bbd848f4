"""`occscene-server evaluate generate`, `views` and `two-sample`: views are made once and scored often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.pipelines.checkpoint_arguments import USUAL, open_chosen, with_checkpoint
from occscene_server.terminal import say, track

DataOption = Annotated[list[Path], typer.Option(help="Folder of rendered scenes; may be given more than once.")]
GeneratedOption = Annotated[
    list[Path], typer.Option(help="Folder that `evaluate generate` filled; may be given more than once.")
]


@with_checkpoint()
def generate(
    model: Annotated[str, typer.Option(help="Model folder, hub id, checkpoint or preset.")],
    data: Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")],
    output: Annotated[Path, typer.Option(help="Folder that receives the scenes with generated views.")],
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="The first N scenes; all if omitted.")] = None,
    size: Annotated[
        int | None, typer.Option(min=64, max=1024, help="Pixels of the longer side; that of the data if omitted.")
    ] = None,
    hints: Annotated[bool, typer.Option(help="Give colour hints, or leave colours to the prompt.")] = True,
    prior: Annotated[bool, typer.Option(help="Show blockouts with parts in place of plain boxes.")] = True,
    seed: Annotated[int, typer.Option(help="Added to each scene's own.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    checkpoint: CheckpointOptions = USUAL,
) -> None:
    """Generate the views of a split's scenes and store them as scenes; what is already there is kept."""
    from occscene_server.data.dataset import scenes_of_split
    from occscene_server.evaluation.generated_views import store_generated_views
    from occscene_server.evaluation.scene_scores import Generation
    from occscene_server.pipelines.scene_priors import ScenePriors

    folders = scenes_of_split(data, split, limit)
    pipe = open_chosen(model, device, checkpoint)
    priors = ScenePriors.bundled(pipe.config.taxonomy) if prior else None
    stored = store_generated_views(pipe, folders, output, Generation(seed, hints=hints), priors, size)
    for _ in track(stored, "scenes", total=len(folders)):
        pass
    say(f"{len(folders)} scenes are in {output}")


def views(
    evaluator: Annotated[Path, typer.Option(help="Folder that `evaluate train` filled.")],
    data: DataOption,
    generated: GeneratedOption,
    output: Annotated[Path, typer.Option(help="File for the metrics, JSON.")],
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    prior: Annotated[bool, typer.Option(help="They were generated with parts in place of plain boxes.")] = True,
) -> None:
    """Score stored generated views, with the real renders of the same scenes for comparison."""
    from occscene_server.data.dataset import read_scene
    from occscene_server.evaluation.evaluator import Evaluator, read_whole_scene
    from occscene_server.evaluation.generated_views import pair_folders
    from occscene_server.evaluation.scene_scores import with_parts
    from occscene_server.evaluation.view_scores import ViewScores
    from occscene_server.pipelines.scene_priors import ScenePriors

    pairs = pair_folders(data, generated, split)
    scores = ViewScores(Evaluator.load(evaluator))
    priors = ScenePriors.bundled(read_scene(pairs[0][0]).blockout.taxonomy) if prior else None
    for real, folder in track(pairs, "scenes"):
        scene = read_whole_scene(real)
        scores.add(scene, read_scene(folder).views, with_parts(scene, scene.blockout, priors)[1])
    _write(output, scores.metrics())


def two_sample(
    data: DataOption,
    generated: GeneratedOption,
    output: Annotated[Path, typer.Option(help="File for the metrics, JSON.")],
    seed: Annotated[int, typer.Option(help="Random seed of the classifier's initialisation and data order.")] = 0,
) -> None:
    """Train a classifier on validation rooms to distinguish generated from real views, and apply it to test rooms.

    The result is valid only if two halves of the real views are distinguished no better than by chance, and
    clearly worse views nearly always.
    """
    from dataclasses import asdict

    from occscene_server.data.dataset import read_scene
    from occscene_server.evaluation.generated_views import pair_folders
    from occscene_server.metrics.two_sample import compare_real_halves, two_sample_test

    kinds = []
    for split in ("validation", "test"):
        pairs = pair_folders(data, generated, split)
        kinds.append([[read_scene(pair[kind]).views for pair in pairs] for kind in (0, 1)])
    sizes = {room.shape[1:] for split in kinds for rooms in split for room in rooms}
    if len(sizes) > 1:
        raise typer.BadParameter(f"--data and --generated have views of several sizes, {sorted(sizes)}; compare one")
    training, test = ((real, generated_views) for real, generated_views in kinds)
    metrics = {
        "training_rooms": len(training[0]),
        "generated": asdict(two_sample_test(training, test, seed)),
        "between_real_halves": asdict(compare_real_halves(training[0], test[0], seed)),
    }
    _write(output, metrics)


def _write(output: Path, metrics: dict[str, object]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    say(metrics)
    say(f"The metrics are in {output}")

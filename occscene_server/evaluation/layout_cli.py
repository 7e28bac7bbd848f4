"""`occscene-server evaluate layout`: rooms or streets sampled for held-out prompts, compared with the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from occscene_server.terminal import say, track

_FORMS = 4
_ALIKE_PROMPTS, _ALIKE_ROOMS = 6, 8
_SHOWN = 16


def layout(
    data: Annotated[Path, typer.Option(help="Folder that `occscene-server studio layouts` filled.")],
    output: Annotated[Path, typer.Option(help="Folder for layout.json and layout.png.")],
    model: Annotated[Path | None, typer.Option(help="Folder of the layout prior; the bundled one if omitted.")] = None,
    prompts: Annotated[int, typer.Option(min=1, help="Number of held-out prompts.")] = 200,
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    place_scale: Annotated[float, typer.Option(help="Guidance scale of the prompt on places; 1 is none.")] = 1.0,
    text_scale: Annotated[
        float, typer.Option(help="Guidance scale of the prompt on kinds and colours; 1 is none.")
    ] = 1.5,
    check_prompt: Annotated[
        bool, typer.Option(help="Enforce the objects that a rule-based reading of the prompt finds.")
    ] = True,
    nearest: Annotated[int, typer.Option(min=0, help="Number of training rooms to search for the nearest.")] = 1000,
    seed: Annotated[int, typer.Option(help="Added to each room's own.")] = 0,
) -> None:
    """Score sampled layouts: prompt agreement, collisions, doors, kinds, likelihood, nearest training rooms."""
    if split not in ("test", "validation", "train"):
        raise typer.BadParameter(f"--split is {split!r}; it must be test, validation or train")
    from occscene_server.data.layouts import layout_files
    from occscene_server.evaluation.layout_scores import (
        RoomIndex,
        kind_divergence,
        layout_scores,
        mean_likeness,
        surfaces_right,
    )
    from occscene_server.evaluation.layout_sheet import layout_sheet
    from occscene_server.models.layout_sampling import SamplingOptions
    from occscene_server.pipelines.text_to_layout import TextToLayout
    from occscene_server.training.layout_stage import held_out_nats, load_rooms
    from occscene_server.weights import bundled_layout_prior

    files = layout_files(data)
    model = model or bundled_layout_prior(files[0].taxonomy)
    if model is None:
        raise typer.BadParameter(f"no layout prior is bundled for {files[0].taxonomy} layouts; name one with --model")
    writer = TextToLayout.from_pretrained(model)
    held_out, known = load_rooms(files, (split, "train"), writer.prior.vocabulary)
    rows = range(min(prompts, len(held_out)))
    real = [held_out.layout(row) for row in rows]
    asked = [held_out.prompts(row)[row % _FORMS] for row in rows]
    options = SamplingOptions(text_scale=text_scale, place_scale=place_scale)
    drawn = [
        writer(prompt.text, seed + row, None, options, check_prompt)
        for row, prompt in track(list(enumerate(asked)), "layouts")
    ]
    metrics: dict[str, object] = {
        "prompts": len(rows),
        "drawn": layout_scores(drawn, asked),
        "real": layout_scores(real, asked),
        "surfaces_right": surfaces_right(real, drawn, asked),
        "kind_divergence": kind_divergence(real, drawn),
        "nats": held_out_nats(writer.prior, held_out, len(rows)),
        "nats_of_training_rooms": held_out_nats(writer.prior, known, len(rows))["nats"],
    }
    if nearest:
        index = RoomIndex([known.layout(row) for row in range(min(nearest, len(known)))])
        for name, layouts in (("drawn", drawn), ("real", real)):
            best = sorted(float(index.similarities(one).max()) for one in layouts)
            # the most alike one is luck, the ten most are less so
            metrics[f"nearest_training_room_{name}"] = {
                "mean": fmean(best),
                "mean_of_ten_most": fmean(best[-10:]),
                "most": best[-1],
            }
        alike = [
            mean_likeness([writer(asked[row].text, 1000 * i, None, options, check_prompt) for i in range(_ALIKE_ROOMS)])
            for row in track(rows[:_ALIKE_PROMPTS], "diversity")
        ]
        metrics["likeness_of_rooms_of_one_prompt"] = sum(alike) / len(alike)
        metrics["likeness_of_rooms_of_one_kind"] = mean_likeness(held_out.of_one_kind(_ALIKE_ROOMS * 2))
    output.mkdir(parents=True, exist_ok=True)
    (output / "layout.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    layout_sheet(drawn[:_SHOWN], [prompt.text for prompt in asked[:_SHOWN]]).save(output / "layout.png")
    say(metrics)
    say(f"Metrics in {output / 'layout.json'}, plans in {output / 'layout.png'}")

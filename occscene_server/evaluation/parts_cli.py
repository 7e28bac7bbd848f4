"""`occscene-server evaluate parts`: blockouts of held-out scenes with parts in place of boxes, against true grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from occscene_server.terminal import counted, say, track

_SHOWN = 40


def parts(
    data: Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")],
    layouts: Annotated[
        Path, typer.Option(help="Folder of `studio layouts`, from whose pieces the baseline retrieves.")
    ],
    output: Annotated[Path, typer.Option(help="Folder for parts.json and parts.png.")],
    model: Annotated[Path | None, typer.Option(help="Folder of the parts prior; the bundled one if omitted.")] = None,
    rooms: Annotated[int | None, typer.Option(min=1, help="Use only the first N test rooms.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of sampled versions of each room.")] = 3,
    draws: Annotated[int, typer.Option(min=2, help="Number of draws from which the most typical is also scored.")] = 8,
) -> None:
    """Score parts by mIoU against true grids, compared with the plain blockout and the nearest recorded pieces."""
    from occscene_server.data.dataset import scenes_of_split
    from occscene_server.data.layouts import layout_files
    from occscene_server.evaluation.part_retrieval import PieceLibrary
    from occscene_server.evaluation.parts_scores import parts_metrics, read_room, room_passes
    from occscene_server.evaluation.parts_sheet import parts_sheet
    from occscene_server.pipelines.blockout_parts import BlockoutParts
    from occscene_server.weights import bundled_parts_prior

    try:
        folders = scenes_of_split(data, "test", rooms)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--data") from error
    files = layout_files(layouts)
    model = model or bundled_parts_prior(files[0].taxonomy)
    if model is None:
        raise typer.BadParameter(f"no parts prior is bundled for {files[0].taxonomy} scenes; name one with --model")
    writer = BlockoutParts.from_pretrained(model)
    library = PieceLibrary(files)
    scored = [read_room(path) for path in track(folders, "rooms read", total=len(folders), transient=True)]
    with counted("rooms given parts", room_passes(scored, seeds)) as step:
        metrics, shown = parts_metrics(scored, writer, library, seeds, draws, step)
    output.mkdir(parents=True, exist_ok=True)
    (output / "parts.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    objects = [obj for _, refined in shown for obj in refined.values()]
    parts_sheet(objects[:: max(1, len(objects) // _SHOWN)][:_SHOWN]).save(output / "parts.png")
    say(metrics)
    say(f"Metrics in {output / 'parts.json'}, pieces in {output / 'parts.png'}")

"""`occscene-server evaluate decoder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from occscene_server.terminal import say


def decoder(
    data: Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")],
    vae: Annotated[Path, typer.Option(help="The trained autoencoder's folder.")],
    weights: Annotated[Path, typer.Option(help="The guided decoder's folder.")],
    texts: Annotated[Path, typer.Option(help="Folder for token states, latents and parts of the rooms.")],
    parts: Annotated[Path | None, typer.Option(help="The parts prior's folder; the domain's if omitted.")] = None,
    rooms: Annotated[int, typer.Option(min=1, help="Rooms of the validation split.")] = 24,
) -> None:
    """Measure a guided decoder on validation rooms: gradient energy, L1, agreement of views, and of seeds."""
    import torch

    from occscene_server.evaluation.decoder_scores import draft_metrics
    from occscene_server.models.guided_decoder import GuidedDecoder
    from occscene_server.training.decoder_rooms import read_rooms
    from occscene_server.training.surface_kinds import NOTHING, SurfaceKinds

    network = GuidedDecoder.from_pretrained(weights).eval().to(memory_format=torch.channels_last)
    held_out = read_rooms(data, "validation", vae, parts, texts, SurfaceKinds([NOTHING]))
    metrics = draft_metrics(network, held_out, rooms)
    say({name: round(value, 3) for name, value in metrics.items()})

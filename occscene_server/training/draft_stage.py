"""`train drafts`, and reading drafts for the stages that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from occscene.taxonomy import INDOOR

from occscene_server.data.dataset import list_scenes, read_views
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.terminal import say
from occscene_server.training import arguments as arg
from occscene_server.training.denoiser_stage import channel_weights
from occscene_server.training.drafted_rooms import DraftedRooms
from occscene_server.training.drafts import SAMPLED, Drafter, room_files

DRAFTS_A_ROOM = 2


def drafts(
    data: arg.Data,
    output: Annotated[
        Path, typer.Option(help="Folder for the drafts, a file a room."), arg.Writes(("drafts",), below=False)
    ],
    vae: arg.Vae,
    decoder: Annotated[Path, typer.Option(help="The trained guided decoder's folder."), arg.Weights("decoder")],
    layouts: Annotated[int, typer.Option(min=0, help="Rooms that the layout prior draws, for the joint stage.")] = 0,
) -> None:
    """Draw the drafts that a denoiser is trained on; go on where the last call was stopped."""
    make_drafts(data, output, SceneAutoencoder.from_pretrained(vae), decoder, layouts)
    say(f"{len(list(output.glob('*_??????.npz')))} drafted rooms in {output}")


def make_drafts(data: Path, output: Path, vae: SceneAutoencoder, decoder: Path, layouts: int = 0) -> None:
    """Drafts all rooms below `data` that have no draft yet, and the requested number of sampled ones."""
    priors = ScenePriors.bundled(INDOOR.name)
    assert priors is not None
    drafter = Drafter(GuidedDecoder.from_pretrained(decoder), vae, priors, *load_minilm())
    drafter.make(data, output, DRAFTS_A_ROOM, layouts)


def drafted_rooms(
    data: Path, folder: Path, vae: SceneAutoencoder, decoder: Path, levels: int, device: str
) -> tuple[DraftedRooms, DraftedRooms]:
    """The rooms to train on and the held-out rooms; those without a draft are drafted first.

    Args:
        data: folder of rendered rooms.
        folder: of the drafts.
        vae: the autoencoder.
        decoder: the guided decoder's folder.
        levels: noise levels of each room in a training batch.
        device: where batches go.
    """
    make_drafts(data, folder, vae.cpu(), decoder)
    some = [read_views(path)[0] for path in list_scenes(data)[:4]]
    weights = channel_weights(vae.to(device), torch.from_numpy(np.stack(some)).to(device))

    def rooms(split: str, levels: int) -> DraftedRooms:
        return DraftedRooms(folder, split, len(INDOOR), weights, *load_minilm(), levels, device)

    return rooms("train", levels), rooms("validation", 1)


def sampled_rooms(folder: Path, like: DraftedRooms) -> DraftedRooms | None:
    """The rooms that the layout prior drew; None if there are none in the folder of drafts."""
    if not room_files(folder, "train", SAMPLED):
        return None
    return DraftedRooms(
        folder, "train", like.classes, like.channel_weights, *load_minilm(), like.levels, like.device, SAMPLED
    )

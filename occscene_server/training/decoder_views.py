"""Looking at a guided decoder: views of held-out rooms next to the rendered ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from occscene_server.geometry.pixel_values import bytes_from_images
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.precision import fast_autocast
from occscene_server.pipelines.sun_shading import sunlit
from occscene_server.training.decoder_crops import DecoderBatch, DecoderRoom, Source, gather, whole_view
from occscene_server.training.decoder_rooms import DecoderRooms


def draw(decoder: GuidedDecoder, batch: DecoderBatch) -> Tensor:
    """The views (N, 3, h, w) of a batch, about [-1, 1]."""
    views: Tensor = decoder(
        batch.features, batch.rows, batch.table, batch.latents, batch.level, batch.given, batch.materials
    )
    return sunlit(views.float(), batch.light)


@torch.no_grad()
def drawn_view(
    decoder: GuidedDecoder, rooms: DecoderRooms, room: DecoderRoom, view: int, source: Source
) -> tuple[Tensor, Tensor]:
    """A view of one of the rooms without latents, and as rendered: (3, h, w) each, in [-1, 1]."""
    crop = whole_view(room, view, source)
    batch = gather([room], [crop], rooms.book, rooms.classes, np.random.default_rng(0))
    with fast_autocast("cpu"):
        return draw(decoder, batch)[0].clamp(-1, 1), batch.views[0]


def gradient_energy(view: Tensor) -> float:
    """Mean of |dx| + |dy| of the gray view (3, h, w)."""
    gray = view.mean(0)
    return float(gray.diff(dim=0).abs().mean() + gray.diff(dim=1).abs().mean())


def held_out_scores(decoder: GuidedDecoder, rooms: DecoderRooms, count: int) -> dict[str, float]:
    """L1 and gradient energy over the rendered views', of one view of each of the first rooms, without latents."""
    metrics = {}
    shown = [rooms.room(index) for index in range(min(count, len(rooms)))]
    for source in _sources(rooms)[1:]:
        pairs = [drawn_view(decoder, rooms, room, index % 4, source) for index, room in enumerate(shown)]
        energy = [sum(gradient_energy(pair[which]) for pair in pairs) for which in (0, 1)]
        metrics[f"l1_{source}"] = sum(float((a - b).abs().mean()) for a, b in pairs) / len(pairs)
        metrics[f"energy_{source}"] = energy[0] / energy[1]
    return metrics


def _sources(rooms: DecoderRooms) -> tuple[Source, ...]:
    """What views are drawn from to be looked at."""
    return ("true", "boxes") if rooms.parts is None else ("true", "parts", "boxes")


def write_sheet(path: Path, decoder: GuidedDecoder, rooms: DecoderRooms, count: int) -> None:
    """An image of the first rooms: all views of each, as rendered, from true meshes, from parts if there is a prior of
    them, and from boxes."""
    rows = []
    for index in range(min(count, len(rooms))):
        room = rooms.room(index)
        views = range(len(room.views))
        rows.append([drawn_view(decoder, rooms, room, view, "true")[1] for view in views])
        rows += [[drawn_view(decoder, rooms, room, view, source)[0] for view in views] for source in _sources(rooms)]
    sheet = torch.cat([torch.cat(row, 2) for row in rows], 1)
    Image.fromarray(bytes_from_images(sheet).numpy()).save(path, quality=90)

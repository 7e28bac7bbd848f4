"""Metrics of a guided decoder's drafts on held-out rooms, against the rendered views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from occscene_server.geometry.pixel_values import images_from_bytes, linear_from_srgb
from occscene_server.metrics.images import delta_e, lab_from_linear, warp_error
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.precision import fast_autocast
from occscene_server.training.decoder_crops import DecoderRoom, Source, gather, whole_view
from occscene_server.training.decoder_rooms import DecoderRooms
from occscene_server.training.decoder_views import draw, gradient_energy

_SOURCES: Sequence[Source] = ("true", "parts", "boxes")
_OPEN = ("rug", "picture")
"""Objects whose pattern phrases leave open."""
_TOLERANCE = 0.05
"""Metres between what two views see of one surface."""


def draft_metrics(decoder: GuidedDecoder, rooms: DecoderRooms, count: int) -> dict[str, float]:
    """Means over all views of the first rooms.

    Returns:
        For each source of buffers "energy_", gradient energy over the rendered views'; "l1_", in sRGB of [-1, 1];
        "covisible_", the root mean square of delta E where two views see one place. "_latents" are with those of the
        rendered views. "seeds_", delta E between drafts of two seeds, of all that is seen and of some kinds of object.
    """
    energy, l1, seeds = (defaultdict[str, list[float]](list) for _ in range(3))
    seen = defaultdict[str, list[tuple[float, int]]](list)
    for index in range(min(count, len(rooms))):
        room = rooms.room(index)
        real = images_from_bytes(room.views)
        drawn = {name: _views(decoder, rooms, room, name) for name in _SOURCES}
        agreeing: list[tuple[str, Source, Tensor]] = [(name, name, drawn[name]) for name in _SOURCES]
        for name, source, views in [*agreeing, ("real", "true", real)]:
            depth = torch.cat([room.buffer(whole_view(room, view, source)).depth[0] for view in range(len(views))])
            seen[name].append(warp_error((views.movedim(1, -1) + 1) / 2, depth, room.cameras, _TOLERANCE)[1:])
        latents = _views(decoder, rooms, room, "parts", level=0.0)
        for name, views in (drawn | {"parts_latents": latents, "real": real}).items():
            energy[name].append(sum(gradient_energy(view) for view in views))
            l1[name].append(float((views - real).abs().mean()))
        apart = delta_e(_lab(drawn["parts"]), _lab(_views(decoder, rooms, room, "parts", seed=1)))
        seeds["all"].append(float(apart.mean()))
        shown = torch.stack([room.buffer(whole_view(room, view, "parts")).objects[0, 0] for view in range(len(real))])
        for kind in _OPEN:
            own = torch.isin(shown, torch.tensor([row for row, name in enumerate(room.names) if name == kind]))
            if own.any():
                seeds[kind].append(float(apart[own].mean()))
    every = sum(energy.pop("real"))
    return {
        **{f"energy_{name}": sum(values) / every for name, values in energy.items()},
        **{f"l1_{name}": float(np.mean(values)) for name, values in l1.items() if name != "real"},
        **{
            f"covisible_{name}": (sum(square for square, _ in pairs) / max(1, sum(n for _, n in pairs))) ** 0.5
            for name, pairs in seen.items()
        },
        **{f"seeds_{kind}": float(np.mean(values)) for kind, values in seeds.items()},
    }


@torch.no_grad()
def _views(
    decoder: GuidedDecoder,
    rooms: DecoderRooms,
    room: DecoderRoom,
    source: Source,
    level: float | None = None,
    seed: int = 0,
) -> Tensor:
    """(V, 3, h, w) all views of a room, in [-1, 1]."""
    crops = [replace(whole_view(room, view, source, level), seed=seed) for view in range(len(room.views))]
    batches = [gather([room], [crop], rooms.book, rooms.classes, np.random.default_rng(0)) for crop in crops]
    with fast_autocast("cpu"):
        return torch.cat([draw(decoder, batch) for batch in batches]).clamp(-1, 1)


def _lab(views: Tensor) -> Tensor:
    return lab_from_linear(linear_from_srgb((views.movedim(1, -1) + 1) / 2))

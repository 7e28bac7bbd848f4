"""A layout prior with random weights and rooms of the grammar as batches, both tiny."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from occscene.layout import Layout

from occscene_server.models.layout_prior import LayoutBatch, LayoutPrior
from occscene_server.models.layout_tokens import Vocabulary
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import room_layout
from occscene_server.training.layout_stage import batched

TEXT_DIM = 16


@cache
def room(seed: int) -> Layout:
    return room_layout(build_room(seed))


@cache
def vocabulary() -> Vocabulary:
    objects = [obj for seed in range(40) for obj in room(seed).objects]
    kinds = {obj.name: obj.class_name for obj in objects}
    rooms = [layout.room for layout in map(room, range(40)) if layout.room]
    surfaces = {""} | {word for own in rooms for word in (own.wall_color, own.floor_color)}
    return Vocabulary(
        tuple(kinds), tuple(kinds.values()), ("", *sorted({obj.color_word for obj in objects} - {""})),
        tuple(sorted(surfaces)), tuple(next(obj.size for obj in objects if obj.name == kind) for kind in kinds),
    )  # fmt: skip


def tiny_prior(seed: int = 0, objects: int = 12) -> LayoutPrior:
    """Random weights that draw small boxes, so that many fit, and try about `objects` of them before they stop."""
    words = vocabulary()
    torch.manual_seed(seed)
    prior = LayoutPrior(
        list(words.kinds), list(words.classes), list(words.colors), list(words.surfaces),
        [list(size) for size in words.sizes], 32, 1, 2, TEXT_DIM,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for name in ("width", "depth", "height"):
            bias = prior.object_heads.heads[name][-1].bias  # type: ignore[index]
            bias.copy_(torch.arange(len(bias)) * -0.1)
        prior.next_kind[-1].bias[-1] = math.log(len(words.kinds) / objects)
    return prior


def text_of(tokens: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(tokens, TEXT_DIM, generator=torch.Generator().manual_seed(seed))


def batch_of(layouts: list[Layout], given: list[int] | None = None, tokens: int = 5) -> LayoutBatch:
    words = vocabulary()
    drawn = []
    for layout, count in zip(layouts, given or [0] * len(layouts), strict=True):
        assert layout.room is not None
        names = [(words.kinds.index(obj.name), words.colors.index(obj.color_word)) for obj in layout.objects]
        surfaces = [words.surfaces.index(word) for word in (layout.room.wall_color, layout.room.floor_color)]
        boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects])
        drawn.append((np.array(layout.room.size), np.array(surfaces), np.array(names), boxes, count))
    text = torch.stack([text_of(tokens, seed) for seed in range(len(layouts))])
    return batched(drawn, text, torch.ones(len(layouts), tokens, dtype=torch.bool))

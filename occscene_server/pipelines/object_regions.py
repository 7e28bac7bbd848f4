"""Words of single objects: which pixels of which view are drawn from which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES
from torch import Tensor

from occscene_server.metrics.color_words import nearest_color_word
from occscene_server.models.clip_prompts import ClipPrompts, TextStates
from occscene_server.pipelines.guided_decoding import scene_words

MAX_REGIONS = 6
"""Objects with words of their own in a view: those that cover most of it."""
LEAST_SHARE = 0.01
"""Of a view that such an object covers."""


@dataclass(frozen=True, eq=False)
class RegionalWords:
    """Words of regions of V views, the same number in each.

    Args:
        states: (V, count * tokens, width) one region after the other; the first are the prompt's.
        regions: (V, h, w) int64 region of every latent.
        count: of regions.
        tokens: of each region.
    """

    states: Tensor
    regions: Tensor
    count: int
    tokens: int


def object_texts(prompt: str, grid: SemanticGrid) -> list[str]:
    """For each object of a grid's table what it is drawn from; "" for the prompt alone.

    An object has words of its own if the artist gave it some, or a color ("terracotta sofa"), if the prompt speaks of
    it ("a red sofa"), or if its name says more than its class.
    """
    words = scene_words(prompt, grid)
    classes = {entry.name for entry in TAXONOMIES[grid.taxonomy].classes}
    texts = []
    for item, name, phrase in zip(grid.objects, words.names, words.phrases, strict=True):
        own = phrase
        if not item.prompt and item.hint is not None:
            own = f"{nearest_color_word(torch.tensor(item.hint))} {name}"
        elif not phrase and name not in classes:
            own = name
        texts.append(f"{own}, {prompt}" if own and prompt else own)
    return texts


def view_regions(rows: Tensor, texts: Sequence[str], scale: int) -> tuple[Tensor, list[list[str]]]:
    """The regions of V views.

    Args:
        rows: (V, height, width) int64 row of the table of objects that each pixel sees, from 1; 0 is none.
        texts: of the table's rows.
        scale: pixels along a side of a latent.

    Returns:
        (V, h, w) int64 number of the region of each latent, 0 for the prompt's, and for each view the texts of its
        regions from 1 on, the largest first.
    """
    has_words = torch.tensor([False, *map(bool, texts)], device=rows.device)
    own = torch.where(has_words[rows], rows, 0)
    regions = own.new_zeros(len(rows), rows.shape[1] // scale, rows.shape[2] // scale)
    chosen = []
    for view, seen in enumerate(own):
        counts = torch.bincount(seen.flatten(), minlength=len(has_words))[1:]
        largest = counts.argsort(descending=True, stable=True)[:MAX_REGIONS]
        kept = [int(row) + 1 for row in largest if counts[row] >= LEAST_SHARE * seen.numel()]
        number = torch.zeros(len(has_words), dtype=torch.int64, device=rows.device)
        number[kept] = torch.arange(1, len(kept) + 1, device=rows.device)
        shares = F.avg_pool2d(F.one_hot(number[seen], len(kept) + 1).movedim(-1, 0).float(), scale)
        regions[view] = shares.argmax(0)
        chosen.append([texts[row - 1] for row in kept])
    return regions, chosen


def encode_words(
    prompts: ClipPrompts, prompt: str, negative_prompt: str, rows: Tensor, grid: SemanticGrid, scale: int
) -> tuple[TextStates, TextStates, RegionalWords | None]:
    """Encodes a prompt, a negative prompt and the words of objects.

    Args:
        prompts: the checkpoint's encoders.
        prompt, negative_prompt: of the scene.
        rows: as in `view_regions`.
        grid: whose table of objects the rows are.
        scale: pixels along a side of a latent.

    Returns:
        One row each, and the words of regions; None where no object that is seen has any.
    """
    regions, chosen = view_regions(rows, object_texts(prompt, grid), scale)
    texts = list(dict.fromkeys([prompt, *(text for own in chosen for text in own)]))
    encoded, negative = prompts.encode(texts, negative_prompt)
    count = 1 + max(map(len, chosen))
    if count == 1:
        return encoded.row(0), negative, None
    index = {text: place for place, text in enumerate(texts)}
    order = [[index[text] for text in [prompt, *own]] + [0] * (count - 1 - len(own)) for own in chosen]
    states = encoded.states[torch.tensor(order, device=encoded.states.device)]  # (V, count, tokens, width)
    words = RegionalWords(states.flatten(1, 2), regions, count, states.shape[2])
    return encoded.row(0), negative, words

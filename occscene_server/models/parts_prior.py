"""The parts prior: a transformer that makes an object of its parts, p(parts | kind, box, phrase), exact likelihood.

A sequence is `start`, which knows the object's kind, the size of its box and the mean state of its phrase, then one
token a part. From each the next part is drawn, number after number (`part_tokens.NUMBERS`), or the end. Objects are
drawn each by itself: nothing of the room is known, so equal boxes with equal seeds get equal parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from occscene_server.geometry.solids import Floats, Ints, Solids
from occscene_server.models.layout_tokens import Vocabulary
from occscene_server.models.object_fronts import ObjectFronts
from occscene_server.models.part_groups import ungrouped
from occscene_server.models.part_tokens import COLUMN, KINDS, MAX_PARTS, NUMBERS, UNITS, applies, decode_parts

_OCTAVES = 6
_KIND = COLUMN["kind"]


@dataclass(frozen=True, eq=False)
class PartsBatch:
    """N objects whose parts stand one after the other.

    Args:
        kind: (N,) row of the vocabulary.
        size: (N, 3) of the boxes, metres.
        phrase: (N, text_dim) mean token state; zeros for none.
        numbers: (P, 20) of all parts, as of `part_tokens`.
        count: (N,) parts of each object.
    """

    kind: Tensor
    size: Tensor
    phrase: Tensor
    numbers: Tensor
    count: Tensor


class PartsPrior(ModelMixin, ConfigMixin):
    """The network.

    Args:
        kinds, classes, sizes: of objects, as of `layout_tokens.Vocabulary`.
        materials: kinds of material.
        width: of the states.
        layers: of the transformer.
        heads: of its attention.
        text_dim: width of the phrase's state.
        taxonomy: of the classes; says the unit of lengths.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        kinds: list[str],
        classes: list[str],
        sizes: list[list[float]],
        materials: list[str],
        width: int = 128,
        layers: int = 3,
        heads: int = 4,
        text_dim: int = 384,
        taxonomy: str = "indoor",
    ) -> None:
        super().__init__()
        own_sizes = tuple((size[0], size[1], size[2]) for size in sizes)
        self.vocabulary = Vocabulary(tuple(kinds), tuple(classes), ("",), ("",), own_sizes, taxonomy)
        self.unit = UNITS[taxonomy]
        self.material_names = tuple(materials)
        self.fronts = ObjectFronts(len(kinds))
        self.stop = KINDS[taxonomy]
        values = NUMBERS | {"kind": self.stop + 1, "material": len(materials)}
        self.kind_table = nn.Embedding(len(kinds), width)
        self.measures = nn.Linear(3 * (2 + 2 * _OCTAVES), width)
        self.phrase_inlet = nn.Linear(text_dim, width)
        self.place_table = nn.Embedding(MAX_PARTS + 1, width)
        self.tables = nn.ModuleDict({name: nn.Embedding(count, width) for name, count in values.items()})
        self.number_heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, count))
                for name, count in values.items()
            }
        )
        self.inlet = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for table in self.modules():
            if isinstance(table, nn.Embedding):
                nn.init.normal_(table.weight, std=0.1)

    def start(self, kind: Tensor, size: Tensor, phrase: Tensor) -> Tensor:
        """States (N, width) before any part."""
        start: Tensor = self.kind_table(kind) + self.measures(_measures(size / self.unit)) + self.phrase_inlet(phrase)
        return start

    def embed(self, numbers: Tensor) -> Tensor:
        """Parts (..., 20) as (..., width); what does not apply to a part is left out."""
        total = sum(
            table(numbers[..., COLUMN[name]]) * applies(name, numbers)[..., None] for name, table in self.tables.items()
        )
        part: Tensor = total + self.inlet(total)
        return part

    def encode(self, x: Tensor, mask: Tensor) -> Tensor:
        """States of tokens (B, T, width) that look at those of mask (B, T, T)."""
        added = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)[:, None]
        for block in self.blocks:
            x = block(x, added)
        states: Tensor = self.norm(x)
        return states

    def log_likelihoods(self, batch: PartsBatch) -> dict[str, Tensor]:
        """Log-likelihood of each number of each part (P + N,), nats, the end of each object counted as a kind.

        Tokens of several objects share rows, so that nothing is padded: P + N tokens, of each object `start` first.
        """
        length = batch.count + 1
        owner = torch.repeat_interleave(torch.arange(len(length)), length)
        first = length.cumsum(0) - length
        place = torch.arange(int(length.sum())) - first[owner]
        is_part = place > 0
        start = self.start(batch.kind, batch.size, batch.phrase)
        tokens = start[owner] + self.place_table(place)
        tokens = tokens.index_add(0, is_part.nonzero()[:, 0], self.embed(batch.numbers).to(tokens.dtype))
        row, slot, rows, width = _packed(length.tolist(), MAX_PARTS + 1)
        index = torch.from_numpy(row)[owner] * width + torch.from_numpy(slot)[owner] + place
        x = tokens.new_zeros(rows * width, tokens.shape[1]).index_copy(0, index, tokens)
        whose = torch.full((rows * width,), -1).index_copy(0, index, owner).view(rows, width)
        past = torch.ones(width, width, dtype=torch.bool).tril()
        mask = (whose[:, :, None] == whose[:, None, :]) & past
        states = self.encode(x.view(rows, width, -1), mask).flatten(0, 1)[index]
        # what follows each token: the next part, or the end
        target = torch.zeros(len(owner), len(NUMBERS), dtype=torch.long)
        target[:, _KIND] = self.stop
        target[is_part.roll(-1, 0).logical_and(owner == owner.roll(-1, 0))] = batch.numbers
        result = {}
        goes_on = target[:, _KIND] != self.stop
        for name, column in COLUMN.items():
            value = target[:, column]
            used = applies(name, target) & (goes_on if name != "kind" else True)
            rows_used = used.nonzero()[:, 0]
            logits = self.number_heads[name](states[rows_used]).float()
            chosen = -F.cross_entropy(logits, value[rows_used], reduction="none")
            result[name] = torch.zeros(len(owner)).index_copy(0, rows_used, chosen)
            states = states.index_add(0, rows_used, self.tables[name](value[rows_used]).to(states.dtype))
        return result

    @torch.no_grad()
    def draw(
        self,
        kind: Tensor,
        size: Tensor,
        phrase: Tensor,
        generators: Sequence[torch.Generator] | None,
        temperature: float = 0.9,
        nucleus: float = 0.95,
    ) -> list[Tensor]:
        """Parts (P, 20) of N objects.

        Args:
            kind, size, phrase: as of `PartsBatch`.
            generators: one for each object; None takes the likeliest value of each number.
            temperature, nucleus: of the draws; lengths and angles come from the likeliest `nucleus` of their values.
        """
        count = len(kind)
        x = self.start(kind, size, phrase)[:, None] + self.place_table.weight[:1]
        numbers = torch.zeros(count, 0, len(NUMBERS), dtype=torch.long)
        going = torch.ones(count, dtype=torch.bool)
        caches: list[Tensor | None] = [None] * len(self.blocks)
        new = x
        for place in range(MAX_PARTS):
            for i, block in enumerate(self.blocks):
                new, caches[i] = cast(_Block, block).step(new, caches[i])
            states = self.norm(new)[:, 0]
            part = torch.zeros(count, len(NUMBERS), dtype=torch.long)
            for name, column in COLUMN.items():
                used = applies(name, part) if name != "kind" else torch.ones(count, dtype=torch.bool)
                rows = (used & going).nonzero()[:, 0]
                if len(rows):
                    logits = self.number_heads[name](states[rows]).float()
                    if name == "kind" and place == 0:
                        logits[:, self.stop] = -torch.inf
                    value = _choose(logits, rows, generators, temperature, nucleus)
                    part[rows, column] = value
                    states = states.index_add(0, rows, self.tables[name](value))
                if name == "kind":
                    going &= part[:, _KIND] != self.stop
            if not going.any():
                break
            part[~going, _KIND] = self.stop
            numbers = torch.cat([numbers, part[:, None]], 1)
            shown = torch.where(going[:, None], part, 0)
            start = self.start(kind, size, phrase) + self.place_table.weight[place + 1]
            new = (start + self.embed(shown))[:, None]
        return [own[own[:, _KIND] != self.stop] for own in numbers]

    def solids(self, numbers: Tensor, size: Floats, seed: int) -> Solids:
        """All parts of one object, inside its box (3,); books of a shelf are drawn from the seed."""
        groups, symmetry = decode_parts(numbers.numpy(), self.material_names, size, self.unit)
        parts = ungrouped(groups, symmetry, np.random.default_rng(seed))
        return parts.inside(size).with_thin_walls().behind_walls()


class _Block(nn.Module):
    """Causal self-attention and feed-forward (squared ReLU); normalised before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.own, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forward_in, self.forward_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, width); the mask (B, 1, T, T) is 0 or minus infinity; padded rows come out as nothing useful."""
        query, key, value = self._split(self.own(self.norms[0](x)))
        return self._finish(x, query, key, value, mask)

    def step(self, x: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """One more token (B, 1, width), and the keys and values (2, B, heads, T, d) of all so far."""
        query, key, value = self._split(self.own(self.norms[0](x)))
        known = torch.stack([key, value])
        known = known if cache is None else torch.cat([cache, known], 3)
        return self._finish(x, query, known[0], known[1], None), known

    def _split(self, x: Tensor) -> list[Tensor]:
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in x.chunk(3, -1)]

    def _finish(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        weights = scores.softmax(-1).to(value.dtype)
        x = x + self.own_out((weights @ value).transpose(1, 2).flatten(2))
        return x + self.forward_out(F.relu(self.forward_in(self.norms[1](x))).square())


def _measures(size: Tensor) -> Tensor:
    """Features of box sizes (N, 3): plain, logarithm, waves."""
    octaves = 2.0 ** torch.arange(_OCTAVES, device=size.device)
    phase = (size[..., None] * octaves).flatten(-2)
    return torch.cat([size, size.log(), phase.sin(), phase.cos()], -1)


def _packed(lengths: list[int], width: int) -> tuple[Ints, Ints, int, int]:
    """Puts sequences into rows of equal width: row and first slot of each, number of rows, width."""
    row, slot, fills = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64), list[int]()
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        place = next((r for r, fill in enumerate(fills) if fill + lengths[i] <= width), len(fills))
        if place == len(fills):
            fills.append(0)
        row[i], slot[i] = place, fills[place]
        fills[place] += lengths[i]
    return row, slot, len(fills), max(fills)


def _choose(
    logits: Tensor, rows: Tensor, generators: Sequence[torch.Generator] | None, temperature: float, nucleus: float
) -> Tensor:
    """One value (R,) of each row of logits."""
    if generators is None:
        return logits.argmax(-1)
    ordered, index = (logits / temperature).softmax(-1).sort(-1, descending=True)
    kept = ordered.cumsum(-1) - ordered < nucleus
    reached = (ordered * kept).cumsum(-1)
    draws = torch.stack([torch.rand((), generator=generators[row]) for row in rows.tolist()])
    chosen = (reached < (draws * reached[:, -1])[:, None]).sum(-1)
    return index.gather(-1, chosen.clamp_max(logits.shape[-1] - 1)[:, None])[:, 0]

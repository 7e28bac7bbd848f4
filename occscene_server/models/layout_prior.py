"""The layout prior: a transformer that writes a room object by object, p(layout | prompt), with exact likelihood.

After ATISS (Paschalidou et al. 2021, arXiv 2110.03675), with the studio's own order in place of random ones and doors
and windows as objects. A sequence is `start`, `room`, then two tokens an object: its kind, then all of it. From `start`
the room's size and colours are drawn, from `room` and from every whole object the next kind or `stop`, and from a kind
the rest, number after number: colour, then those of `Ranges.geometry`. The prompt's token states are read by
cross-attention. Our addition: a kind is a token of its own, so that the net can look for "sofa" in the prompt
(`name_lookup`) and for the sofa in the room once it knows that a sofa or its table comes, and places are predicted
relative to what is there (`place_logits`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.layout_tokens import Vocabulary
from occscene_server.models.name_lookup import NameLookup, NameMatches
from occscene_server.models.place_logits import Boxes, PlaceHeads

_OCTAVES = 6


@dataclass(frozen=True, eq=False)
class LayoutBatch:
    """B layouts of at most N objects, padded at the end.

    Args:
        room: (B, 5) numbers as of `Ranges.scene`, then the words of walls and floor.
        room_size: (B, 3) of the frame, in units of `Ranges.unit` metres: indoors, metres.
        objects: (B, N, 9) kind, colour, then the numbers of `Ranges.geometry`; whatever where there is none.
        boxes: (B, N, 7) the boxes that the numbers stand for, in the same units, and radians.
        count: (B,) objects.
        given: (B,) of them, the first, that were there before and are not predicted.
        text: (B, S, text_dim) token states.
        text_mask: (B, S), True where there is a token; all False for no prompt.
    """

    room: Tensor
    room_size: Tensor
    objects: Tensor
    boxes: Tensor
    count: Tensor
    given: Tensor
    text: Tensor
    text_mask: Tensor


class LayoutPrior(ModelMixin, ConfigMixin):
    """The network.

    Args:
        kinds, classes, colors, surfaces, sizes: as of `Vocabulary`.
        width: of the states.
        layers: of the transformer.
        heads: of its attention.
        text_dim: width of the prompt's token states.
        taxonomy: of the classes; says the ranges of all numbers.
    """

    config_name = "config.json"
    is_opening: Tensor
    albedo: Tensor

    @register_to_config
    def __init__(
        self,
        kinds: list[str],
        classes: list[str],
        colors: list[str],
        surfaces: list[str],
        sizes: list[list[float]],
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        text_dim: int = 384,
        taxonomy: str = "indoor",
    ) -> None:
        super().__init__()
        own_sizes = tuple((size[0], size[1], size[2]) for size in sizes)
        words = tuple(kinds), tuple(classes), tuple(colors), tuple(surfaces)
        self.vocabulary = Vocabulary(*words, own_sizes, taxonomy)
        ranges = self.vocabulary.ranges
        self.stop = len(kinds)
        openings = torch.tensor([float(kind in ("door", "window")) for kind in kinds])
        self.register_buffer("is_opening", openings, persistent=False)
        self.register_buffer("albedo", torch.full((len(kinds), len(colors), 3), 0.5))
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.room_tables = nn.ModuleList(
            nn.Embedding(size, width) for size in (*ranges.scene.values(), len(surfaces), len(surfaces))
        )
        self.kind_table, self.color_table = nn.Embedding(len(kinds), width), nn.Embedding(len(colors), width)
        self.object_kind_table = nn.Embedding(len(kinds), width)
        self.turn_table = nn.Embedding(ranges.geometry["turn"], width)
        self.given_table = nn.Embedding(2, width)
        self.place_table = nn.Embedding(ranges.most, width)
        self.measures = nn.Linear(_measures_width(), width)
        self.text_inlet = nn.Sequential(nn.Linear(text_dim, width), nn.LayerNorm(width))
        self.no_text = nn.Parameter(torch.randn(width) * 0.02)
        # walls and floor are looked up too
        self.lookup = NameLookup(len(kinds) + 2, text_dim)
        self.said_of_kind, self.said_of_room = nn.Linear(text_dim, width), nn.Linear(2 * text_dim, width)
        self.said_color, self.said_surface = nn.Linear(text_dim, len(colors)), nn.Linear(text_dim, len(surfaces))
        self.color_gate, self.kind_gate = nn.Linear(width, 1), nn.Linear(width, 1)
        nn.init.zeros_(self.kind_gate.weight)
        nn.init.constant_(self.kind_gate.bias, 0.5)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        room_parts = {**ranges.scene, "wall_color": len(surfaces), "floor_color": len(surfaces)}
        self.room_heads = Chain(width, room_parts)
        self.next_kind = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, len(kinds) + 1))
        self.object_heads = Chain(width, {"color": len(colors), **ranges.geometry})
        self.places = PlaceHeads(width, ranges)
        self._look_up_names = [*kinds, *(("walls", "floor") if taxonomy == "indoor" else ("street", "season"))]
        for table in self.modules():
            if isinstance(table, nn.Embedding):
                nn.init.normal_(table.weight, std=0.02)

    def start_lookup(self, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Begins the lookup of names with the text encoder's own states of them."""
        self.lookup.start_from(self._look_up_names, encoder, tokenizer)

    def encode(self, batch: LayoutBatch, matches: NameMatches) -> Tensor:
        """States (B, 2 + 2N, width) of `start`, `room`, and the kind and the whole of each object."""
        objects, boxes = batch.objects, batch.boxes
        rows, count, _ = objects.shape
        kind = objects[..., 0]
        room = sum(table(batch.room[:, i]) for i, table in enumerate(self.room_tables))
        size = batch.room_size[:, None]
        wall = torch.cat([torch.zeros_like(size), size, torch.zeros_like(size[..., :1])], -1)
        room = room + self.measures(_measures(wall))[:, 0]
        place = self.place_table.weight[:count]
        given = (torch.arange(count, device=kind.device) < batch.given[:, None]).long()
        marked = place + self.given_table(given)
        whole = (
            self.object_kind_table(kind) + self.color_table(objects[..., 1]) + self.turn_table(objects[..., 2])
            + self.measures(_measures(boxes)) + marked
        )  # fmt: skip
        what = self.kind_table(kind) + marked + self.said_of_kind(_of_kinds(matches.states, kind))
        tokens = torch.stack([what, whole], 2).flatten(1, 2)
        start = self.start + self.said_of_room(matches.states[:, -2:].flatten(1))[:, None]
        x = torch.cat([start, room[:, None], tokens], 1)
        nothing = self.no_text.expand(rows, 1, -1)
        text = torch.cat([nothing, self.text_inlet(batch.text.to(x.dtype))], 1)
        readable = _added(F.pad(batch.text_mask, (1, 0), value=True))[:, None, None]
        past = _added(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril())
        for block in self.blocks:
            x = block(x, text, past, readable)
        states: Tensor = self.norm(x)
        return states

    def anchors(self, batch: LayoutBatch, states: Tensor) -> tuple[Tensor, Boxes]:
        """The references of places: states (B, 1 + N, width) and bounds of the room and of each object."""
        size = batch.room_size[:, None]
        room = torch.cat(
            [torch.zeros_like(size[..., :2]), size[..., 2:] / 2, size, torch.zeros_like(size[..., :1])], -1
        )
        opening = F.pad(self.is_opening[batch.objects[..., 0]], (1, 0))
        boxes = Boxes.of(torch.cat([room, batch.boxes], 1), opening)
        # the room contains what it holds; below its floor it is in nobody's way
        heights = boxes.heights.clone()
        heights[:, 0] = -1.0
        return states[:, 1::2], Boxes(boxes.edges, heights, opening)

    def log_likelihoods(self, batch: LayoutBatch) -> dict[str, Tensor]:
        """Log-likelihood of each part of each layout, nats.

        Returns:
            "room" (B,), "stop" (B,), "kind" (B, N) and each part of an object (B, N); 0 for what is given or not there.
        """
        matches = self.lookup(batch.text, batch.text_mask)
        states = self.encode(batch, matches)
        count = batch.objects.shape[1]
        index = torch.arange(count, device=states.device)
        own = (index < batch.count[:, None]) & (index >= batch.given[:, None])

        def surfaced(name: str, state: Tensor) -> Tensor | None:
            return self.surface_logits(name, matches)

        room = _chosen(self.room_heads.logits(states[:, 0], batch.room, surfaced), batch.room)
        result = {"room": torch.stack(list(room.values())).sum(0)}
        follow = torch.where(index < batch.count[:, None], batch.objects[..., 0], self.stop)
        follow = F.pad(follow, (0, 1), value=self.stop)
        kinds = _picked(self.kind_logits(states[:, 1::2], matches), follow)
        result["kind"] = kinds[:, :-1] * own
        result["stop"] = kinds.gather(1, batch.count[:, None])[:, 0]
        numbers = batch.objects[..., 1:]
        anchors, boxes = self.anchors(batch, states)
        earlier = torch.arange(1 + count, device=states.device)[None] <= index[:, None]
        mask = earlier[None].expand(len(states), -1, -1)

        said = _of_kinds(matches.states, batch.objects[..., 0])

        def placed(name: str, state: Tensor) -> Tensor | None:
            if name == "color":
                return self.color_logits(state, said)
            return self.place_logits(name, state, anchors, mask, boxes, batch.room_size, numbers[..., 1:])

        parts = _chosen(self.object_heads.logits(states[:, 2::2], numbers, placed), numbers)
        return result | {name: value * own for name, value in parts.items()}

    def kind_logits(self, state: Tensor, matches: NameMatches) -> Tensor:
        """Logits (B, T, kinds + 1) of the next kind, `stop` last: what the prompt names is likelier."""
        named = self.kind_gate(state).float() * matches.evidence[:, None, :-2]
        logits: Tensor = self.next_kind(state).float() + F.pad(named, (0, 1))
        return logits

    def color_logits(self, state: Tensor, said: Tensor) -> Tensor:
        """Logits that the words of an object (B, T, text_dim) add for its colour."""
        logits: Tensor = self.said_color(said).float() * self.color_gate(state).float().sigmoid()
        return logits

    def surface_logits(self, name: str, matches: NameMatches) -> Tensor | None:
        """Logits (B, words) that the words of walls and floor add for their colours."""
        row = {"wall_color": -2, "floor_color": -1}.get(name)
        return None if row is None else self.said_surface(matches.states[:, row]).float()

    def place_logits(
        self, name: str, state: Tensor, anchors: Tensor, mask: Tensor, boxes: Boxes, room: Tensor, numbers: Tensor
    ) -> Tensor | None:
        """Logits that geometry adds for a part; None for parts that are not a place."""
        if name not in ("back", "along"):
            return None
        head = self.places.back_logits if name == "back" else self.places.along_logits
        return head(state, anchors, mask, boxes, room, numbers)


class Chain(nn.Module):
    """Heads for several whole numbers, each conditioned on the numbers before it.

    Args:
        width: of the states.
        sizes: how many values each has, in order.
    """

    def __init__(self, width: int, sizes: dict[str, int]) -> None:
        super().__init__()
        self.names = list(sizes)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, size))
                for name, size in sizes.items()
            }
        )
        conditioning = self.names[:-1]
        self.tables = nn.ModuleDict({name: nn.Embedding(sizes[name], width) for name in conditioning})

    def head(self, name: str, state: Tensor) -> Tensor:
        """Logits of one number."""
        logits: Tensor = self.heads[name](state)
        return logits.float()

    def embed_number(self, name: str, state: Tensor, value: Tensor) -> Tensor:
        """The state once a number is known; nothing follows the last."""
        return state + self.tables[name](value) if name in self.tables else state

    def logits(self, state: Tensor, values: Tensor, more: Callable[[str, Tensor], Tensor | None]) -> dict[str, Tensor]:
        """Logits of every number (..., names) of `values`, each given those before it, `more` of them added."""
        result = {}
        for i, name in enumerate(self.names):
            result[name] = self.head(name, state)
            if (added := more(name, state)) is not None:
                result[name] = result[name] + added
            state = self.embed_number(name, state, values[..., i])
        return result


class Block(nn.Module):
    """Causal self-attention, cross-attention to the prompt, feed-forward (squared ReLU); normalised before each.

    Args:
        width: of the states.
        heads: of attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.asked, self.said, self.said_out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.forward_in, self.forward_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, text: Tensor, past: Tensor, readable: Tensor) -> Tensor:
        """(B, T, width) states and (B, S, width) text; the masks, (T, T) and (B, 1, 1, S), are 0 or minus infinity."""
        query, key, value = (self._split(part) for part in self.own(self.norms[0](x)).chunk(3, -1))
        x = x + self.own_out(_attention(query, key, value, past))
        query = self._split(self.asked(self.norms[1](x)))
        key, value = (self._split(part) for part in self.said(text).chunk(2, -1))
        x = x + self.said_out(_attention(query, key, value, readable))
        return x + self.forward_out(F.relu(self.forward_in(self.norms[2](x))).square())

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Attention (B, heads, T, d) to (B, T, heads * d); on a CPU torch's fused one is five times as slow backwards."""
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    weights = (scores + mask).softmax(-1).to(value.dtype)
    return (weights @ value).transpose(1, 2).flatten(2)


def _of_kinds(values: Tensor, kind: Tensor) -> Tensor:
    """Rows of (B, names, width) for kinds (B, N): (B, N, width)."""
    return values.gather(1, kind[..., None].expand(-1, -1, values.shape[-1]))


def _added(mask: Tensor) -> Tensor:
    """The additive mask of attention's scores: 0 where it may attend, else minus infinity."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)


def _picked(logits: Tensor, values: Tensor) -> Tensor:
    return -F.cross_entropy(logits.float().flatten(0, -2), values.flatten(), reduction="none").view(values.shape)


def _chosen(logits: dict[str, Tensor], values: Tensor) -> dict[str, Tensor]:
    return {name: _picked(part, values[..., i]) for i, (name, part) in enumerate(logits.items())}


def _measures_width() -> int:
    return 9 * (2 * _OCTAVES + 1) + 2


def _measures(boxes: Tensor) -> Tensor:
    """Fourier features of bounds and sizes in metres, and the turn: (B, N, 7) to (B, N, features)."""
    upright = Boxes.of(boxes, boxes[..., 0])
    lengths = torch.cat([upright.edges[:, :, :2].flatten(2), upright.heights, boxes[..., 3:6]], -1)
    frequencies = 2.0 ** torch.arange(_OCTAVES, device=boxes.device) * (2 * math.pi / 6.4)
    phase = lengths[..., None] * frequencies
    waves = torch.cat([phase.sin(), phase.cos(), lengths[..., None] / 2], -1).flatten(-2)
    turn = boxes[..., 6:]
    return torch.cat([waves, turn.cos(), turn.sin()], -1)

"""Logits of where an object stands, relative to the room and to the objects that are there already.

A plain output layer has to learn every distance once for each place of the room. Here a network predicts which
distances from which objects are likely, and the logits of the room's places follow by geometry (`Relative`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from occscene_server.models.layout_tokens import RANGES, STEP, TURNS, Ranges, candidates

SLACK = 0.02
"""Metres by which boxes may reach into each other."""
DOORWAY = 0.6
"""Metres in front of doors and windows that tend to stay free."""


class Boxes(NamedTuple):
    """Upright bounds of objects (B, J) as seen from each quarter turn, metres from the room's middle.

    Args:
        edges: (B, J, 4, 2) low and high along the axis "along" of quarter q; "towards" is that of quarter q + 1.
        heights: (B, J, 2) low and high.
        opening: (B, J) 1 for doors and windows.
    """

    edges: Tensor
    heights: Tensor
    opening: Tensor

    @staticmethod
    def of(boxes: Tensor, opening: Tensor) -> Boxes:
        """From (B, J, 7) middle, size and turn."""
        x, y, z, width, depth, height, turn = boxes.unbind(-1)
        cosine, sine = turn.cos().abs(), turn.sin().abs()
        half_x, half_y = (cosine * width + sine * depth) / 2, (sine * width + cosine * depth) / 2
        edges = [
            (x - half_x, x + half_x),
            (y - half_y, y + half_y),
            (-x - half_x, half_x - x),
            (-y - half_y, half_y - y),
        ]
        return Boxes(
            torch.stack([torch.stack(pair, -1) for pair in edges], -2),
            torch.stack([z - height / 2, z + height / 2], -1),
            opening,
        )


class Relative(nn.Module):
    """Logits of places as a sum of functions of the distance to edges of what is there.

    For heads h with attention a over objects j with edges e: sum over h, j of a_hj g_h(place - e_j), where g is a
    Fourier series whose coefficients a network gives. By the shift theorem the sum over j is one of phasors
    exp(-i f e_j), so it costs what attention costs.

    Args:
        width: of the states.
        places: meters that the values stand for.
        period: meters after which distances repeat.
        heads: number of pairs of g and a.
    """

    frequencies: Tensor
    waves: Tensor

    def __init__(self, width: int, places: Tensor, period: float = RANGES["indoor"].period, heads: int = 2) -> None:
        super().__init__()
        harmonics = torch.cat([torch.arange(1, 33), torch.arange(36, 121, 4)])
        self.register_buffer("frequencies", harmonics * (2 * math.pi / period), persistent=False)
        phase = places[:, None] * self.frequencies
        self.register_buffer("waves", torch.stack([phase.cos(), phase.sin()]), persistent=False)  # (2, K, F)
        self.heads, self.count = heads, len(harmonics)
        self.query, self.key = nn.Linear(width, 32 * heads), nn.Linear(width, 32 * heads)
        self.series = nn.Linear(width, heads * 2 * 2 * self.count)
        nn.init.normal_(self.series.weight, std=0.2 / math.sqrt(width))
        nn.init.zeros_(self.series.bias)

    def forward(self, states: Tensor, anchors: Tensor, mask: Tensor, edges: Tensor, quadrant: Tensor) -> Tensor:
        """Logits.

        Args:
            states: (B, T, width) of the objects to place.
            anchors: (B, J, width) of what is there.
            mask: (B, T, J), True where j may be attended to.
            edges: (B, J, 4, 2) metres, measured like the places, for each quadrant.
            quadrant: (B, T) of the objects to place.

        Returns:
            (B, T, K).
        """
        rows, steps, _ = states.shape
        query = self.query(states).unflatten(-1, (self.heads, 32))
        key = self.key(anchors).unflatten(-1, (self.heads, 32))
        scores = torch.einsum("bthd,bjhd->bhtj", query, key).float() / math.sqrt(32)
        weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        phase = edges[..., None] * self.frequencies
        phasors = torch.stack([phase.cos(), phase.sin()], -2).flatten(3).flatten(1, 2)  # (B, J * 4, 2 * 2 * F)
        # each row looks at the edges of its own quadrant only
        own = F.one_hot(quadrant, 4)[:, None, :, None]
        mean = (weights[..., None] * own).flatten(3).flatten(1, 2) @ phasors
        mean = mean.view(rows, self.heads, steps, 2, 2, self.count)
        series = self.series(states).float().view(rows, steps, self.heads, 2, 2, self.count).transpose(1, 2)
        a, b, c, s = series[..., 0, :], series[..., 1, :], mean[..., 0, :], mean[..., 1, :]
        even, odd = (a * c - b * s).sum((1, 3)), (a * s + b * c).sum((1, 3))  # (B, T, F)
        return even @ self.waves[0].T + odd @ self.waves[1].T


class PlaceHeads(nn.Module):
    """What `Relative` and plain facts add to the logits of "back" and "along".

    Args:
        width: of the states.
        ranges: of the places; in the network's own units, of which a metre of a room is one.
    """

    back_places: Tensor
    along_places: Tensor

    def __init__(self, width: int, ranges: Ranges) -> None:
        super().__init__()
        back, along = (torch.tensor(candidates(name, ranges), dtype=torch.float32) for name in ("back", "along"))
        self.register_buffer("back_places", back, persistent=False)
        self.register_buffer("along_places", along, persistent=False)
        self.back, self.along = Relative(width, back, ranges.period), Relative(width, along, ranges.period)
        self.gates = nn.Linear(width, 4)
        """How much a place is shunned: out of the room behind, out of it sideways, in an object, before an opening."""
        nn.init.zeros_(self.gates.weight)
        nn.init.constant_(self.gates.bias, 1.0)

    def back_logits(
        self, states: Tensor, anchors: Tensor, mask: Tensor, boxes: Boxes, room: Tensor, numbers: Tensor
    ) -> Tensor:
        """Logits (B, T, K) of the distance of an object's back to the wall behind it.

        Args:
            states, anchors, mask: as of `Relative`.
            boxes: of the anchors.
            room: (B, 3) metres.
            numbers: (B, T, 7) of `Ranges.geometry`, of which the first five are known.
        """
        quadrant, _, half = _halves(numbers)
        behind = torch.stack([room[:, 1], room[:, 0], room[:, 1], room[:, 0]], 1) / 2  # (B, 4)
        edges = boxes.edges.roll(-1, 2) + behind[:, None, :, None]
        logits = self.back(states, anchors, mask, edges, quadrant)
        length = 2 * behind.gather(1, quadrant)
        outside = self.back_places + 2 * half[..., None] > length[..., None] + SLACK
        return logits - 4 * F.softplus(self.gates(states)[..., :1]).float() * outside

    def along_logits(
        self, states: Tensor, anchors: Tensor, mask: Tensor, boxes: Boxes, room: Tensor, numbers: Tensor
    ) -> Tensor:
        """Logits (B, T, K) of the place along that wall; of `numbers` the first six are known."""
        quadrant, half_along, half = _halves(numbers)
        logits = self.along(states, anchors, mask, boxes.edges, quadrant)
        sides = torch.stack([room[:, 0], room[:, 1]], 1)
        wide, deep = sides.gather(1, quadrant % 2), sides.flip(1).gather(1, quadrant % 2)
        outside = self.along_places.abs() + half_along[..., None] > wide[..., None] / 2 + SLACK
        low = self.back_places[numbers[..., 5]] - deep / 2
        bottom = (numbers[..., 4] - 1) * STEP
        top = bottom + (numbers[..., 3] + 1) * STEP
        index = quadrant[:, :, None, None, None].expand(-1, -1, boxes.edges.shape[1], 1, 2)
        around = boxes.edges[:, None].expand(-1, states.shape[1], -1, -1, -1)
        along = around.gather(3, index)[..., 0, :]  # (B, T, J, 2)
        toward = around.gather(3, (index + 1) % 4)[..., 0, :]
        depth = boxes.opening[:, None, :] * DOORWAY

        def level(reach: Tensor | float) -> Tensor:
            return (
                mask
                & (toward[..., 0] - reach < (low + 2 * half)[..., None] - SLACK)
                & (low[..., None] < toward[..., 1] + reach - SLACK)
                & (boxes.heights[:, None, :, 0] < top[..., None] - SLACK)
                & (bottom[..., None] < boxes.heights[:, None, :, 1] - SLACK)
            )

        def hit(among: Tensor, reach: Tensor | float) -> Tensor:
            spare = half_along[..., None] - SLACK + reach
            first = torch.ceil((along[..., 0] - spare - self.along_places[0]) / STEP)
            last = torch.floor((along[..., 1] + spare - self.along_places[0]) / STEP) + 1
            # how many of them cover each place: +1 where one begins, -1 behind its end, summed up
            count = states.new_zeros(*among.shape[:2], len(self.along_places) + 1, dtype=torch.float32)
            for place, sign in ((first, 1.0), (torch.maximum(first, last), -1.0)):
                index = place.clamp(0, len(self.along_places)).long()
                count.scatter_add_(2, index, sign * among.float())
            return count.cumsum(-1)[..., :-1] > 0.5

        opening = boxes.opening[:, None, :].bool()
        inside, before = hit(level(0.0) & ~opening, 0.0), hit(level(depth) & opening, depth)
        gates = 4 * F.softplus(self.gates(states)[..., 1:]).float()
        return logits - gates[..., :1] * outside - gates[..., 1:2] * inside - gates[..., 2:] * before


def _halves(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Quadrants (B, T) of objects, and half of what their boxes take along and towards, metres."""
    turn = numbers[..., 0]
    quadrant = (turn + TURNS // 8) // (TURNS // 4) % 4
    angle = (turn - quadrant * (TURNS // 4)) * (2 * math.pi / TURNS)
    cosine, sine = angle.cos().abs(), angle.sin().abs()
    width, depth = (numbers[..., 1] + 1) * STEP, (numbers[..., 2] + 1) * STEP
    return quadrant, (cosine * width + sine * depth) / 2, (sine * width + cosine * depth) / 2

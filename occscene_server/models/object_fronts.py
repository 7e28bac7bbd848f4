"""Which side of a box is the front of an object: by its proportions, and by walls and tables around it.

Naive Bayes over counts of recorded rooms, p(front | x) proportional to prod_i p(x_i | kind, front): sofas are wider
than deep and have a wall behind them, dining chairs have a table before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from occscene_server.geometry.solids import Floats

_WALL, _TABLE = 0.3, 0.5
"""Metres within which a wall, or a table, counts as being at a side."""
_ADDED = 2.0
"""Counts added to each, so that what was never seen is not ruled out."""
FEATURES = 2


class ObjectFronts(nn.Module):
    """Counts for K kinds.

    Args:
        kinds: how many.
    """

    log_size: Tensor
    deviation: Tensor
    sides: Tensor

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.register_buffer("log_size", torch.zeros(kinds, 3))
        self.register_buffer("deviation", torch.ones(kinds, 3))
        # logarithms of the shares of objects that have, or have not, a wall or a table at each side from the front on
        self.register_buffer("sides", torch.zeros(kinds, 4, FEATURES, 2))

    def count(self, rooms: Sequence[tuple[NDArray[np.int64], Floats, NDArray[np.bool_], Floats]]) -> None:
        """Learns from rooms: kinds (N,), boxes (N, 7), which are tables (N,), inner size of the room (3,)."""
        counts = np.full((*self.sides.shape[:3], 2), _ADDED)
        sizes = np.concatenate([np.log(boxes[:, 3:6]) for _, boxes, _, _ in rooms])
        kinds = np.concatenate([own for own, _, _, _ in rooms])
        for own, boxes, tables, room in rooms:
            bounds = np.array([[-room[0], -room[1]], [room[0], room[1]]]) / 2
            seen = side_features(boxes, tables, bounds)
            for feature in range(FEATURES):
                for side in range(4):
                    np.add.at(counts[:, side, feature], (own, seen[:, side, feature].astype(np.int64)), 1)
        for kind in np.unique(kinds):
            own_sizes = sizes[kinds == kind]
            self.log_size[kind] = torch.from_numpy(own_sizes.mean(0)).float()
            self.deviation[kind] = torch.from_numpy(own_sizes.std(0)).float().clamp_min(0.05)
        self.sides.copy_(torch.from_numpy(np.log(counts / counts.sum(-1, keepdims=True))))

    def size_score(self, kind: int, size: Floats) -> float:
        """Log-likelihood of a box's size (3,), boxes of artists being a tenth off."""
        deviation = np.hypot(self.deviation[kind].double().numpy(), 0.12)
        offset = (np.log(size) - self.log_size[kind].double().numpy()) / deviation
        return float(-(offset**2).sum() / 2 - np.log(deviation).sum())

    def usual_sizes(self, kinds: Tensor, sizes: Floats) -> Floats:
        """Sizes (N, 3) brought within what objects of their kinds (N,) measure: who blocks out a television in a box
        as thin as its screen still gets one with a foot, stretched into it.
        """
        reach = np.exp(2 * self.deviation[kinds].double().numpy() + 0.1)
        usual = self.log_size[kinds].double().exp().numpy()
        return np.clip(sizes, usual / reach, usual * reach)

    def quarters(self, kinds: Sequence[int], boxes: Floats, tables: NDArray[np.bool_], bounds: Floats) -> list[int]:
        """By how many quarter turns each box (N, 7) has to be turned further so that its front faces +y of it.

        Args:
            kinds: rows; -1 is left as it is.
            boxes: middle, size, turn.
            tables: which boxes are tables.
            bounds: (2, 2) lowest and highest x and y of the room's inside.
        """
        seen = side_features(boxes, tables, bounds).astype(np.int64)
        log_shares = self.sides.double().numpy()
        result = []
        for row, kind in enumerate(kinds):
            if kind < 0:
                result.append(0)
                continue
            scores = []
            for quarter in range(4):
                size = boxes[row, [3, 4, 5]] if quarter % 2 == 0 else boxes[row, [4, 3, 5]]
                # after a quarter turn to the left what was at the left is in front
                around = np.roll(seen[row], -quarter, axis=0)
                score = self.size_score(kind, size)
                for side in range(4):
                    score += sum(log_shares[kind, side, f, around[side, f]] for f in range(FEATURES))
                scores.append(score)
            result.append(int(np.argmax(scores)))
        return result


def side_features(boxes: Floats, tables: NDArray[np.bool_], bounds: Floats) -> NDArray[np.bool_]:
    """Whether each box (N, 7) has a wall, or a table, at its front, left, back and right: (N, 4, 2)."""
    x, y, _, width, depth, _, turn = boxes.T
    result = np.zeros((len(boxes), 4, FEATURES), bool)
    reach = np.stack([np.abs(np.cos(turn)) * width + np.abs(np.sin(turn)) * depth,
                      np.abs(np.sin(turn)) * width + np.abs(np.cos(turn)) * depth], 1) / 2  # fmt: skip
    low, high = boxes[:, :2] - reach, boxes[:, :2] + reach
    for side in range(4):
        angle = turn + np.pi / 2 + side * np.pi / 2
        direction = np.stack([np.cos(angle), np.sin(angle)], 1)
        half = (depth if side % 2 == 0 else width) / 2
        face = np.stack([x, y], 1) + direction * half[:, None]
        gaps = np.where(direction > 0.7, bounds[1] - face, np.where(direction < -0.7, face - bounds[0], np.inf))
        result[:, side, 0] = gaps.min(1) < _WALL
        probe = face + direction * (_TABLE / 2)
        box_low, box_high = low[tables] - _TABLE / 2, high[tables] + _TABLE / 2
        near = ((probe[:, None] > box_low) & (probe[:, None] < box_high)).all(2)
        # a table is not at its own side
        near &= ~(np.arange(len(boxes))[:, None] == np.nonzero(tables)[0])
        result[:, side, 1] = near.any(1)
    return result

"""Kinds of surfaces that the discriminator tells apart: an object's name and, where phrases name it, its material.

With only the taxonomy's classes a picture would be as good as a lamp, and a plain wall as good as one of stone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from occscene_server.data.dataset import ItemFacts, SceneInfo

FINISHES = (
    "painted", "plaster", "damask", "striped", "stone", "concrete", "brick", "plank", "shoji", "parquet", "tiled",
    "checkered", "terrazzo", "tatami", "marble", "patterned", "woven", "checked", "knitted", "linen", "velvet",
    "leather",
)  # fmt: skip
NOTHING = "nothing"
LEAST_SHARE = 0.002
"""Of all that is seen, that a kind has of its own."""
_MOST_WEIGHT = 6.0


class SurfaceKinds:
    """The kinds of a set of scenes.

    Args:
        names: of the kinds, `NOTHING` first.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._rows = {name: row for row, name in enumerate(self.names)}

    @classmethod
    def of_scenes(cls, infos: Sequence[SceneInfo]) -> SurfaceKinds:
        """Kinds that are seen often enough; what is rarer counts by its name, or else by its class."""
        shares: defaultdict[str, float] = defaultdict(float)
        for info in infos:
            for item in info.items:
                shares[_described(item)[0]] += float(item["share"])
        least = LEAST_SHARE * sum(shares.values())
        rest: defaultdict[str, float] = defaultdict(float)
        classes = set()
        for info in infos:
            for item in info.items:
                described, name, class_name = _described(item)
                if shares[described] < least:
                    rest[name] += float(item["share"])
                    classes.add(class_name)
        kept = {name for name, share in chain(shares.items(), rest.items()) if share >= least}
        return cls([NOTHING, *sorted(kept | classes)])

    def row(self, item: ItemFacts) -> int:
        """The kind of an item of a scene."""
        return next((self._rows[name] for name in _described(item) if name in self._rows), 0)

    def weights(self, infos: Sequence[SceneInfo]) -> Tensor:
        """(kinds + 1,) of the cross-entropy: rare kinds count for more, up to a limit; a pixel counts 1 on average."""
        shares = torch.full((len(self.names),), 1e-4)
        for info in infos:
            for item in info.items:
                shares[self.row(item)] += float(item["share"])
        shares /= shares.sum()
        weights = (shares.median() / shares).clamp(1 / _MOST_WEIGHT, _MOST_WEIGHT)
        return torch.cat([weights / (weights * shares).sum(), torch.ones(1)])


def _described(item: ItemFacts) -> tuple[str, str, str]:
    """Name with finish, name, class: "wall: stone", "wall", "wall"."""
    name = str(item["name"]).rstrip(" 0123456789")
    for side in ("north ", "south ", "east ", "west "):
        name = name.removeprefix(side)
    finish = next((word for word in str(item["phrase"]).split() if word in FINISHES), None)
    return (f"{name}: {finish}" if finish else name), name, str(item["class"])

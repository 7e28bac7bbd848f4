"""The baseline of the parts prior: a recorded piece of the same kind with the nearest proportions, stretched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from occscene_server.data.dataset import split_of
from occscene_server.data.layouts import LayoutFile
from occscene_server.data.recorded_parts import recorded_solids
from occscene_server.geometry.solids import Floats, Solids


class PieceLibrary:
    """Pieces of the training split, the first of each kind.

    Args:
        files: of layouts.
        limit: pieces of each kind at most.
    """

    def __init__(self, files: Sequence[LayoutFile], limit: int = 40) -> None:
        self._pieces: dict[str, list[Solids]] = {}
        self._sizes: dict[str, list[Floats]] = {}
        for file in files:
            ends = file.arrays["object_end"]
            for room, seed in enumerate(file.seeds):
                if split_of(seed) != "train":
                    continue
                for index in range(int(ends[room - 1]) if room else 0, int(ends[room])):
                    name = file.text[file.arrays["object_words"][index, 0]]
                    own = self._pieces.setdefault(name, [])
                    if len(own) < limit and (recorded := file.parts_of(index)).kind:
                        own.append(recorded_solids(recorded))
                        size = file.arrays["object_box"][index, 3:6].astype(np.float64)
                        self._sizes.setdefault(name, []).append(size)

    def nearest(self, kind: str, size: Floats) -> Solids | None:
        """The piece whose proportions are nearest to those of a box (3,), stretched into it; None for unknown kinds."""
        if not self._pieces.get(kind):
            return None
        ratio = np.log(np.array(self._sizes[kind]) / size)
        best = int(np.argmin(((ratio - ratio.mean(1, keepdims=True)) ** 2).sum(1)))
        stretched = self._pieces[kind][best].stretched(size / self._sizes[kind][best])
        return stretched.inside(size)

"""How good drawn layouts are: what their prompts asked for, what must not be, and how far they are from copies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout

from occscene_server.data.layouts import LayoutPrompt
from occscene_server.geometry import layout_rules, street_rules
from occscene_server.geometry.relations import relation_names
from occscene_server.models.layout_tokens import turned_boxes

MATCHED_WITHIN = 0.2
"""Metres within which an object of one kind counts as the same in two rooms."""


def layout_scores(layouts: Sequence[Layout], prompts: Sequence[LayoutPrompt]) -> dict[str, float]:
    """Metrics of layouts, one layout for each prompt: validity, and agreement with what the prompt named.

    "kinds_named" is the share of named kinds that occur; "colors_named" of the objects named with a colour, those
    that occur in it; "counts_named" of the objects named with a number above one, those that occur in that number;
    "relations_named" of the named relations, those that hold.
    """
    hits: Counter[str] = Counter()
    asked: Counter[str] = Counter()

    def note(name: str, hit: float, of: float = 1) -> None:
        hits[name] += hit  # type: ignore[assignment]
        asked[name] += of  # type: ignore[assignment]

    for layout, prompt in zip(layouts, prompts, strict=True):
        rules = layout_rules if layout.taxonomy == "indoor" else street_rules
        deep = rules.overlapping(layout)
        note("overlapping", sum(deep), len(deep))
        note("rooms_without_overlap", not any(deep))
        note("outside", sum(rules.outside(layout)), len(deep))
        note("floating", sum(rules.floating(layout)), len(deep))
        if layout.taxonomy == "indoor":
            note("blocked_doors", layout_rules.blocked_doors(layout))
        note("objects", len(deep))
        kinds = Counter(obj.name for obj in layout.objects)
        colored = Counter((obj.name, obj.color_word) for obj in layout.objects)
        for kind in {mention.kind for mention in prompt.mentions}:
            note("kinds_named", kinds[kind] > 0)
        for mention in prompt.mentions:
            here = colored[mention.kind, mention.color_word] if mention.color_word else kinds[mention.kind]
            if mention.color_word:
                note("colors_named", min(here, mention.count), mention.count)
            if mention.count > 1:
                note("counts_named", here == mention.count)
        if prompt.relations:
            held = relation_names(layout)
            for relation in prompt.relations:
                note("relations_named", relation in held)
                note(f"relation {relation[1]}", relation in held)
    return {name: float(hits[name] / max(asked[name], 1)) for name in asked}


def surfaces_right(
    real: Sequence[Layout], drawn: Sequence[Layout], prompts: Sequence[LayoutPrompt]
) -> dict[str, float]:
    """Of the prompts that speak of walls or a floor, the share whose rooms have them in the colour of the real ones.

    Streets have neither.
    """
    if any(layout.room is None for layout in (*real, *drawn)):
        return {}
    right: dict[str, float] = {}
    for name, pattern in (("wall_color", r"\bwalls\b"), ("floor_color", r"\bfloor\b(?! lamp| cushion)")):
        hits = [
            getattr(a.room, name) == getattr(b.room, name)
            for a, b, prompt in zip(real, drawn, prompts, strict=True)
            if re.search(pattern, prompt.text)
        ]
        right[name] = sum(hits) / max(len(hits), 1)
    return right


def kind_divergence(real: Sequence[Layout], drawn: Sequence[Layout]) -> float:
    """KL of the kinds of real objects from those of drawn ones, nats, half a count added to each."""
    kinds = sorted({obj.name for layout in (*real, *drawn) for obj in layout.objects})
    shares = []
    for layouts in (real, drawn):
        counts = Counter(obj.name for layout in layouts for obj in layout.objects)
        values = np.array([counts[kind] + 0.5 for kind in kinds])
        shares.append(values / values.sum())
    p, q = shares
    return float((p * np.log(p / q)).sum())


class RoomIndex:
    """Rooms in which the nearest to a layout is looked for, in all eight symmetries.

    Args:
        layouts: the rooms.
    """

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._kinds: dict[str, int] = {}
        rows = [self._row(layout) for layout in layouts]
        most = max(len(kinds) for kinds, _ in rows)
        self.kinds = np.full((len(rows), 8, most), -1, np.int64)
        self.centers = np.zeros((len(rows), 8, most, 3))
        for i, (kinds, boxes) in enumerate(rows):
            for symmetry in range(8):
                turned = turned_boxes(boxes, symmetry >= 4, symmetry % 4)
                self.kinds[i, symmetry, : len(kinds)] = kinds
                self.centers[i, symmetry, : len(kinds)] = turned[:, :3]

    def _row(self, layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        kinds = [self._kinds.setdefault(obj.name, len(self._kinds)) for obj in layout.objects]
        return np.array(kinds), np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects])

    def similarities(self, layout: Layout) -> NDArray[np.float64]:
        """For each room the share of objects, of both, that are of one kind within `MATCHED_WITHIN`, at best."""
        kinds, boxes = self._row(layout)
        near = np.zeros((*self.kinds.shape, len(kinds)), bool)
        for j, kind in enumerate(kinds):
            rows = np.nonzero(self.kinds == kind)
            distance = np.linalg.norm(self.centers[rows] - boxes[j, :3], axis=1)
            near[(*rows, np.full(len(distance), j))] = distance < MATCHED_WITHIN
        matched = np.minimum(near.any(2).sum(2), near.any(3).sum(2))
        every = (self.kinds >= 0).sum(2) + len(kinds) - matched
        best: NDArray[np.float64] = (matched / every).max(1)
        return best


def mean_likeness(layouts: Sequence[Layout]) -> float:
    """Mean similarity of all pairs of rooms."""
    values = [
        float(value) for i, layout in enumerate(layouts[1:], 1) for value in RoomIndex(layouts[:i]).similarities(layout)
    ]
    return float(np.mean(values))

"""Prompts of rooms that need not be rendered: all of it, a few objects with where they stand, or only surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.geometry.relations import CORNER, Relation
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.clauses import FORMS, Author, Clause, first_of, fitting, prompt_of
from occscene_server.studio.kit import with_article
from occscene_server.studio.prompt import LIGHT_WORDS, plural
from occscene_server.studio.room import Item, Room
from occscene_server.studio.styles import WOODS

color_word = first_of({*COLORS, *WOODS})
"""The first colour or wood of a phrase, "" if there is none."""
_WORDINGS = {
    "on": ("on",),
    "under": ("under",),
    "above": ("above", "over"),
    "in front of": ("in front of",),
    "at the foot of": ("at the foot of",),
    "at": ("at",),
    "opposite": ("opposite", "facing"),
    "beside": ("beside", "next to"),
}
_OTHER_NAMES = {
    "sofa": ("couch",),
    "television": ("tv",),
    "chest of drawers": ("dresser",),
    "bookshelf": ("bookcase",),
    "rug": ("carpet",),
    "nightstand": ("bedside table",),
    "wardrobe": ("closet",),
    "picture": ("painting",),
    "tv cabinet": ("tv stand",),
    "plant": ("potted plant",),
    "books": ("stack of books",),
    "pouf": ("ottoman",),
}
_SELDOM_NAMED = ("door", "window", "curtain", "picture")
"""Named seldom unless an object stands by them."""


def kind_of(item: Item) -> str:
    """ "bookshelf 2" -> "bookshelf"."""
    return item.name.rstrip(" 0123456789")


def layout_prompts(
    room: Room, items: Sequence[Item], relations: Sequence[Relation], rng: np.random.Generator
) -> tuple[LayoutPrompt, ...]:
    """Four prompts: the whole room, a few related objects, a few objects, and little but surfaces.

    Args:
        room: its words.
        items: the room's objects in the layout's order.
        relations: that hold between them.
        rng: draws what is named and the wording.
    """
    return tuple(_Author(room, items, relations, rng).write(form) for form in FORMS)


class _Author(Author):
    """Writes prompts of one room."""

    def __init__(
        self, room: Room, items: Sequence[Item], relations: Sequence[Relation], rng: np.random.Generator
    ) -> None:
        phrases = [item.phrase for item in items]
        super().__init__([kind_of(item) for item in items], phrases, [color_word(phrase) for phrase in phrases], rng)
        self.room, self.relations, self.groups = room, relations, self.equal_objects()

    def write(self, form: str) -> LayoutPrompt:
        """One prompt."""
        self.covered.clear()
        rng = self.rng
        if form == "whole":
            groups = self._ordered(list(self.groups))
            drafted = [self._clause(group, full=True) for group in groups if rng.random() < 0.9]
        elif form == "related":
            related = [group for group in self.groups if self._relation_of(self.groups[group]) is not None]
            chosen = self.shuffled(related)[: int(rng.integers(1, 5))]
            drafted = [self._clause(group, full=rng.random() < 0.5, relate=1.0) for group in chosen]
        elif form == "few":
            groups = [group for group in self.groups if group[0] not in _SELDOM_NAMED or rng.random() < 0.15]
            chosen = self.shuffled(groups)[: int(rng.integers(1, 6))]
            drafted = [self._clause(group, full=rng.random() < 0.6) for group in chosen]
        else:
            drafted = []
        return self._sentence([clause for clause in drafted if clause is not None], form)

    def _ordered(self, groups: list[tuple[str, str]]) -> list[tuple[str, str]]:
        minor = (*_SELDOM_NAMED, "vase", "books", "fruit bowl", "ceiling lamp")
        kept = [group for group in self.shuffled(groups) if group[0] not in _SELDOM_NAMED or self.rng.random() < 0.5]
        return sorted(kept, key=lambda group: group[0] in minor)

    def _relation_of(self, members: Sequence[int]) -> Relation | None:
        """A relation that all members have to one object, drawn at random."""
        first = [r for r in self.relations if r.subject == members[0]]
        shared = [
            r for r in first if all(any(q.subject == i and q[1:] == r[1:] for q in self.relations) for i in members[1:])
        ]
        return shared[int(self.rng.integers(len(shared)))] if shared else None

    def _clause(self, group: tuple[str, str], full: bool, relate: float = 0.4) -> Clause | None:
        """Words for a group of equal objects, or for all of its kind; None if they are named already."""
        members = self.groups[group]
        wording = self.worded(members, self.words[members[0]], full)
        if wording is None:
            return None
        kind, text, count = group[0], wording.text, len(wording.members)
        if text == "a books":
            text = "books" if count == 1 else "a stack of books"
        if count > 1:
            text = plural(text, count)
        mention = Mention(kind, wording.word, count)
        relation = self._relation_of(wording.members) if self.rng.random() < relate else None
        if relation is None:
            return Clause(text, mention)
        anchor = "" if relation.anchor == CORNER else self.kinds[relation.anchor]
        return Clause(f"{text} {self._where(relation, count)}", mention, (kind, relation.name, anchor))

    def name(self, kind: str) -> str:
        """The kind itself or, at times, another name of it."""
        others = _OTHER_NAMES.get(kind)
        return others[int(self.rng.integers(len(others)))] if others and self.rng.random() < 0.25 else kind

    def _where(self, relation: Relation, count: int) -> str:
        if relation.anchor == CORNER:
            return "in the corner" if self.rng.random() < 0.7 else "in a corner"
        ways = ("around",) if relation.name == "at" and count > 2 else _WORDINGS[relation.name]
        way = ways[int(self.rng.integers(len(ways)))]
        kind = self.kinds[relation.anchor]
        unique = self.kinds.count(kind) == 1
        known = unique and (relation.anchor in self.covered or self.rng.random() < 0.6)
        if known or kind in ("door", "window"):
            return f"{way} the {kind}"
        return f"{way} {with_article(kind)}"

    def _sentence(self, clauses: list[Clause], form: str) -> LayoutPrompt:
        room, rng = self.room, self.rng
        light = str(rng.choice(LIGHT_WORDS[room.light]))
        styled = f"{room.style} {room.kind}" if form == "whole" or rng.random() < 0.6 else room.kind
        floor, wall = with_article(room.floor_phrase), room.wall_phrase
        if rng.random() < 0.4 and form != "whole":
            floor, wall = with_article(f"{room.floor_color} floor"), f"{room.wall_color} walls"
        shell = [wall, floor] if rng.random() < 0.75 else [wall] if rng.random() < 0.6 else [floor]
        if form in ("related", "few") and rng.random() < 0.5:
            shell = []
        if form == "surfaces" and rng.random() < 0.1:
            shell = []
        tail = [light] if form == "whole" or rng.random() < 0.5 else []
        named = fitting(clauses, [styled, *shell, *tail])
        listed = self.listed(named)
        head = with_article(styled)
        if not listed:
            body = f"{head} with {' and '.join(shell)}" if shell and rng.random() < 0.5 else ", ".join([head, *shell])
        elif rng.random() < 0.5:
            body = f"{head} with {', '.join([*listed, *shell])}"
        elif rng.random() < 0.5:
            body = ", ".join([styled, *listed, *shell])
        else:
            body = f"{head}, {', '.join([*shell, *listed])}"
        return prompt_of(", ".join([body, *tail] if rng.random() < 0.85 else [*tail, body]), named)

"""Prompts of rooms that need not be rendered: all of it, a few objects with where they stand, or only surfaces."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.geometry.relations import CORNER, Relation
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import with_article
from occscene_server.studio.prompt import LIGHT_WORDS, plural
from occscene_server.studio.room import Item, Room
from occscene_server.studio.styles import WOODS

_NAMED = re.compile(rf"\b({'|'.join(sorted({*COLORS, *WOODS}, key=len, reverse=True))})\b")
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
_WORD_LIMIT = 62


def kind_of(item: Item) -> str:
    """ "bookshelf 2" -> "bookshelf"."""
    return item.name.rstrip(" 0123456789")


def color_word(phrase: str) -> str:
    """The first colour or wood of a phrase, "" if there is none."""
    match = _NAMED.search(phrase)
    return match.group(1) if match else ""


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
    return tuple(_Author(room, items, relations, rng).write(form) for form in ("whole", "related", "few", "surfaces"))


class _Author:
    """Writes prompts of one room."""

    def __init__(
        self, room: Room, items: Sequence[Item], relations: Sequence[Relation], rng: np.random.Generator
    ) -> None:
        self.room, self.items, self.rng = room, items, rng
        self.kinds = [kind_of(item) for item in items]
        self.relations = relations
        self.groups: dict[tuple[str, str], list[int]] = {}
        for index, item in enumerate(items):
            self.groups.setdefault((self.kinds[index], item.phrase), []).append(index)

    def write(self, form: str) -> LayoutPrompt:
        """One prompt."""
        self.mentions: list[Mention] = []
        self.named_relations: list[tuple[str, str, str]] = []
        self.covered: set[int] = set()
        rng = self.rng
        if form == "whole":
            groups = self._ordered(list(self.groups))
            drafted = [self._clause(group, full=True) for group in groups if rng.random() < 0.9]
        elif form == "related":
            related = [group for group in self.groups if self._relation_of(self.groups[group]) is not None]
            chosen = [related[int(i)] for i in rng.permutation(len(related))[: int(rng.integers(1, 5))]]
            drafted = [self._clause(group, full=rng.random() < 0.5, relate=1.0) for group in chosen]
        elif form == "few":
            groups = [group for group in self.groups if group[0] not in _SELDOM_NAMED or rng.random() < 0.15]
            chosen = [groups[int(i)] for i in rng.permutation(len(groups))[: int(rng.integers(1, 6))]]
            drafted = [self._clause(group, full=rng.random() < 0.6) for group in chosen]
        else:
            drafted = []
        clauses = [clause for clause in drafted if clause is not None]
        return LayoutPrompt(self._sentence(clauses, form), tuple(self.mentions), tuple(self.named_relations))

    def _ordered(self, groups: list[tuple[str, str]]) -> list[tuple[str, str]]:
        shuffled = [groups[int(i)] for i in self.rng.permutation(len(groups))]
        minor = (*_SELDOM_NAMED, "vase", "books", "fruit bowl", "ceiling lamp")
        kept = [group for group in shuffled if group[0] not in _SELDOM_NAMED or self.rng.random() < 0.5]
        return sorted(kept, key=lambda group: group[0] in minor)

    def _relation_of(self, members: Sequence[int]) -> Relation | None:
        """A relation that all members have to one object, drawn at random."""
        first = [r for r in self.relations if r.subject == members[0]]
        shared = [
            r for r in first if all(any(q.subject == i and q[1:] == r[1:] for q in self.relations) for i in members[1:])
        ]
        return shared[int(self.rng.integers(len(shared)))] if shared else None

    def _clause(
        self, group: tuple[str, str], full: bool, relate: float = 0.4
    ) -> tuple[str, Mention, tuple[str, str, str] | None] | None:
        """Words for a group of equal objects, the mention, and the relation if one is named; None if all are named."""
        kind, phrase = group
        word = color_word(phrase)
        members = self.groups[group]
        wording = phrase
        if not full:
            same_kind = [index for index in range(len(self.items)) if self.kinds[index] == kind]
            colored = bool(word) and self.rng.random() < 0.55
            alike = [i for i in same_kind if color_word(self.items[i].phrase) == word] if colored else same_kind
            # "two armchairs" after "a teal armchair" would be three: then the rest is named in full
            if not self.covered.intersection(alike):
                members, word = alike, word if colored else ""
                wording = with_article(f"{word} {self._name(kind)}".strip())
        if self.covered.intersection(members):
            return None
        self.covered.update(members)
        count = len(members)
        if wording == "a books":
            wording = "books" if count == 1 else "a stack of books"
        text = wording if count == 1 else plural(wording, count)
        relation = self._relation_of(members) if self.rng.random() < relate else None
        if relation is None:
            return text, Mention(kind, word, count), None
        anchor = "" if relation.anchor == CORNER else self.kinds[relation.anchor]
        return f"{text} {self._where(relation, count)}", Mention(kind, word, count), (kind, relation.name, anchor)

    def _name(self, kind: str) -> str:
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

    def _sentence(self, clauses: list[tuple[str, Mention, tuple[str, str, str] | None]], form: str) -> str:
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
        words = [text for text, _, _ in clauses]
        while len(" ".join([styled, *shell, *words, *tail]).split()) > _WORD_LIMIT:
            words.pop()
        for _, mention, relation in clauses[: len(words)]:
            self.mentions.append(mention)
            if relation is not None:
                self.named_relations.append(relation)
        listed = words if len(words) < 2 or rng.random() < 0.5 else [*words[:-2], f"{words[-2]} and {words[-1]}"]
        head = with_article(styled)
        if not listed:
            body = f"{head} with {' and '.join(shell)}" if shell and rng.random() < 0.5 else ", ".join([head, *shell])
        elif rng.random() < 0.5:
            body = f"{head} with {', '.join([*listed, *shell])}"
        elif rng.random() < 0.5:
            body = ", ".join([styled, *listed, *shell])
        else:
            body = f"{head}, {', '.join([*shell, *listed])}"
        return ", ".join([body, *tail]) if rng.random() < 0.85 else ", ".join([*tail, body])

"""Prompts of streets that need not be rendered: all of it, what stands on which side, a few objects, or little else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from occscene.layout import LayoutObject

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.geometry.relations import Relation
from occscene_server.geometry.street_layout import GROUND
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import with_article
from occscene_server.studio.streets.kit import BRICKS, CAR_COLORS, RENDERS, STONES
from occscene_server.studio.streets.plants import LEAVES
from occscene_server.studio.streets.prompt import ground_words, plural_phrase, street_head
from occscene_server.studio.streets.street import Street
from occscene_server.studio.streets.weather import WEATHERS

_GROUND_WORDS = ("asphalt", "cobbled", "concrete", "paved", "gravelled", "wheat", "ploughed")
_WORDS = {*COLORS, *CAR_COLORS, *RENDERS, *BRICKS, *STONES, *LEAVES, *_GROUND_WORDS, "bare"}
_NAMED = re.compile(rf"\b({'|'.join(sorted(_WORDS, key=len, reverse=True))})\b")

_OTHER_NAMES = {
    "tree crown": ("tree",),
    "person": ("person", "pedestrian"),
    "bicyclist": ("cyclist", "bicyclist"),
    "bicycle": ("bicycle", "bike"),
    "motorcycle": ("motorcycle", "motorbike"),
    "truck": ("truck", "lorry"),
}
_SELDOM_NAMED = ("bush", "bollard", "traffic sign", "fence", "garden wall", "street lamp", "hedge", "tree crown")
_DRESSED = ("person", "bicyclist", "motorcyclist")
_BOTH_SIDES = ("building", "fence", "vegetation", "pole")
_WORD_LIMIT = 62
_NUMBERED = 6
"""Up to which objects are counted in words."""


def street_word(phrase: str) -> str:
    """The first colour, kind of tree or kind of surface of a phrase, "" if there is none."""
    match = _NAMED.search(phrase)
    return match.group(1) if match else ""


def street_layout_prompts(
    street: Street,
    objects: Sequence[LayoutObject],
    phrases: Sequence[str],
    roles: Sequence[str],
    relations: Sequence[Relation],
    rng: np.random.Generator,
) -> tuple[LayoutPrompt, ...]:
    """Four prompts: the whole street, a few objects with their side, a few objects, and little but the street itself.

    Args:
        street: its words.
        objects: of its plan.
        phrases, roles: of the objects: "a red hatchback", "parked".
        relations: that hold between them.
        rng: draws what is named and the wording.
    """
    author = _Author(street, objects, phrases, roles, relations, rng)
    return tuple(author.write(form) for form in ("whole", "related", "few", "surfaces"))


Clause = tuple[str, Mention, tuple[str, str, str] | None]
"""Words, the objects that they name, and the relation if one is named."""


class _Author:
    """Writes prompts of one street."""

    def __init__(
        self,
        street: Street,
        objects: Sequence[LayoutObject],
        phrases: Sequence[str],
        roles: Sequence[str],
        relations: Sequence[Relation],
        rng: np.random.Generator,
    ) -> None:
        self.street, self.objects, self.phrases, self.roles, self.rng = street, objects, phrases, roles, rng
        self.sides = {relation.subject: relation.name for relation in relations}
        self.groups: dict[tuple[str, str], list[int]] = {}
        for index, obj in enumerate(objects):
            if obj.name not in GROUND:
                self.groups.setdefault((obj.name, phrases[index]), []).append(index)

    def write(self, form: str) -> LayoutPrompt:
        """One prompt."""
        rng = self.rng
        self.covered: set[int] = set()
        several = [group for group in self.groups if group[0] not in _SELDOM_NAMED or rng.random() < 0.3]
        order = [several[int(i)] for i in rng.permutation(len(several))]
        if form == "whole":
            order.sort(key=lambda group: group[0] in _SELDOM_NAMED)
            drafted = [self._clause(group, full=rng.random() < 0.7, sided=0.4) for group in order[:12]]
        elif form == "related":
            one_sided = [group for group in order if self._side(self.groups[group])]
            chosen = one_sided[: int(rng.integers(1, 5))]
            drafted = [self._clause(group, full=rng.random() < 0.4, sided=1.0) for group in chosen]
        elif form == "few":
            drafted = [self._clause(group, full=rng.random() < 0.4, sided=0.2) for group in order[: rng.integers(1, 6)]]
        else:
            drafted = []
        return self._sentence([clause for clause in drafted if clause is not None], form)

    def _side(self, members: Sequence[int]) -> str:
        """The side of the road on which all members stand; "" for none and for what drives there."""
        sides = {self.sides.get(index, "") for index in members}
        moving = any(self.roles[index] in ("driving", "riding", "crossing") for index in members)
        return "" if moving or len(sides) > 1 else sides.pop()

    def _clause(self, group: tuple[str, str], full: bool, sided: float) -> Clause | None:
        """Words for a group of equal objects, or for all of its kind; None if they are named already."""
        kind, phrase = group
        word, members, wording = street_word(phrase), self.groups[group], phrase
        if kind == "tree crown" and not full:
            word = word if self.rng.random() < 0.4 else ""
        if not full:
            same = [index for index, obj in enumerate(self.objects) if obj.name == kind]
            # what people wear is no colour of theirs
            colored = bool(word) and kind not in _DRESSED and self.rng.random() < 0.55
            alike = [index for index in same if street_word(self.phrases[index]) == word] if colored else same
            # "two vans" after "a red van" would be three: then the rest is named in full
            if not self.covered.intersection(alike):
                members, word = alike, word if colored else ""
                wording = with_article(f"{word} {self._name(kind)}".strip())
        if self.covered.intersection(members):
            return None
        self.covered.update(members)
        count = len(members)
        text = wording if count == 1 else plural_phrase(wording, count)
        mention = Mention(kind, word, count if count <= _NUMBERED else 2)
        side, roles = self._side(members), {self.roles[index] for index in members}
        how = "parked " if roles == {"parked"} and self.rng.random() < 0.6 else ""
        if side and self.rng.random() < sided:
            return f"{text} {how}{side}", mention, (kind, side, "")
        is_spread = self.objects[members[0]].class_name in _BOTH_SIDES and not self._side(members)
        if count > 1 and is_spread and self.rng.random() < 0.4:
            return f"{text} on both sides", mention, None
        if not how and roles == {"driving"} and self.rng.random() < 0.4:
            how = "on the road"
        return f"{text} {how}".strip(), mention, None

    def _name(self, kind: str) -> str:
        names = _OTHER_NAMES.get(kind, (kind,))
        return names[int(self.rng.integers(len(names)))]

    def _sentence(self, clauses: list[Clause], form: str) -> LayoutPrompt:
        street, rng = self.street, self.rng
        head = street_head(street, rng) if form == "whole" or rng.random() < 0.85 else "a street"
        ground = ground_words(street, rng).strip(", ") if form != "few" or rng.random() < 0.4 else ""
        weather = str(rng.choice(WEATHERS[street.weather].words)) if form == "whole" or rng.random() < 0.5 else ""
        words = [text for text, _, _ in clauses]
        while len(" ".join([head, ground, weather, *words]).split()) > _WORD_LIMIT:
            words.pop()
        named = clauses[: len(words)]
        listed = words if len(words) < 2 or rng.random() < 0.5 else [*words[:-2], f"{words[-2]} and {words[-1]}"]
        if listed and rng.random() < 0.5:
            text = ", ".join(part for part in (f"{head} with {', '.join(listed)}", ground, weather) if part)
        elif rng.random() < 0.7:
            text = ", ".join(part for part in (head, *listed, ground, weather) if part)
        else:
            text = ", ".join(part for part in (f"{head} {weather}".strip(), ground, *listed) if part)
        return LayoutPrompt(
            text,
            tuple(mention for _, mention, _ in named),
            tuple(relation for _, _, relation in named if relation is not None),
        )

"""Prompts of streets that need not be rendered: all of it, what stands on which side, a few objects, or little else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from occscene.layout import LayoutObject

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.geometry.relations import Relation
from occscene_server.geometry.street_layout import GROUND
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.clauses import FORMS, Author, Clause, first_of, fitting, prompt_of
from occscene_server.studio.streets.kit import BRICKS, CAR_COLORS, RENDERS, STONES
from occscene_server.studio.streets.plants import LEAVES
from occscene_server.studio.streets.prompt import ground_words, plural_phrase, street_head
from occscene_server.studio.streets.street import Street
from occscene_server.studio.streets.weather import WEATHERS

_GROUND_WORDS = ("asphalt", "cobbled", "concrete", "paved", "gravelled", "wheat", "ploughed")
street_word = first_of({*COLORS, *CAR_COLORS, *RENDERS, *BRICKS, *STONES, *LEAVES, *_GROUND_WORDS, "bare"})
"""The first colour, kind of tree or kind of surface of a phrase, "" if there is none."""
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
_NUMBERED = 6
"""Up to which objects are counted in words."""


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
    return tuple(author.write(form) for form in FORMS)


class _Author(Author):
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
        super().__init__([obj.name for obj in objects], phrases, [street_word(phrase) for phrase in phrases], rng)
        self.street, self.objects, self.roles, self.groups = street, objects, roles, self.equal_objects(GROUND)
        self.sides = {relation.subject: relation.name for relation in relations}

    def write(self, form: str) -> LayoutPrompt:
        """One prompt."""
        rng = self.rng
        self.covered.clear()
        several = [group for group in self.groups if group[0] not in _SELDOM_NAMED or rng.random() < 0.3]
        order = self.shuffled(several)
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
        kind, members = group[0], self.groups[group]
        word = self.words[members[0]]
        if kind == "tree crown" and not full:
            word = word if self.rng.random() < 0.4 else ""
        # what people wear is no colour of theirs
        wording = self.worded(members, word, full, colored=kind not in _DRESSED)
        if wording is None:
            return None
        members, count = wording.members, len(wording.members)
        text = wording.text if count == 1 else plural_phrase(wording.text, count)
        mention = Mention(kind, wording.word, count if count <= _NUMBERED else 2)
        side, roles = self._side(members), {self.roles[index] for index in members}
        how = "parked " if roles == {"parked"} and self.rng.random() < 0.6 else ""
        if side and self.rng.random() < sided:
            return Clause(f"{text} {how}{side}", mention, (kind, side, ""))
        is_spread = self.objects[members[0]].class_name in _BOTH_SIDES and not self._side(members)
        if count > 1 and is_spread and self.rng.random() < 0.4:
            return Clause(f"{text} on both sides", mention)
        if not how and roles == {"driving"} and self.rng.random() < 0.4:
            how = "on the road"
        return Clause(f"{text} {how}".strip(), mention)

    def name(self, kind: str) -> str:
        """One of the names of a kind."""
        names = _OTHER_NAMES.get(kind, (kind,))
        return names[int(self.rng.integers(len(names)))]

    def _sentence(self, clauses: list[Clause], form: str) -> LayoutPrompt:
        street, rng = self.street, self.rng
        head = street_head(street, rng) if form == "whole" or rng.random() < 0.85 else "a street"
        ground = ground_words(street, rng).strip(", ") if form != "few" or rng.random() < 0.4 else ""
        weather = str(rng.choice(WEATHERS[street.weather].words)) if form == "whole" or rng.random() < 0.5 else ""
        named = fitting(clauses, [head, ground, weather])
        listed = self.listed(named)
        if listed and rng.random() < 0.5:
            text = ", ".join(part for part in (f"{head} with {', '.join(listed)}", ground, weather) if part)
        elif rng.random() < 0.7:
            text = ", ".join(part for part in (head, *listed, ground, weather) if part)
        else:
            text = ", ".join(part for part in (f"{head} {weather}".strip(), ground, *listed) if part)
        return prompt_of(text, named)

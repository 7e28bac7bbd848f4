"""Clauses of prompts of layouts: words for equal objects of a scene, each object named once, and what they claim."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.studio.kit import with_article

T = TypeVar("T")

WORD_LIMIT = 62
FORMS = ("whole", "related", "few", "surfaces")
"""All of a scene, a few objects with where they stand, a few objects, little but surfaces."""


class Clause(NamedTuple):
    """Words, the objects that they name, and the relation if one is named."""

    text: str
    mention: Mention
    relation: tuple[str, str, str] | None = None


class Wording(NamedTuple):
    """Which objects are named together, the words for one of them, and their colour word or ""."""

    members: list[int]
    text: str
    word: str


def first_of(words: Iterable[str]) -> Callable[[str], str]:
    """A function that gives the first of the words in a phrase, "" if there is none."""
    pattern = re.compile(rf"\b({'|'.join(sorted(words, key=len, reverse=True))})\b")

    def first(phrase: str) -> str:
        match = pattern.search(phrase)
        return match.group(1) if match else ""

    return first


class Author(ABC):
    """Writes prompts of one scene.

    Args:
        kinds: of all objects: "bookshelf".
        phrases: of all objects: "a tall white bookshelf".
        words: of all objects, what may stand before the kind: a colour, mostly; "" for nothing.
        rng: draws what is named and the wording.
    """

    def __init__(
        self, kinds: Sequence[str], phrases: Sequence[str], words: Sequence[str], rng: np.random.Generator
    ) -> None:
        self.kinds, self.phrases, self.words, self.rng = kinds, phrases, words, rng
        self.covered: set[int] = set()

    def equal_objects(self, unnamed: Container[str] = ()) -> dict[tuple[str, str], list[int]]:
        """Objects by kind and phrase, but for some kinds."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, (kind, phrase) in enumerate(zip(self.kinds, self.phrases, strict=True)):
            if kind not in unnamed:
                groups.setdefault((kind, phrase), []).append(index)
        return groups

    @abstractmethod
    def name(self, kind: str) -> str:
        """A name of a kind, drawn."""

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """The values in an order that is drawn."""
        return [values[int(i)] for i in self.rng.permutation(len(values))]

    def worded(self, members: list[int], word: str, full: bool, colored: bool = True) -> Wording | None:
        """Words for one of some equal objects, or for all of its kind; None if they are named already.

        Args:
            members: the equal objects.
            word: their colour word or "".
            full: take the phrase, not the kind.
            colored: the colour word may stand before the kind.
        """
        kind, text = self.kinds[members[0]], self.phrases[members[0]]
        if not full:
            same_kind = [index for index, other in enumerate(self.kinds) if other == kind]
            colored = bool(word) and colored and self.rng.random() < 0.55
            alike = [index for index in same_kind if self.words[index] == word] if colored else same_kind
            # "two armchairs" after "a teal armchair" would be three: then the rest is named in full
            if not self.covered.intersection(alike):
                members, word = alike, word if colored else ""
                text = with_article(f"{word} {self.name(kind)}".strip())
        if self.covered.intersection(members):
            return None
        self.covered.update(members)
        return Wording(members, text, word)

    def listed(self, clauses: Sequence[Clause]) -> list[str]:
        """The words of clauses, at times with "and" between the last two."""
        words = [clause.text for clause in clauses]
        return words if len(words) < 2 or self.rng.random() < 0.5 else [*words[:-2], f"{words[-2]} and {words[-1]}"]


def fitting(clauses: Sequence[Clause], others: Sequence[str]) -> list[Clause]:
    """The first of the clauses, as many as stay within the word limit beside other words."""
    kept = list(clauses)
    while len(" ".join([*others, *(clause.text for clause in kept)]).split()) > WORD_LIMIT:
        kept.pop()
    return kept


def prompt_of(text: str, clauses: Sequence[Clause]) -> LayoutPrompt:
    """A prompt and what its clauses claim."""
    relations = tuple(clause.relation for clause in clauses if clause.relation is not None)
    return LayoutPrompt(text, tuple(clause.mention for clause in clauses), relations)

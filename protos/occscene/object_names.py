"""The class that an object's name speaks of: "SM_CoffeeTable_01", "Küchenschrank" and "lampe de bureau" are understood.

The words are data, `object_words.txt`; the rules are few:

- A name is split where the case changes and at all that is no letter. Accents do not count, nor whether an umlaut is
  written with an e.
- Words that stand side by side are looked up together, the longest first, so that "TV stand", "tv_stand" and "TVStand"
  are one word.
- A German word that ends with a known one is that one ("Küchenschrank" is a Schrank). An English one is only if its
  beginning is known too ("barstool", but not "toadstool").
- What follows "with", "de" and the like describes what stands before it.
- The last known word decides, in Romance languages the first. Walls, floors and the like say where an object is, if
  another word says what it is.

Where the rules do not agree there is no answer: a wrong class is worse than none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

_NO_CLASS, _DESCRIBES, _MARKS = "-", "~", "?="
_ROMANCE = frozenset({"fr", "es", "it", "pt"})
_LONGEST = 4
"""Words that are looked up together."""

_DESCRIPTION_FOLLOWS = re.compile(
    "with|in|on|of|for|by|under|behind|beside|near|and|from|"
    "mit|auf|unter|hinter|neben|von|und|"
    "de|di|da|do|del|della|dei|du|des|d|avec|sur|sous|con|com|sobre"
)
_PLACES = frozenset({"ceiling", "floor", "wall"})
"""Classes that say where an object is."""

_GROUNDS = frozenset({"road", "sidewalk", "parking", "other-ground", "terrain", "building"})
"""The same of outdoor scenes."""

_CARRIED = frozenset({"tvs", "bed"})
"""Classes that say what furniture is for."""

_CASE_CHANGES = re.compile("(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zß-ÿ])")
_GERMAN_ENDINGS = ("", "e", "n", "en", "er", "s", "es")
_PLURALS = ("", "s", "es")


@dataclass(frozen=True)
class Word:
    """What is known of a word.

    Args:
        text: as people write it.
        class_name: what it speaks of; "-" for what has no class, "~" for a word that only describes another.
        languages: in which.
        is_weak: it counts only where the name has no other.
        ends_compounds: whether a longer word that ends with it is one.
    """

    text: str
    class_name: str
    languages: frozenset[str]
    is_weak: bool = False
    ends_compounds: bool = True


Vocabulary = Mapping[str, Word]
"""Words by their normal form."""


def normal_form(text: str) -> str:
    """Lower case without accents and spaces; ae, oe and ue are written a, o and u."""
    letters = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    plain = re.sub("[^a-z]", "", letters)
    return re.sub("([aou])e", r"\1", plain)


def split_name(name: str) -> list[str]:
    """The words of a name, as they are written: "SM_TVStand.001" has SM, TV and Stand."""
    letters = re.sub(r"[\W\d_]+", " ", unicodedata.normalize("NFC", name))
    return _CASE_CHANGES.sub(" ", letters).split()


@cache
def _rows() -> tuple[tuple[str, str, str, str], ...]:
    """Word with its mark, indoor class, outdoor class and language, for each word of the file."""
    text = Path(__file__).with_name("object_words.txt").read_text(encoding="utf-8")
    rows = []
    for line in text.replace("\n    ", " ").splitlines():
        if line and not line.startswith("#"):
            language, classes, words = line.split(": ")
            indoor, outdoor = classes.split(", ")
            rows += [(word, indoor, outdoor, language) for word in words.split(", ")]
    return tuple(rows)


def words_of(taxonomy: str) -> list[tuple[str, str, str]]:
    """Word with its mark, class and language, for each word of the file in the taxonomy "indoor" or "outdoor"."""
    column = {"indoor": 1, "outdoor": 2}[taxonomy]
    return [(row[0], row[column], row[3]) for row in _rows()]


def english_words(taxonomy: str, class_name: str) -> tuple[str, ...]:
    """The English words of a class of "indoor" or "outdoor", the most usual ones first, without its own name."""
    words = (word.lstrip(_MARKS) for word, own, language in words_of(taxonomy) if (own, language) == (class_name, "en"))
    return tuple(word for word in dict.fromkeys(words) if word != class_name)


def build_vocabulary(rows: Iterable[tuple[str, str, str]]) -> Vocabulary:
    """Words by their normal form; of two meanings the first that is a class counts, else "-", else "~".

    Args:
        rows: word with its marks, class, and language.
    """
    words: dict[str, Word] = {}
    for marked, class_name, language in rows:
        text = marked.lstrip(_MARKS)
        word = Word(text, class_name, frozenset({language}), marked.startswith("?"), not marked.startswith("="))
        key = normal_form(text)
        known = words.get(key)
        if known is None or _says_more(word, known):
            words[key] = word
        elif known.class_name == class_name:
            words[key] = replace(known, languages=known.languages | {language}, is_weak=known.is_weak and word.is_weak)
    return words


def _says_more(word: Word, known: Word) -> bool:
    order = (_DESCRIBES, _NO_CLASS)
    place = [order.index(one.class_name) if one.class_name in order else len(order) for one in (word, known)]
    return place[0] > place[1]


def word_of_name(name: str, words: Vocabulary) -> Word | None:
    """The word of an object's name that says what the object is, or None.

    Args:
        name: as an artist or an asset library gives it.
        words: of the taxonomy.
    """
    found = _known_words([normal_form(part) for part in split_name(name)], words)
    if any(not word.is_weak for word in found):
        found = [word for word in found if not word.is_weak]
    if not found:
        return None
    word = found[0] if any(word.languages <= _ROMANCE for word in found) else _last_that_says_what(found)
    return None if word is None or word.class_name == _NO_CLASS else word


def _last_that_says_what(found: list[Word]) -> Word | None:
    last = found[-1]
    before = [word for word in found[:-1] if word.class_name not in (_NO_CLASS, last.class_name)]
    if last.class_name in _PLACES:
        objects = [word for word in before if word.class_name not in _PLACES]
        if objects:
            return objects[-1] if objects[-1].class_name == "objs" else None
    if last.class_name in _GROUNDS:
        objects = [word for word in before if word.class_name not in _GROUNDS]
        if objects:
            return objects[-1]
    if last.class_name in _CARRIED:
        objects = [word for word in before if word.class_name in ("furn", "table", "chair")]
        if objects:
            return objects[-1]
    return last


def _known_words(parts: list[str], words: Vocabulary) -> list[Word]:
    """The known words of a name in its order, up to where a description follows, without those that only describe."""
    found: list[Word] = []
    place = 0
    while place < len(parts):
        for length in range(min(_LONGEST, len(parts) - place), 0, -1):
            word = _looked_up("".join(parts[place : place + length]), words, length == 1)
            if word is not None:
                break
        else:
            if found and _DESCRIPTION_FOLLOWS.fullmatch(parts[place]):
                break
        if word is not None and word.class_name != _DESCRIBES:
            found.append(word)
        place += length
    return found


def _looked_up(text: str, words: Vocabulary, is_one: bool) -> Word | None:
    known = _inflected(text, words)
    if known is not None or not is_one:
        return known
    for start in range(3, len(text) - 2):  # the longest ending first
        word = _inflected(text[start:], words)
        if word is None or not word.ends_compounds or word.class_name == _DESCRIBES:
            continue
        if "de" in word.languages and len(text) - start >= 4:
            return word
        if "en" in word.languages and _inflected(text[:start], words) is not None:
            return word
    return None


def _inflected(text: str, words: Vocabulary) -> Word | None:
    """The word, or that of which it is the plural."""
    for ending in dict.fromkeys((*_PLURALS, *_GERMAN_ENDINGS)):
        if not text.endswith(ending):
            continue
        word = words.get(text[: len(text) - len(ending)])
        if word is not None and (ending in _PLURALS or "de" in word.languages):
            return word
    return None

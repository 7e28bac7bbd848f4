"""The kind of furniture that an object's name speaks of: "SM_CoffeeTable_01", "Couchtisch" and "table basse" are one.

The rules are those by which names are given classes (`occscene.object_names`); the words are data, `kind_words.txt`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from occscene.object_names import Vocabulary, build_vocabulary, word_of_name


def named_kind(name: str) -> str:
    """A kind as the studio calls it, "" where the name does not say or names something else.

    Args:
        name: as an artist or an asset library gives it, in any of the file's languages.
    """
    word = word_of_name(name, _vocabulary())
    return "" if word is None else word.class_name


@cache
def _vocabulary() -> Vocabulary:
    text = Path(__file__).with_name("kind_words.txt").read_text(encoding="utf-8")
    rows = []
    for line in text.replace("\n    ", " ").splitlines():
        if line and not line.startswith("#"):
            language, kind, words = line.split(": ")
            rows += [(word, kind, language) for word in words.split(", ")]
    return build_vocabulary(rows)

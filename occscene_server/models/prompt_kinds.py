"""Which kinds of object a prompt names, and how many of each: by its words, not by a network."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "both": 2, "pair": 2}
_OTHER_NAMES = {
    "couch": "sofa",
    "settee": "sofa",
    "loveseat": "sofa",
    "tv": "television",
    "monitor": "computer monitor",
    "computer screen": "computer monitor",
    "dresser": "chest of drawers",
    "bookcase": "bookshelf",
    "shelf": "bookshelf",
    "carpet": "rug",
    "bedside table": "nightstand",
    "closet": "wardrobe",
    "painting": "picture",
    "tv stand": "tv cabinet",
    "tv unit": "tv cabinet",
    "potted plant": "plant",
    "stack of books": "books",
    "ottoman": "pouf",
    "toy chest": "toy box",
    "cushion": "floor cushion",
    "pendant": "ceiling lamp",
    "chandelier": "ceiling lamp",
    "dinner table": "dining table",
    "writing desk": "desk",
    "swivel chair": "office chair",
    "desk chair": "office chair",
}
"""What else people call the studio's kinds."""


def named_kinds(prompt: str, kinds: Sequence[str]) -> dict[str, int]:
    """How many objects of each kind a prompt names.

    A name said twice with "a" counts twice, with "the" it is the one said before: "a desk, a lamp on the desk".

    Args:
        prompt: as a person types it.
        kinds: that there are.
    """
    names = {kind: kind for kind in kinds} | {name: kind for name, kind in _OTHER_NAMES.items() if kind in kinds}
    forms = {form: kind for name, kind in names.items() for form in (name, _plural(name))}
    several = {_plural(name) for name in names}
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})\b")
    counts: dict[str, int] = {}
    seen: dict[str, set[str]] = {}
    text = prompt.lower()
    for match in pattern.finditer(text):
        form, kind = match.group(1), forms[match.group(1)]
        clause = re.split(r"[,;:.]|\band\b|\bwith\b", text[: match.start()])[-1].split()
        number = next((_NUMBERS[word] for word in reversed(clause) if word in _NUMBERS), 2 if form in several else 1)
        if form not in several or form == "books":
            number = 1 if form != "books" else next((_NUMBERS[w] for w in reversed(clause) if w in _NUMBERS), 1)
        # an anchor ("beside a bookshelf") may be a thing named elsewhere
        anchor = _is_anchor(clause)
        if anchor:
            counts[kind] = max(counts.get(kind, 0), 1)
            continue
        words = " ".join(clause[-3:])
        if words in seen.setdefault(kind, set()) and number == 1:
            continue
        seen[kind].add(words)
        own = sum(1 for _ in seen[kind])
        counts[kind] = max(counts.get(kind, 0), number) if own == 1 else counts[kind] + number
    return counts


def _is_anchor(clause: list[str]) -> bool:
    """Whether the last article of a clause comes after a preposition: "a vase on the" table."""
    for index in range(len(clause) - 1, -1, -1):
        if clause[index] in ("a", "an", "the"):
            before = clause[:index]
            return bool(before) and before[-1] in _PREPOSITIONS
    return False


_PREPOSITIONS = (
    "on",
    "under",
    "above",
    "over",
    "of",
    "at",
    "around",
    "opposite",
    "facing",
    "beside",
    "to",
    "in",
    "near",
)


def _plural(name: str) -> str:
    if name.startswith(("chest of", "stack of")):
        head, _, rest = name.partition(" ")
        return f"{head}s {rest}"
    if name.endswith("shelf"):
        return f"{name[:-1]}ves"
    if name.endswith("s"):
        return name
    return f"{name}es" if name.endswith(("ch", "x")) else f"{name}s"

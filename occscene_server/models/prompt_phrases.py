"""The phrase of a prompt for each object of a scene, by rule: "four red velvet dining chairs" for a dining chair."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from occscene_server.models.prompt_reading import OTHER_NAMES, plural_of

_NUMBERS = {"a": 1, "an": 1, "the": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "some": 1}
_BREAKS = re.compile(
    "with|in|on|under|above|over|at|by|near|of|from|before|behind|beside|opposite|around|between|next|to|has|have|is|"
    "are|there|its"
)
"""Words that no phrase goes across, on its way back from the noun."""
_DETAIL = re.compile(r" (?:with|in) an? (?:[\w-]+ ){0,5}?(?:pot|blanket|frame|cover|shade|seat|top)s?\b")
"""What belongs to the phrase behind the noun: "with a teal blanket"."""
_BUILT = ("wall", "floor", "ceiling")


def prompt_phrases(prompt: str, names: Sequence[str]) -> list[str]:
    """The prompt's phrase for each object, "" where there is none.

    Phrases of one kind go to its objects in turn, the last one to all that are left.

    Args:
        prompt: as a person types it, in English.
        names: what the objects are called, lower case, without numbers.
    """
    kinds = [_kind(name) for name in names]
    said = _said(prompt, sorted(set(kinds) - {""}))
    place: defaultdict[str, int] = defaultdict(int)
    result = []
    for kind in kinds:
        own = said.get(kind, [])
        result.append(own[min(place[kind], len(own) - 1)] if own else "")
        place[kind] += 1
    return result


def _kind(name: str) -> str:
    """What a name stands for: east walls are walls, couches are sofas."""
    last = name.rsplit(" ", 1)[-1]
    return last if last in _BUILT else OTHER_NAMES.get(name, name)


def _said(prompt: str, kinds: Sequence[str]) -> dict[str, list[str]]:
    """By kind the phrases of a prompt, as often as each counts."""
    forms = {form: (kind, form == kind) for kind in kinds for form in (plural_of(kind), kind)}
    for other, kind in OTHER_NAMES.items():
        if kind in kinds:
            forms |= {plural_of(other): (kind, False)} | {other: (kind, True)}
    if not forms:
        return {}
    noun = re.compile(rf"\b({'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})\b")
    phrases: defaultdict[str, list[str]] = defaultdict(list)
    for clause in re.split(r"[,;:.\n]", prompt.lower().replace("gray", "grey")):
        end = 0
        for match in noun.finditer(clause):
            if match.start() < end:  # the blanket of a bed, the pot of a plant
                continue
            kind, single = forms[match.group(1)]
            words, count = _before(clause[end : match.start()].split())
            detail = _DETAIL.match(clause[match.end() :])
            end = match.end() + (detail.end() if detail else 0)
            plural = not single and kind not in _BUILT
            form = next((one for one, (k, s) in forms.items() if k == kind and s and plural_of(one) == match[1]), kind)
            name = form if plural else match.group(1)
            text = " ".join([*words, name]) + (detail.group() if detail else "")
            article = "an" if text[0] in "aeiou" else "a"
            phrases[kind] += [text if kind in _BUILT else f"{article} {text}"] * (
                count if count > 1 else 2 if plural else 1
            )
    return dict(phrases)


def _before(words: Sequence[str]) -> tuple[list[str], int]:
    """The words that describe a noun, of those before it, and how many it says there are."""
    taken: list[str] = []
    for place in reversed(range(len(words))):
        word = words[place]
        if word in _NUMBERS:
            return taken, _NUMBERS[word]
        if _BREAKS.fullmatch(word) or (word == "and" and (not taken or not place)):
            break
        taken.insert(0, word)
    while taken and taken[0] == "and":
        del taken[0]
    return taken, 1

"""Sentences that describe a street by what is seen of it, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from occscene_server.studio.prompt import plural
from occscene_server.studio.streets.street import Actor, Street
from occscene_server.studio.streets.weather import WEATHERS

WORD_LIMIT = 64
_STREET_WORDS = {
    "city": ("a city street", "a street in the old town", "an urban street"),
    "suburb": ("a suburban street", "a quiet residential street", "a street of family houses"),
    "village": ("a village street", "the main street of a village", "a small village road"),
    "industrial estate": ("a road through an industrial estate", "an industrial street", "a street of warehouses"),
    "countryside": ("a country road", "a rural road", "a road through the fields"),
}
_PARTS = ("tree trunk", "sign post", "signal post", "sign posts")
_GROUND = ("road", "pavement", "lawn", "field", "yard", "parking bays")
_VERBS = {
    ("person", "walking"): "walking on the {side}", ("person", "crossing"): "crossing the street",
    ("person", "waiting"): "waiting at the kerb on the {side}", ("person", "in the square"): "in the courtyard",
    ("parked",): "parked on the {side}", ("driving",): "driving {way}", ("riding",): "riding {way}",
    ("in the yard",): "standing in a yard on the {side}",
}  # fmt: skip


def street_prompt(street: Street, visible: Sequence[int], rng: np.random.Generator) -> str:
    """A prompt of about 15 to 70 words: the street, its weather, and what is seen, some of it with its place.

    Args:
        street: the street.
        visible: indices into `street.items` of what the views show, the largest first.
        rng: draws the words, their order, and what is left unsaid.
    """
    mentions = _mentions(street, visible, rng)
    weather = str(rng.choice(WEATHERS[street.weather].words))
    head = street_head(street, rng)
    ground = ground_words(street, rng)
    while len(f"{head} {weather} {' '.join(mentions)} {ground}".split()) > WORD_LIMIT and len(mentions) > 2:
        mentions.pop()
    listed = ", ".join(mentions)
    forms = (
        f"{head} {weather}, {listed}{ground}",
        f"{head}{ground}, {listed}, {weather}",
        f"{weather}: {head} with {listed}{ground}",
        f"a photo of {head} {weather}; {listed}{ground}",
    )
    return forms[int(rng.integers(len(forms)))].replace(" ,", ",")


def street_head(street: Street, rng: np.random.Generator) -> str:
    """ "a village street that bends to the left"."""
    words = _STREET_WORDS[street.plan.kind]
    head = words[int(rng.integers(len(words)))]
    if street.plan.course.bend and rng.random() < 0.7:
        return f"{head} that bends to the {'left' if street.plan.course.bend > 0 else 'right'}"
    if street.plan.course.slope > 0.02 and rng.random() < 0.6:
        return f"{head} going uphill"
    if street.plan.course.slope < -0.02 and rng.random() < 0.6:
        return f"{head} going downhill"
    return head


def ground_words(street: Street, rng: np.random.Generator) -> str:
    """ ", an asphalt road, a crossroads": some of what lies on the ground, and the side streets, or nothing."""
    said = [item.phrase for item in street.items if item.name in ("road", "pavement", "field", "yard")]
    kept = [phrase for phrase in said if rng.random() < 0.45]
    if street.plan.junction is not None and rng.random() < 0.7:
        sides = street.plan.junction.sides
        kept.append(
            "a crossroads" if len(sides) == 2 else f"a side street on the {'left' if sides[0] > 0 else 'right'}"
        )
    return f", {', '.join(kept)}" if kept else ""


def _mentions(street: Street, visible: Sequence[int], rng: np.random.Generator) -> list[str]:
    """What is seen in words: equal objects counted, some with the place where they stand."""
    actors = {actor.index: actor for actor in street.actors}
    groups: dict[str, list[Actor]] = {}
    for index in visible:
        item = street.items[index]
        if index in actors and item.name not in (*_PARTS, *_GROUND):
            groups.setdefault(item.phrase, []).append(actors[index])
    entries = list(groups.items())
    order = rng.permutation(len(entries)).tolist()
    order.sort(key=lambda i: i > 5)  # what takes most of the pictures is named first
    return [_phrase(street, entries[i][0], entries[i][1], rng) for i in order if i < 4 or rng.random() < 0.7]


def _phrase(street: Street, phrase: str, actors: list[Actor], rng: np.random.Generator) -> str:
    first = actors[0]
    item = street.items[first.index]
    if len(actors) > 1:
        sides = {actor.d > 0 for actor in actors}
        words = plural_phrase(phrase, len(actors))
        if len(sides) == 1 and rng.random() < 0.6 and abs(first.d) > street.plan.width / 2:
            return f"{words} on the {_side(first)}"
        if len(sides) == 2 and item.class_name in ("building", "vegetation", "pole", "fence") and rng.random() < 0.4:
            return f"{words} on both sides"
        return words
    if rng.random() < 0.3:
        return phrase
    relation = _relation(street, first, rng)
    return f"{phrase} {relation}" if relation else phrase


def _side(actor: Actor) -> str:
    return "left" if actor.d > 0 else "right"


def _relation(street: Street, actor: Actor, rng: np.random.Generator) -> str:
    item = street.items[actor.index]
    way = "towards the viewer" if actor.d > 0 else "away"
    verb = _VERBS.get((item.class_name, actor.role)) or _VERBS.get((actor.role,))
    near = _landmark(street, actor)
    if verb is not None:
        said = verb.format(side=_side(actor), way=way)
        if near and actor.role in ("parked", "walking", "waiting") and rng.random() < 0.5:
            return said.replace(f"on the {_side(actor)}", near)
        return said
    if near and item.class_name in ("pole", "vegetation", "bicycle", "motorcycle") and rng.random() < 0.45:
        return near
    junction = street.plan.junction
    if junction is not None and abs(actor.s - junction.at) < 7 and rng.random() < 0.5:
        return "at the corner"
    return f"on the {_side(actor)}"


def _landmark(street: Street, actor: Actor) -> str:
    """ "in front of a red brick house", "under a plane tree", or nothing."""
    best, words = 6.0, ""
    for other in street.actors:
        item = street.items[other.index]
        if other.d * actor.d <= 0 or item.class_name not in ("building", "vegetation") or item.name == "hedge":
            continue
        gap = abs(other.s - actor.s)
        if item.class_name == "building" and abs(other.d) > abs(actor.d) and gap < best:
            best, words = gap, f"in front of {item.phrase}"
        elif item.name == "tree crown" and gap < 1.8 and abs(other.d - actor.d) < 2.2:
            return f"under {item.phrase}"
    return words


_IRREGULAR = {"man": "men", "woman": "women", "child": "children", "factory": "factories", "person": "people"}
_TAILS = re.compile(r" (?:with|in|on) ")


def plural_phrase(phrase: str, count: int) -> str:
    """ "a man in a red coat", 2 -> "two men in red coats"."""
    tail = _TAILS.search(phrase)
    head, rest = (phrase, "") if tail is None else (phrase[: tail.start()], phrase[tail.start() :])
    number = plural("a stool", count).split()[0]
    joint, _, owned = rest.strip().partition(" ")
    if owned.startswith(("a ", "an ")):
        owned = _plural_noun(owned.partition(" ")[2])
    words = f"{number} {_plural_noun(head.partition(' ')[2])}"
    return f"{words} {joint} {owned}" if rest else words


def _plural_noun(words: str) -> str:
    *before, noun = words.split()
    many = _IRREGULAR.get(noun) or f"{noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
    return " ".join([*before, many])

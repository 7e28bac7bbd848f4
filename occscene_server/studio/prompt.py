"""Sentences that describe a room by what is seen of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from occscene_server.studio.room import Room

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
_UNNAMED = ("floor", "ceiling", "skirting board", "south wall", "north wall", "west wall", "east wall")
_MINOR = ("door", "window", "curtain", "vase", "books", "fruit bowl", "ceiling lamp", "picture")
LIGHT_WORDS = {
    "morning sun": ("morning sun", "soft morning sunlight", "early morning light"),
    "bright day": ("bright day", "bright daylight", "clear daylight"),
    "overcast": ("overcast light", "soft grey daylight", "overcast day"),
    "warm evening": ("warm evening", "warm lamp light in the evening", "evening with the lamps on"),
    "sunset": ("sunset", "golden sunset light", "low orange sunset light"),
}
_WORD_LIMIT = 56
"""Words before a template adds its own few."""


def plural(phrase: str, count: int) -> str:
    """ "a red stool", 3 -> "three red stools"."""
    _, _, rest = phrase.partition(" ")
    head, joint, tail = rest.partition(" with ") if " with " in rest else rest.partition(" in ")
    if head.endswith("shelf"):
        head = f"{head[:-1]}ves"
    elif not head.endswith("books"):
        head += "es" if head.endswith(("ch", "x", "s")) else "s"
    if head.startswith("chest of") or " chest of" in head:
        head = head.replace("chest of drawerses", "chests of drawers")
    if head.startswith("stack of"):
        head = head.replace("stack of", "stacks of")
    return f"{_NUMBERS.get(count, 'many')} {head}{joint}{tail}"


def visible_phrases(room: Room, visible_item_names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Phrases of what is seen, equal objects counted: furniture first, then decor, each in random order."""
    left = {name: list(visible_item_names).count(name) for name in visible_item_names}
    counts: dict[tuple[str, str], int] = {}
    for item in room.items:
        if item.name not in _UNNAMED and left.get(item.name, 0) > 0:
            left[item.name] -= 1
            counts[item.name, item.phrase] = counts.get((item.name, item.phrase), 0) + 1
    order = [list(counts)[int(i)] for i in rng.permutation(len(counts))]
    order.sort(key=lambda entry: entry[0].rstrip(" 0123456789") in _MINOR)
    return [phrase if counts[name, phrase] == 1 else plural(phrase, counts[name, phrase]) for name, phrase in order]


def compose_prompt(room: Room, visible_item_names: Sequence[str], rng: np.random.Generator) -> str:
    """A prompt of about 15 to 60 words naming style, kind, light, walls, floor and most of what is visible.

    Args:
        room: the room.
        visible_item_names: `Item.name` of each visible item; a name given twice stands for two items.
        rng: draws the template, the order and what is left unsaid.
    """
    phrases = visible_phrases(room, visible_item_names, rng)
    kept = [phrase for i, phrase in enumerate(phrases) if i < 3 or rng.random() < 0.88]
    light = str(rng.choice(LIGHT_WORDS[room.light]))
    article = "an" if room.style[0] in "aeiou" else "a"
    head = f"{article} {room.style} {room.kind}"
    if rng.random() < 0.92:
        shell = f"{room.wall_phrase} and {_floor(room.floor_phrase)}"
    else:
        shell = room.wall_phrase if rng.random() < 0.5 else _floor(room.floor_phrase)
    while len(f"{head} with {shell}, {', '.join(kept)}, {light}".split()) > _WORD_LIMIT:
        kept.pop()
    contents = ", ".join(kept)
    listed = contents if len(kept) < 2 else f"{', '.join(kept[:-1])} and {kept[-1]}"
    templates = (
        f"{head} with {shell}, {contents}, {light}",
        f"{head}, {shell}, {contents}, {light}",
        f"{head} with {listed}, {shell}, {light}",
        f"{light}, {head} with {shell}: {contents}",
        f"a photo of {head} with {listed}; {shell}; {light}",
        f"{room.style} {room.kind}, {contents}, {shell}, {light}",
    )
    return templates[int(rng.integers(len(templates)))].replace(", ,", ",").replace(" with ,", ",")


def _floor(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"

"""What a prompt asks for, read by rule: kinds of object, how many, in which colours, and what stands where.

The network reads prompts too, all of them and more freely. This is for checking what it draws, and drawing again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "both": 2, "pair": 2}
OTHER_NAMES = {
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
    "ground": "floor",
    "flooring": "floor",
    "tree": "tree crown",
    "spruce": "tree crown",
    "pedestrian": "person",
    "people": "person",
    "man": "person",
    "men": "person",
    "woman": "person",
    "women": "person",
    "child": "person",
    "children": "person",
    "cyclist": "bicyclist",
    "bike": "bicycle",
    "motorbike": "motorcycle",
    "lorry": "truck",
    "delivery van": "van",
    "city bus": "bus",
    "hatchback": "car",
    "saloon": "car",
    "saloon car": "car",
    "estate car": "car",
    "small car": "car",
    "off-road car": "car",
    "suv": "car",
    "sedan": "car",
    "taxi": "car",
    "lamp post": "street lamp",
    "lantern": "street lamp",
    "sidewalk": "pavement",
    "footway": "pavement",
    "courtyard": "yard",
    "stone wall": "garden wall",
    "railing": "fence",
    "sign": "traffic sign",
    "town house": "house",
    "farm": "barn",
}
"""What else people call the studio's kinds."""

_RELATIONS = {
    "in front of": r"in front of",
    "at the foot of": r"at the foot of",
    "beside": r"beside|next to|near|by",
    "under": r"under|below|beneath",
    "above": r"above|over",
    "opposite": r"opposite|facing|across from",
    "on": r"on top of|on",
    "at": r"at|around",
}
"""How the names of `geometry.relations` are said; the first that fits counts."""

MADE_WITH = re.compile(r"\b(?:with|in) an? (?:(?!in |with )[\w-]+ ){0,5}(?:pot|blanket|frame)s?\b ?")
"""What describes an object and is none itself: "in a brown pot"."""

_ROUND = re.compile(r"\b(?:round|circular)\b")
_CORNER = re.compile(r"^ in (the|a) corner\b")
_SIDE = re.compile(r"^(?: \w+)? on the (left|right)\b")
"""Of the road: "parked on the left"."""


@dataclass(frozen=True)
class RequestedObject:
    """That there be `count` objects of a kind, of a colour or, if "", of any; an anchor may be asked for elsewhere."""

    kind: str
    color_word: str
    count: int
    is_anchor: bool = False


@dataclass(frozen=True)
class Reading:
    """The objects and relations that a prompt names.

    Args:
        objects: in the order of the prompt.
        relations: (kind, name of `geometry.relations.RELATIONS`, kind of the anchor or "" for a corner or the road).
        round_kinds: kinds that are called round, and so are as deep as wide.
    """

    objects: tuple[RequestedObject, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    round_kinds: frozenset[str] = frozenset()

    def least(self) -> dict[str, int]:
        """How many objects of each kind there must be at least."""
        counts: dict[str, int] = {}
        for obj in self.objects:
            if not obj.is_anchor:
                counts[obj.kind] = counts.get(obj.kind, 0) + obj.count
        for obj in self.objects:
            counts.setdefault(obj.kind, obj.count)
        return counts

    def colors(self, kind: str) -> list[str]:
        """The colour of each object of a kind that is asked for in one."""
        asked = [obj for obj in self.objects if obj.kind == kind and obj.color_word]
        return [obj.color_word for obj in asked for _ in range(obj.count)]


def read_prompt(prompt: str, kinds: Sequence[str], colors: Sequence[str], context: str = "") -> Reading:
    """Reads a prompt.

    Args:
        prompt: as a person types it, in English.
        kinds: names of objects that there are.
        colors: colour words that there are; "" is ignored.
        context: the prompt of the whole room; if given, it decides what a plain "table" is.
    """
    other_names = OTHER_NAMES | (_mere_names(context.lower()) if context else {})
    names = {kind: kind for kind in kinds} | {name: kind for name, kind in other_names.items() if kind in kinds}
    forms = {form: kind for name, kind in names.items() for form in (name, plural_of(name))}
    several = {plural_of(name) for name in names} - {"books", "parking bays"}
    has_sides = "road" in kinds
    noun = re.compile(rf"\b({_any(forms)})\b")
    color = re.compile(rf"\b({_any(word for word in colors if word)})\b")
    text = MADE_WITH.sub("", prompt.lower().replace("gray", "grey"))
    text = re.sub(rf"\b({color.pattern}) and (?={color.pattern})", r"\1 ", text)
    objects: list[RequestedObject] = []
    relations: list[tuple[str, str, str]] = []
    round_kinds: set[str] = set()
    for clause in _clauses(text):
        end, subject = 0, ""
        for match in noun.finditer(clause):
            kind, before = forms[match.group(1)], clause[end : match.start()]
            numbers = [_NUMBERS[word] for word in before.split() if word in _NUMBERS]
            words = color.findall(before)
            # streets know sides only
            relation = _relation(before) if subject and not has_sides else ""
            if relation:
                relations.append((subject, relation, kind))
            count = numbers[0] if numbers else 2 if match.group(1) in several else 1
            objects.append(RequestedObject(kind, words[0] if words else "", count, bool(relation)))
            if _ROUND.search(before):
                round_kinds.add(kind)
            end, subject = match.end(), subject or kind
            if _CORNER.match(clause[end:]):
                relations.append((kind, "in the corner", ""))
            if has_sides and (side := _SIDE.match(clause[end:])):
                relations.append((kind, f"on the {side.group(1)}", ""))
    return Reading(tuple(objects), tuple(relations), frozenset(round_kinds))


def _mere_names(text: str) -> dict[str, str]:
    """What a table, a chair and a lamp are in the room that a text describes."""
    dining, study = re.search(r"\b(?:dining|kitchen)\b", text), re.search(r"\b(?:study|office|desk)\b", text)
    return {
        "table": "dining table" if dining else "coffee table",
        "chair": "dining chair" if dining else "office chair" if study else "armchair",
        "lamp": "floor lamp",
    }


def phrases_of(prompt: str, kinds: Sequence[str]) -> dict[str, list[str]]:
    """The prompt's phrases by kind, repeated by their count: "a mustard velvet sofa" for "sofa"."""
    phrases: dict[str, list[str]] = {}
    for clause in _clauses(MADE_WITH.sub("", prompt.lower())):
        objects = read_prompt(clause, kinds, ()).objects
        if objects:
            phrases.setdefault(objects[0].kind, []).extend([clause.strip()] * objects[0].count)
    return phrases


def _clauses(text: str) -> list[str]:
    return re.split(r"[,;:.]|\band\b|\bwith\b", text)


def _relation(between: str) -> str:
    """The relation that the words between two objects name, "" for none."""
    words = between.strip()
    return next((name for name, said in _RELATIONS.items() if re.match(rf"({said})\b", words)), "")


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def plural_of(name: str) -> str:
    """ "bookshelf" -> "bookshelves"."""
    if name.startswith(("chest of", "stack of")):
        head, _, rest = name.partition(" ")
        return f"{head}s {rest}"
    if name.endswith("shelf"):
        return f"{name[:-1]}ves"
    if name.endswith("s"):
        return name
    if name.endswith("rry"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("ch", "x")) else f"{name}s"

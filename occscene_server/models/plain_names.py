"""What objects are called in plain English, the language of prompts: "SM_Sofa_01", "Canapé" and "Cube" may be sofas.

The networks learnt from names like "coffee table", and a prompt speaks of walls, not of "Wall_North".
"""

from __future__ import annotations

from occscene.object_names import split_name
from occscene.taxonomy import Taxonomy

from occscene_server.models.object_words import base_name

_SAYING_NOTHING = frozenset(
    {"", "cube", "plane", "circle", "sphere", "icosphere", "cylinder", "cone", "torus", "grid", "mesh", "object"}
)
"""What Blender calls its primitives."""

_NOUNS = {"tvs": "television", "furn": "", "objs": ""}
"""Of the classes that are not called by a word of English."""


def class_noun(class_name: str) -> str:
    """What a person calls an object of a class; "" where that can be anything."""
    return _NOUNS.get(class_name, "" if "-" in class_name else class_name)


def plain_name(name: str, class_name: str, taxonomy: Taxonomy) -> str:
    """The name of an object as one would say it.

    A name of plain words stays, if they are English. Of any other the word that says what the object is stays. A name
    that says nothing, or says it in another language, gives way to the noun of the class.

    Args:
        name: as an artist or an asset library gives it.
        class_name: of the object; "" if it is not known.
        taxonomy: of the class.
    """
    base = base_name(name)
    if base in _SAYING_NOTHING:
        return class_name or base
    parts, word = [part.lower() for part in split_name(name)], taxonomy.word_of(name)
    if word is not None and "en" in word.languages:
        return base if base.split() == parts else word.text
    return class_noun(class_name) or " ".join(parts)


def general_noun(name: str, class_name: str) -> str:
    """The noun of the class, where an object's plain name has it: "bed" of "double bed"; else ""."""
    noun = class_noun(class_name)
    return noun if noun in split_name(name) else ""

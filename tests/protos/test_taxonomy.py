"""What an object's name says of its class."""

from __future__ import annotations

import pytest
from occscene.object_names import words_of
from occscene.taxonomy import INDOOR, OUTDOOR, SemanticClass, Taxonomy


@pytest.mark.parametrize(
    ("taxonomy", "name", "expected"),
    [
        (INDOOR, "Sofa.001", "sofa"),
        (INDOOR, "left_wall", "wall"),
        (INDOOR, "CoffeeTable", "table"),
        (INDOOR, "wall lamp", "objs"),
        (INDOOR, "SM_TVStand", "furn"),
        (INDOOR, "Küchenschrank", "furn"),
        (INDOOR, "Kuechenschrank", "furn"),
        (INDOOR, "Stühle", "chair"),
        (INDOOR, "table lamp on the sideboard", "objs"),
        (INDOOR, "lampe de bureau", "objs"),
        (INDOOR, "SM_Lamp_Wall", "objs"),
        (INDOOR, "cabinetTelevision", "furn"),
        (INDOOR, "Window_frame", "window"),
        (INDOOR, "lit", "bed"),
        (INDOOR, "lit candle", "objs"),
        (INDOOR, "coffeetable", "table"),
        (INDOOR, "toadstool", None),
        (INDOOR, "Gewand", None),
        (INDOOR, "Box.001", None),
        (INDOOR, "Cube.003", None),
        (OUTDOOR, "StreetLight", "pole"),
        (OUTDOOR, "house wall", "building"),
        (OUTDOOR, "park bench", None),
        (OUTDOOR, "Double_Bus", "other-vehicle"),
    ],
)
def test_a_name_speaks_of_a_class(taxonomy: Taxonomy, name: str, expected: str | None) -> None:
    entry = taxonomy.guess(name)
    assert (entry.name if entry else None) == expected


def test_each_word_of_the_file_is_read_as_what_it_says() -> None:
    """Of two meanings of a word that of the line above counts; such words are few."""
    for taxonomy in (INDOOR, OUTDOOR):
        rows = [(text.lstrip("?="), own) for text, own, _ in words_of(taxonomy.name) if own not in ("-", "~")]
        classes = {entry.name for entry in taxonomy.classes[1:]}
        assert {own for _, own in rows} <= classes
        missed = [(text, own) for text, own in rows if (entry := taxonomy.guess(text)) is None or entry.name != own]
        assert len(missed) <= 0.01 * len(rows), missed


def test_a_taxonomy_without_words_of_the_file_has_its_own() -> None:
    zoo = Taxonomy(
        "zoo", (SemanticClass(0, "empty", (0, 0, 0), 0), SemanticClass(1, "lion", (9, 9, 9), 1, ("big cat",)))
    )
    assert zoo.guess("BigCats.002") == zoo.classes[1]
    assert zoo.guess("Sofa") is None

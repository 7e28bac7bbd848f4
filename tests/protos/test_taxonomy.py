"""What an object's name says of its class."""

from __future__ import annotations

import pytest
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy


@pytest.mark.parametrize(
    ("taxonomy", "name", "expected"),
    [
        (INDOOR, "Sofa.001", "sofa"),
        (INDOOR, "left_wall", "wall"),
        (INDOOR, "CoffeeTable", "table"),
        (INDOOR, "wall lamp", "objs"),
        (INDOOR, "Cube.003", None),
        (OUTDOOR, "Double_Bus", "other-vehicle"),
    ],
)
def test_a_name_speaks_of_a_class(taxonomy: Taxonomy, name: str, expected: str | None) -> None:
    entry = taxonomy.guess(name)
    assert (entry.name if entry else None) == expected

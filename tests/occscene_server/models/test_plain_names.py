"""What objects are called in plain English."""

from __future__ import annotations

import pytest
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy

from occscene_server.models.plain_names import general_noun, plain_name


@pytest.mark.parametrize(
    ("taxonomy", "name", "class_name", "expected", "noun"),
    [
        (INDOOR, "Sofa.001", "sofa", "sofa", "sofa"),
        (INDOOR, "SM_Sofa_01", "sofa", "sofa", "sofa"),
        (INDOOR, "Canapé", "sofa", "sofa", "sofa"),
        (INDOOR, "Couch", "sofa", "couch", ""),
        (INDOOR, "WallLeft", "wall", "wall", "wall"),
        (INDOOR, "north wall", "wall", "north wall", "wall"),
        (INDOOR, "double bed 2", "bed", "double bed", "bed"),
        (INDOOR, "SM_CoffeeTable_2", "table", "coffee table", "table"),
        (INDOOR, "rug", "floor", "rug", ""),
        (INDOOR, "Cube.003", "wall", "wall", "wall"),
        (INDOOR, "Cube.003", "", "cube", ""),
        (INDOOR, "Fernseher", "tvs", "television", "television"),
        (INDOOR, "Küchenschrank", "furn", "küchenschrank", ""),
        (INDOOR, "Asset_04", "objs", "asset", ""),
        (OUTDOOR, "KB3D_Bldg_A", "building", "bldg", ""),
        (OUTDOOR, "Doppeldecker", "other-vehicle", "doppeldecker", ""),
    ],
)
def test_names_become_plain(taxonomy: Taxonomy, name: str, class_name: str, expected: str, noun: str) -> None:
    plain = plain_name(name, class_name, taxonomy)
    assert plain == expected
    assert general_noun(plain, class_name) == noun

"""Names of other languages and habits reach the kind of furniture that they speak of."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from occscene_server.models.kind_names import named_kind
from occscene_server.models.parts_prior import PartsPrior
from occscene_server.weights import default_parts_prior

NAMES = {
    "coffee table": "SM_CoffeeTable_01 Couchtisch couch_tisch.003 table_basse MesaDeCentro",
    "floor lamp": "Stehlampe lampadaire lampara_de_pie floorLamp",
    "table lamp": "TischLampe lampe_de_bureau LampeDeChevet lampada_da_tavolo abajur",
    "nightstand": "Nachttisch table_de_chevet MesitaDeNoche comodino criado_mudo bedside-table",
    "wardrobe": "Kleiderschrank.001 armadio guarda_roupa Armoire",
    "bookshelf": "Bücherregal Buecherregal estanteria hondana SM_BookCase",
    "tv cabinet": "TVStand tv-bench meuble_tv mueble_tv",
    "office chair": "Bürostuhl silla_de_oficina chaise_de_bureau",
    "armchair": "Ohrensessel fauteuil sillon poltrona",
    "desk": "Schreibtisch escritorio scrivania escrivaninha tsukue",
    "plant": "Topfpflanze plante_verte planta prop_plant_02",
    "bed": "letto_matrimoniale Doppelbett cama lit_01",
    "": "Cube.001 Tisch chaise Küchenschrank Wanduhr door_knob Bettdecke Werkbank item 123",
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names.split()])
def test_names_reach_their_kind(kind: str, name: str) -> None:
    assert named_kind(name) == kind


@pytest.mark.weights
def test_few_names_of_other_peoples_assets_get_a_kind_of_another_class() -> None:
    vocabulary = PartsPrior.from_pretrained(default_parts_prior()).vocabulary
    classes = dict(zip(vocabulary.kinds, vocabulary.classes, strict=True))
    table = Path(__file__).parents[2] / "protos" / "data" / "object_names.csv"
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["taxonomy"] == "indoor" and row["class"] in classes.values()]
    kinds = [named_kind(row["name"]) for row in rows]
    assert set(kinds) <= {"", *classes}
    wrong = [kind for kind, row in zip(kinds, rows, strict=True) if kind and classes[kind] != row["class"]]
    assert sum(map(bool, kinds)) > 0.4 * len(rows)
    assert len(wrong) < 0.04 * len(rows)  # which the class overrules

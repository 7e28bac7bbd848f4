"""Taxonomies of one's own come from JSON files, and mistakes in them are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occscene.taxonomy import INDOOR, OUTDOOR, SemanticClass, Taxonomy, load_taxonomy, save_taxonomy

EMPTY = {"name": "empty", "color": [0, 0, 0]}
SHIP = {"name": "ship", "color": [10, 20, 30], "priority": 7, "aliases": ["boat", "rowing boat"]}

channel = st.integers(0, 255)
words = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8})?", fullmatch=True)


@st.composite
def taxonomies(draw: st.DrawFn) -> Taxonomy:
    names = draw(st.lists(st.text(min_size=1, max_size=20).filter(lambda n: n != "empty"), min_size=1, unique=True))
    classes = [SemanticClass(0, "empty", (0, 0, 0), 0)]
    for name in names:
        color, aliases = draw(st.tuples(channel, channel, channel)), tuple(draw(st.lists(words, max_size=3)))
        classes.append(SemanticClass(len(classes), name, color, draw(channel), aliases))
    return Taxonomy(draw(st.text(min_size=1, max_size=20)), tuple(classes))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taxonomies())
def test_what_is_saved_is_loaded(tmp_path: Path, taxonomy: Taxonomy) -> None:
    save_taxonomy(tmp_path / "taxonomy.json", taxonomy)
    assert load_taxonomy(tmp_path / "taxonomy.json") == taxonomy


@pytest.mark.parametrize("taxonomy", [INDOOR, OUTDOOR])
def test_the_built_in_ones_are_a_start_for_one_s_own(taxonomy: Taxonomy, tmp_path: Path) -> None:
    save_taxonomy(tmp_path / "taxonomy.json", taxonomy)
    assert load_taxonomy(tmp_path / "taxonomy.json") == taxonomy


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "harbour.json"
    path.write_text(json.dumps({"name": "harbour", "classes": [EMPTY, SHIP, {"name": "quay", "color": [9, 9, 9]}]}))
    taxonomy = load_taxonomy(path)
    assert [entry.name for entry in taxonomy.classes] == ["empty", "ship", "quay"]
    assert taxonomy.classes[2].priority == 50
    guess = taxonomy.guess("RowingBoat.003")
    assert guess is not None
    assert guess.name == "ship"


def harbour(**changes: Any) -> dict[str, Any]:
    return {"name": "harbour", "classes": [EMPTY, SHIP | changes]}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], r"the file is \[\]; it must be an object with name, classes"),
        ({"name": "harbour"}, "the file lacks classes"),
        (harbour() | {"name": 7}, "the file.name is 7; it must be text"),
        (harbour() | {"name": ""}, "name has 0 characters; it must have 1 to 200"),
        (harbour() | {"clases": 1}, "unknown field 'clases'; it may have name, classes"),
        ({"name": "harbour", "classes": [EMPTY]}, "has 1 classes; it must have 2 to 255"),
        (
            {"name": "harbour", "classes": [EMPTY, *({"name": f"{i}", "color": [0, 0, 0]} for i in range(255))]},
            "has 256",
        ),
        ({"name": "harbour", "classes": [SHIP, EMPTY]}, "class 0 is 'ship'; it must be 'empty'"),
        ({"name": "harbour", "classes": [EMPTY, SHIP, SHIP]}, "the class name 'ship' is used twice"),
        ({"name": "harbour", "classes": [EMPTY, "ship"]}, r"classes\[1\] is 'ship'; it must be an object"),
        ({"name": "harbour", "classes": [EMPTY, {"name": "ship"}]}, r"classes\[1\] lacks color"),
        (harbour(name="x" * 201), r"classes\[1\]\.name has 201 characters"),
        (harbour(color=[1, 2]), r"classes\[1\]\.color is \(1, 2\); it must be three whole numbers from 0 to 255"),
        (harbour(color=[1, 2, 256]), r"classes\[1\]\.color is \(1, 2, 256\)"),
        (harbour(color=[1, 2, 0.5]), r"classes\[1\]\.color is \(1, 2, 0\.5\)"),
        (harbour(color=[1, 2, True]), r"classes\[1\]\.color is"),
        (harbour(color="#ff0000"), r"classes\[1\]\.color is '#ff0000'; it must be a list"),
        (harbour(priority=256), r"classes\[1\]\.priority is 256; it must be a whole number from 0 to 255"),
        (harbour(priority=True), r"classes\[1\]\.priority is True; it must be a whole number"),
        (harbour(priority=1.5), r"classes\[1\]\.priority is 1\.5; it must be a whole number"),
        (harbour(aliases=["Boat"]), r"classes\[1\]\.aliases has 'Boat'; an alias is lower-case words"),
        (harbour(aliases=[1]), r"classes\[1\]\.aliases has 1"),
        (harbour(index=1), r"classes\[1\] has the unknown field 'index'"),
    ],
)
def test_a_mistake_is_named(data: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=text) as caught:
        load_taxonomy(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_not_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.json is not JSON"):
        load_taxonomy(tmp_path / "mine.json")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(bytes(2**20 + 1))
    with pytest.raises(ValueError, match="has 1048577 bytes; the limit of a taxonomy is 1048576"):
        load_taxonomy(tmp_path / "mine.json")

"""Which words of a prompt belong to which object."""

from __future__ import annotations

import pytest

from occscene_server.metrics.palette import COLORS, WOODS, named_colors
from occscene_server.models.prompt_phrases import prompt_phrases


@pytest.mark.parametrize(
    ("prompt", "names", "phrases"),
    [
        (
            "a modern bedroom with a white and mustard striped rug, a walnut bed with a teal leather blanket, two red "
            "velvet armchairs and a blue armchair, grey concrete walls and a grey tiled floor, bright daylight",
            ["rug", "bed", "armchair", "armchair", "armchair", "armchair", "east wall", "floor", "door"],
            [
                "a white and mustard striped rug",
                "a walnut bed with a teal leather blanket",
                "a red velvet armchair",
                "a red velvet armchair",
                "a blue armchair",
                "a blue armchair",
                "grey concrete walls",
                "grey tiled floor",
                "",
            ],
        ),
        (
            "Cosy den: orange couch, four oak bookshelves and an olive plant in a grey pot. Stone walls",
            ["sofa", "bookshelf", "plant", "wall", "lamp"],
            ["an orange couch", "an oak bookshelf", "an olive plant in a grey pot", "stone walls", ""],
        ),
        ("two stacks of books on a gray desk", ["books", "desk"], ["a stack of books", "a grey desk"]),
        ("", ["sofa"], [""]),
        ("a sofa", ["", "so(fa"], ["", ""]),
    ],
)
def test_phrases_are_cut_out_of_prompts(prompt: str, names: list[str], phrases: list[str]) -> None:
    assert prompt_phrases(prompt, names) == phrases


def test_colors_are_named_by_whole_words_in_their_order() -> None:
    named = named_colors("A Teal and white checked rug on oak, greyhounds, gray")
    assert named == [COLORS["teal"], COLORS["white"], WOODS["oak"], COLORS["grey"]]
    assert named_colors("") == []

"""The artist guide quotes labels of the extension: each of them is one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"On this machine:", "On another machine:", "italics"}
"""Italics that quote nothing."""


def quoted_labels() -> list[str]:
    """What stands in single asterisks, on one line each."""
    text = (ROOT / "docs/artist_guide.md").read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL).replace("**", "")
    labels = {" ".join(label.split()) for label in re.findall(r"(?<!\*)\*([^*]+?)\*(?!\*)", text)}
    return sorted(labels - PLAIN)


def texts_of_the_extension() -> list[str]:
    """All string constants of the extension and of the settings; what an f-string or `format` fills in is "..."."""
    texts = set()
    for path in (*(ROOT / "blender_addon").rglob("*.py"), ROOT / "protos/occscene/settings.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                texts.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value.replace("{}", "..."))
    return sorted(texts)


TEXTS = set(texts_of_the_extension())


@pytest.mark.parametrize("label", quoted_labels())
def test_a_quoted_label_is_one_of_the_extension(label: str) -> None:
    assert label in TEXTS


def test_labels_that_are_no_longer_there_are_noticed() -> None:
    assert len(quoted_labels()) > 50
    assert "Guess by Name" in TEXTS
    assert "Guess by Shape" not in TEXTS

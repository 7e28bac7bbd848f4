"""Every text that is asked for by its translation has one."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import blender_addon
from blender_addon.translations import LANGUAGES


def asked_for(path: Path) -> Iterator[str]:
    """Texts that a module hands to Blender's translation itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("pgettext"):
            yield from (text.value for text in node.args if isinstance(text, ast.Constant))


def test_what_is_asked_for_is_translated() -> None:
    texts = {text for path in Path(blender_addon.__file__).parent.rglob("*.py") for text in asked_for(path)}
    assert len(texts) > 20
    for language, known in LANGUAGES.items():
        assert not texts - known.keys(), language


def test_translations_keep_what_is_filled_in() -> None:
    def fields(text: str) -> list[str | None]:
        return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]

    for known in LANGUAGES.values():
        assert [text for text, translated in known.items() if fields(text) != fields(translated)] == []

"""The markers that CONTRIBUTING.md names tell the truth: what needs Blender or bundled weights is marked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
MODULES = sorted(path for path in TESTS.rglob("test_*.py") if path != Path(__file__))
NEEDS_BLENDER = re.compile(r"importorskip\(\"bpy\"\)")
NEEDS_WEIGHTS = re.compile(
    r"default_(?:model|layout_prior|parts_prior)\(|ScenePriors\.bundled|script=BUNDLED|load_tiny_with|wait_for_server\("
    r"|(?:bundled|composing|drawing): str"
)


def unmarked(marker: str, needs: re.Pattern[str], modules: list[Path]) -> list[str]:
    """Modules that need something and have no test with the marker."""
    texts = {path: path.read_text(encoding="utf-8") for path in modules}
    return [
        str(path.relative_to(TESTS))
        for path, text in texts.items()
        if needs.search(text) and f"pytest.mark.{marker}" not in text
    ]


def test_what_needs_blender_is_marked(request: pytest.FixtureRequest) -> None:
    elsewhere = [path for path in MODULES if TESTS / "blender" not in path.parents]  # a conftest marks those
    assert not unmarked("blender", NEEDS_BLENDER, elsewhere)
    in_folder = [item for item in request.session.items if TESTS / "blender" in item.path.parents]
    assert all(item.get_closest_marker("blender") for item in in_folder)


def test_what_runs_bundled_weights_is_marked() -> None:
    assert not unmarked("weights", NEEDS_WEIGHTS, MODULES)


def test_a_missing_mark_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TESTS", tmp_path)
    module = tmp_path / "test_room.py"
    module.write_text('bpy = pytest.importorskip("bpy")\n', encoding="utf-8")
    assert unmarked("blender", NEEDS_BLENDER, [module]) == ["test_room.py"]

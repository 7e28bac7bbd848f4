"""What the pages name exists: paths, modules, commands with their options, make targets, extras and links."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from occscene_server.cli.root import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
TEXTS = [pytest.param(page.read_text(encoding="utf-8"), id=str(page.relative_to(ROOT))) for page in PAGES]
PLACEHOLDERS = re.compile(r"VERSION|PLATFORM|NAME|NUMBER")
MODULE = re.compile(r"(?<![\w/.-])(?:occscene|occscene_server|blender_addon|tests)(?:\.\w+)+(?![\w/])")
each_page = pytest.mark.parametrize("text", TEXTS)


def code_of(text: str) -> list[str]:
    """All that stands in backticks: spans, and the lines of shell blocks with those that they continue."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [*spans, *lines]


def commands(text: str, program: str) -> list[list[str]]:
    """The arguments of each call of a program, without comments."""
    found = []
    for line in code_of(text):
        words = shlex.split(re.sub(r"(^|\s)#.*", "", line).replace("$G", "").replace("$D", ""))
        places = [place for place, word in enumerate(words) if word == program or word.endswith(f"/{program}")]
        found += [words[place + 1 :] for place in places]
    return found


def subcommand(words: list[str]) -> tuple[Any, list[str]]:
    """The command of `occscene-server` that words name, and the words after its name."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "get_command") and words and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(None, name)
        assert command is not None, f"occscene-server has no command {name!r}"
    return command, words


@each_page
def test_paths_exist(text: str) -> None:
    roots = r"(?:blender_addon|occscene_server|protos|tests|docs|examples|\.github|\.ci)"
    for span in code_of(text):
        for path in re.findall(rf"(?<![\w/.-]){roots}/[\w./*-]*\w/?", span):
            if not PLACEHOLDERS.search(path):
                assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in anchors, target


@each_page
def test_modules_exist(text: str) -> None:
    for span in code_of(text):
        for name in re.findall(
            r"(?<![\w/.-])(?:occscene|occscene_server|blender_addon|tests)(?:\.\w+)+(?![\w/])", span
        ):
            if not name.endswith((".py", ".zip", ".v1", ".verb")):
                assert is_module_or_in_one(name), name


def is_module_or_in_one(name: str) -> bool:
    """Whether a dotted name is a module, or what a module defines."""
    place = Path(*name.split("."))
    for base in (ROOT / "protos", ROOT):
        for module in (base / place, base / place.parent):
            files = [path for path in (module.with_suffix(".py"), module / "__init__.py") if path.is_file()]
            if files and (module == base / place or place.name in top_level_names(files[0])):
                return True
    return False


def top_level_names(path: Path) -> set[str]:
    """What a module defines or imports at its top level, for type checkers only too."""
    names: set[str] = set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node in [*body, *(inner for outer in body if isinstance(outer, ast.If) for inner in outer.body)]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


@each_page
def test_commands_of_the_server_exist_with_their_options(text: str) -> None:
    for words in commands(text, "occscene-server"):
        command, rest = subcommand(words)
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in known | {"--help"}, f"{' '.join(words)}: {word}"


@pytest.mark.blender
@each_page
def test_verbs_of_blender_are_parsed(text: str) -> None:
    pytest.importorskip("bpy")
    command = importlib.import_module("blender_addon.operators.command")
    for words in commands(text, "blender"):
        if "occscene" in words and len(words) > words.index("occscene") + 2:
            parsed = command._parser().parse_args(words[words.index("occscene") + 1 :])
            assert isinstance(parsed, argparse.Namespace)


@each_page
def test_modules_that_are_run_and_make_targets_exist(text: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for words in commands(text, "make"):
        assert words == [] or words[0] in targets, words
    for words in [*commands(text, "python"), *commands(text, "python3.11")]:
        if words[:1] == ["-m"] and words[1] not in ("pytest", "venv"):
            assert is_module_or_in_one(words[1]), words[1]


@each_page
def test_extras_exist(text: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for span in code_of(text):
        for names in re.findall(r"[\"' ]\.\[([\w,]+)\]", span):
            assert set(names.split(",")) <= extras.keys(), names


@each_page
def test_python_blocks_compile_and_import_what_is_there(text: str) -> None:
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("occscene"):
                for alias in node.names:
                    assert is_module_or_in_one(f"{node.module}.{alias.name}"), ast.unparse(node)


@each_page
def test_lines_fit_an_editor(text: str) -> None:
    long = [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")]
    assert not long


def test_kinds_that_the_layout_prior_knows_are_listed() -> None:
    config = json.loads((ROOT / "occscene_server/weights/layout-indoor/config.json").read_text(encoding="utf-8"))
    text = " ".join((ROOT / "docs/server.md").read_text(encoding="utf-8").split())
    listed = text.split("The layout prior knows")[1].split(": ")[1].split(".")[0]
    assert sorted(listed.split(", ")) == sorted(config["kinds"])


def test_what_is_no_longer_there_is_noticed() -> None:
    assert not is_module_or_in_one("occscene.grids")
    assert not is_module_or_in_one("occscene.grid.no_such_function")
    with pytest.raises(AssertionError, match="has no command 'serv'"):
        subcommand(["serv", "--port", "0"])
    with pytest.raises(AssertionError):
        test_commands_of_the_server_exist_with_their_options("`occscene-server serve --porto 0`")
    with pytest.raises(AssertionError):
        test_paths_exist("see `protos/occscene/no_such_file.py`")

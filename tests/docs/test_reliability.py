"""The page on reliability names tests that there are, and none of its rows is without one."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.occscene_server.serve_process import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text("utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
TABLES = PAGE.partition("## A soak")[0]
ROWS = [row for row in TABLES.splitlines() if row.startswith("| ") and not row.startswith(("| Triton |", "| fault |"))]


@cache
def functions_of(path: str) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name for name in functions if name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), TEST.findall(PAGE))
def test_tests_that_are_named_exist(path: str, name: str) -> None:
    assert name in functions_of(path)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_row_says_what_the_server_does_and_which_test_shows_it(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert all(cells[:-1])
    assert TEST.search(cells[-1])

"""Every reason that the server can send is in the tables, with advice, and has its own error in the client."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import occscene.v1
import pytest
from occscene.client import errors
from occscene.client.errors import RefusedError, SceneError
from occscene.events import CLIENT_REASONS, REASONS, Reason

from occscene_server.api import servicer
from occscene_server.api.errors import abort
from occscene_server.engine.events import failed_event

SERVER = Path(__file__).resolve().parents[3] / "occscene_server"
_SENDERS = {
    function.__name__: [*inspect.signature(function).parameters].index("reason") for function in (abort, failed_event)
}
"""Where the functions that send a reason take it."""


def sent_reasons() -> dict[str, set[str]]:
    """Reasons by the function that sends them, collected from the calls in the server's source."""
    sent: dict[str, set[str]] = {name: set() for name in _SENDERS}
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SENDERS):
                continue
            reason = node.args[_SENDERS[node.func.id]]
            if isinstance(reason, ast.Constant):
                sent[node.func.id].add(reason.value)
            else:  # one place takes it from a table
                assert (path.name, ast.unparse(reason)) == ("servicer.py", "reason"), f"{path}:{node.lineno}"
    sent["abort"] |= {reason for _, reason, _ in servicer._REFUSALS_AS_STATUS.values()}
    return sent


def table_of_the_contract() -> dict[str, Reason]:
    """The table in the comments of `scene_service.proto`."""
    text = Path(occscene.v1.__path__[0], "scene_service.proto").read_text("utf-8")
    comment = text[text.index("// The table of reasons") : text.index("service SceneService")]
    lines = [line.removeprefix("//") for line in comment.splitlines()]
    table = {}
    for entry in re.split(r"\n   (?=[A-Z_]+ \(retry)", "\n".join(lines))[1:]:
        head, *body = entry.splitlines()
        match = re.fullmatch(r"([A-Z_]+) \(retry: (yes|no)\)", head)
        assert match, head
        meaning, advice = " ".join(line.strip() for line in body).split(" > ")
        assert match[1] not in table
        table[match[1]] = Reason(meaning, advice, match[2] == "yes")
    return table


def test_the_contract_and_the_client_have_the_same_table() -> None:
    assert table_of_the_contract() == REASONS


def test_every_reason_that_is_sent_has_advice() -> None:
    sent = sent_reasons()
    assert len(sent["abort"]) >= 10
    assert len(sent["failed_event"]) >= 10
    assert sent["abort"] | sent["failed_event"] == set(REASONS)
    for reason in (*REASONS.values(), *(known for name, known in CLIENT_REASONS.items() if name != "STOPPED")):
        assert reason.meaning.endswith(".")
        assert reason.advice.endswith(".")


def test_every_reason_of_a_call_has_an_error_of_its_own() -> None:
    for reason in sent_reasons()["abort"]:
        assert RefusedError.by_reason[reason].reason == reason


def test_what_the_server_asks_to_repeat_may_succeed() -> None:
    for _, reason, seconds in servicer._REFUSALS_AS_STATUS.values():
        assert REASONS[reason].retry or not seconds, reason


def kinds_of(error: type[SceneError]) -> set[type[SceneError]]:
    return {error}.union(*map(kinds_of, error.__subclasses__()))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    tree = [line.split() for line in str(errors.__doc__).splitlines() if re.match(r" +([*.-] )?\w+Error\b", line)]
    listed = {words[1] if len(words[0]) == 1 else words[0]: words[-1] for words in tree}
    assert set(listed) == {kind.__name__ for kind in kinds_of(SceneError)}
    for kind in kinds_of(SceneError):
        assert kind.__doc__
        if kind.reason:
            assert listed[kind.__name__] == kind.reason
            assert kind.reason in REASONS or kind.reason in CLIENT_REASONS


@pytest.mark.parametrize("reason", CLIENT_REASONS)
def test_every_reason_of_the_client_is_raised(reason: str) -> None:
    assert reason in {kind.reason for kind in kinds_of(SceneError)}

"""The Grafana board asks for metrics and labels that a server has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from occscene.v1 import scene_service_pb2
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ROOT
from tests.occscene_server.serving import connected, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import until

BOARD = ROOT / "deploy/grafana.json"
FUNCTIONS = {"sum", "by", "rate", "increase", "histogram_quantile"}
OF_PROMETHEUS = {"instance", "job"}  # labels that Prometheus itself adds

Labels = dict[str, set[str]]


def queries() -> dict[str, str]:
    """Each query of the board, and the text of its legend."""
    return {
        target["expr"]: target["legendFormat"]
        for panel in json.loads(BOARD.read_text("utf-8"))["panels"]
        for target in panel["targets"]
    }


def metrics_of(query: str) -> set[str]:
    """The names of metrics: words that are neither functions, nor labels, nor within quotes."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", query)
    return set(re.findall(r"[a-zA-Z_]\w*", bare)) - FUNCTIONS


def labels_of(query: str, legend: str) -> set[str]:
    selected = re.findall(r"(\w+)\s*=~?\"", query)
    grouped = [word.strip() for group in re.findall(r"by \(([^)]*)\)", query) for word in group.split(",")]
    return {*selected, *grouped, *re.findall(r"\{\{(\w+)\}\}", legend)} - OF_PROMETHEUS


@pytest.fixture
async def exported(tmp_path: Path) -> Labels:
    """The labels of each sample of a server on which jobs ended, run and wait, and a call was refused."""
    async with serving(tmp_path) as server, connected(server) as stub:
        await watched(stub, (await submitted(stub, generate_request("slow"))).id)
        for _ in range(2):
            await submitted(stub, generate_request(ENDLESS))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetJob(scene_service_pb2.GetJobRequest(job_id="none"))
        await until(lambda: server.engine.device_memory is not None)  # type: ignore[attr-defined]
        text = generate_latest(server.metrics.registry).decode()
    labels: Labels = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


async def test_every_query_is_of_metrics_that_there_are(exported: Labels) -> None:
    asked: set[str] = set()
    for query, legend in queries().items():
        names = metrics_of(query)
        assert names, query
        assert names <= exported.keys(), query
        for name in names:
            assert labels_of(query, legend) <= exported[name], query
        asked |= names
    own = {
        name for name in exported if name.startswith("occscene_") and not name.endswith(("_created", "_sum", "_count"))
    }
    assert own <= asked, f"the board does not show {own - asked}"


def test_what_is_asked_for_is_found_in_a_query() -> None:
    query = 'histogram_quantile(0.5, sum by (le, a_label) (rate(some_bucket{instance=~"$i", other="x"}[5m]))) / total'
    assert metrics_of(query) == {"some_bucket", "total"}
    assert labels_of(query, "{{third}}") == {"le", "a_label", "other", "third"}


def test_places_of_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    board: dict[str, Any] = json.loads(BOARD.read_text("utf-8"))
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells

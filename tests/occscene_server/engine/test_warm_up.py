"""The job before the first."""

from __future__ import annotations

import logging
import subprocess
import sys
from functools import partial

import pytest
from occscene.taxonomy import TAXONOMIES

from occscene_server.api.validation import check_request
from occscene_server.engine.warm_up import small_request, warm_up
from tests.occscene_server.serve_process import ENVIRONMENT
from tests.occscene_server.stand_in import load_stand_in
from tests.patience import PATIENCE


@pytest.mark.parametrize("taxonomy", TAXONOMIES)
def test_what_warms_up_is_a_request_that_a_client_might_send(taxonomy: str) -> None:
    assert check_request(small_request(taxonomy)) == []


def test_it_runs_once_and_its_failure_is_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = load_stand_in("stand-in", "cpu")
    with caplog.at_level(logging.INFO):
        warm_up(loaded)
        assert loaded.pipe.num_timesteps == 2
        assert "the model was warmed up in" in caplog.text
        monkeypatch.setattr(type(loaded.pipe), "__call__", partial(divmod, 1, 0))
        warm_up(loaded)
    assert "the job that warms the model up failed" in caplog.text


FIRST_JOB = """
import sys
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.task import run_task
from occscene_server.engine.warm_up import small_request, warm_up
from occscene_server.weights import default_model

loaded = load_pipeline(str(default_model()), "cpu")
cold = set(sys.modules)
warm_up(loaded)
warm = set(sys.modules)
run_task(loaded.pipe, small_request("indoor"), lambda event: None, priors=loaded.priors)
assert warm > cold, "there is nothing to warm up"
assert set(sys.modules) == warm, set(sys.modules) - warm
"""


@pytest.mark.slow
@pytest.mark.weights
def test_the_first_job_finds_all_that_is_loaded_at_first_use() -> None:
    subprocess.run([sys.executable, "-c", FIRST_JOB], env=ENVIRONMENT, check=True, timeout=5 * PATIENCE)

"""The face of the package: the pipeline, and nothing heavy before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import occscene_server
from occscene_server.pipelines.occscene import OccScenePipeline
from tests.occscene_server.serve_process import ENVIRONMENT


def test_the_pipeline_is_there_by_name() -> None:
    assert occscene_server.OccScenePipeline is OccScenePipeline
    assert occscene_server.__all__ == ["OccScenePipeline"]
    with pytest.raises(AttributeError, match="has no attribute 'OccScenePipelines'"):
        occscene_server.OccScenePipelines  # noqa: B018 - what a typing error does


@pytest.mark.slow
def test_torch_is_imported_with_the_pipeline_only() -> None:
    script = """
import sys, occscene_server
print("torch" in sys.modules)
occscene_server.OccScenePipeline
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]

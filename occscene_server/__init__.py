"""OccScene's server and its models: from a blockout, a prompt and cameras to textured views and a finer occupancy.

The pipeline is `from occscene_server import OccScenePipeline`; everything else is imported from its room. Rooms import
from those below them only, and those of one line not from each other:

- `cli`: every command of `occscene-server`;
- `api`: the gRPC edge: servicer, validation, authentication, limits;
- `jobs`: what was asked and what came of it: queue, events, store;
- `engine`: who runs a job, a local worker process or a Ray cluster; `evaluation`: the evaluator, experiments, reports;
- `training`: one module for each stage;
- `pipelines`: tasks as pipelines of diffusers; `studio`: synthetic scenes, rendered through Blender and the extension;
- `models`: the networks; `metrics`: pure scores; `data`: what a data set is on disk;
- `geometry`: projection, ray marching, lifting, G-buffers, layouts as voxels;
- `terminal`: text on its way to a terminal; `weights`: the bundled models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline

__all__ = ["OccScenePipeline"]


def __getattr__(name: str) -> Any:
    """Imports the pipeline, and torch with it, when it is first asked for: most commands need neither."""
    if name != "OccScenePipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from occscene_server.pipelines.occscene import OccScenePipeline

    return OccScenePipeline

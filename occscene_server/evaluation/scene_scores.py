"""Scores a model on real scenes: each metric of the generated views comes with that of the real renders."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.taxonomy import TAXONOMIES

from occscene_server.data.dataset import RenderedScene
from occscene_server.data.view_files import encoded_views
from occscene_server.evaluation.evaluator import Evaluator
from occscene_server.evaluation.view_scores import Metrics, ViewScores
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.metrics.occupancy import CrumbScores, OccupancyScores
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.output import OccSceneOutput
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.zero_shot import ZeroShotPipeline
from occscene_server.training.autoencoder_stage import reconstruction_scores

PREDICTIONS = ("blockout", "from_real_views", "from_generated_views", "from_draft", "from_real_views_alone")
"""Of the occupancy; an artist's checkpoint predicts none, but the bundled model that drafts for it does."""
_OF_SOURCE = {"views": "from_generated_views", "compact": "from_draft"}
_SHELL = ("empty", "wall", "floor", "ceiling", "window")


@dataclass(frozen=True)
class Generation:
    """How scenes are generated.

    Args:
        seed: added to the scene's own.
        steps, text_guidance_scale, occupancy_guidance_scale, noise_scale: as in `OccScenePipeline.__call__`; None for
            its defaults.
        hints: whether the blockout's colour hints are given; without, surfaces follow the prompt only.
    """

    seed: int = 0
    steps: int | None = None
    text_guidance_scale: float | None = None
    occupancy_guidance_scale: float | None = None
    noise_scale: float | None = None
    hints: bool = True

    def arguments(self) -> dict[str, float]:
        """The arguments that differ from the pipeline's defaults."""
        named = {
            "num_inference_steps": self.steps,
            "text_guidance_scale": self.text_guidance_scale,
            "occupancy_guidance_scale": self.occupancy_guidance_scale,
            "noise_scale": self.noise_scale,
        }
        return {name: value for name, value in named.items() if value is not None}

    def shown(self, blockout: SemanticGrid) -> SemanticGrid:
        """A scene's blockout as it is given to the model."""
        if self.hints:
            return blockout
        return replace(blockout, objects=tuple(replace(item, hint=None) for item in blockout.objects))


@dataclass(frozen=True, eq=False)
class GeneratedScene:
    """A test scene and what the model made of it.

    Args:
        scene: the real one.
        views: generated, (V, height, width, 3) uint8.
        parts: by id the objects that have parts in them.
        predictions: of the occupancy, by those of `PREDICTIONS` that the model makes.
        seconds: that the generation took.
    """

    scene: RenderedScene
    views: NDArray[np.uint8]
    parts: dict[int, LayoutObject]
    predictions: dict[str, SemanticGrid]
    seconds: float


def generate_scenes(
    pipe: OccScenePipeline | ZeroShotPipeline,
    scenes: Sequence[RenderedScene],
    generation: Generation,
    priors: ScenePriors | None = None,
) -> Iterator[GeneratedScene]:
    """Generates every scene from its blockout, with parts if there are priors, and predicts its occupancy."""
    for scene in scenes:
        start = time.perf_counter()
        output, parts = generate_views(pipe, scene, generation, priors)
        seconds = time.perf_counter() - start
        blockout = generation.shown(scene.blockout)
        predictions = {"blockout": blockout}
        if output.source in _OF_SOURCE:
            predictions[_OF_SOURCE[output.source]] = output.grid
        if predicts_occupancy(pipe):
            perceive = partial(pipe.predict_occupancy, scene.views, scene.cameras)
            predictions["from_real_views"] = perceive(blockout=blockout)
            predictions["from_real_views_alone"] = perceive(volume=blockout.volume, taxonomy=blockout.taxonomy)
        yield GeneratedScene(scene, output.images, parts, predictions, seconds)


def predicts_occupancy(pipe: OccScenePipeline | ZeroShotPipeline) -> bool:
    """Whether a model perceives and drafts: its own part, or the bundled model's in front of a checkpoint."""
    return isinstance(pipe, OccScenePipeline) or pipe.compact is not None


def with_parts(
    scene: RenderedScene, blockout: SemanticGrid, priors: ScenePriors | None
) -> tuple[SemanticGrid | None, dict[int, LayoutObject]]:
    """A scene's blockout with parts, and by id the objects that have them; None and nothing without a prior."""
    if priors is None or priors.parts is None:
        return None, {}
    corners = None if scene.meshes is None else scene.meshes.blockout.object_vertices()
    return priors.parts.refine(blockout, scene.info.prompt, corners=corners)


def generate_views(
    pipe: OccScenePipeline | ZeroShotPipeline, scene: RenderedScene, generation: Generation, priors: ScenePriors | None
) -> tuple[OccSceneOutput, dict[int, LayoutObject]]:
    """Generates one scene from its blockout, with its triangles where they were stored.

    Returns:
        What the pipeline returns, and by id the objects that have parts in it.
    """
    blockout = generation.shown(scene.blockout)
    finer, parts = with_parts(scene, blockout, priors)
    mesh = None if scene.meshes is None else mesh_with_parts(scene.meshes.blockout, blockout, parts)
    seed = generation.seed + scene.info.seed
    output = pipe(
        scene.info.prompt, scene.cameras, blockout, finer=finer, meshes=mesh, seed=seed,
        **generation.arguments(),  # type: ignore[arg-type]
    )  # fmt: skip
    return output, parts


class SceneScores:
    """Accumulates metrics over scenes.

    Args:
        evaluator: scores the views.
        taxonomy: name of the scenes' taxonomy.
    """

    def __init__(self, evaluator: Evaluator, taxonomy: str) -> None:
        self.views = ViewScores(evaluator)
        self.classes = [entry.name for entry in TAXONOMIES[taxonomy].classes]
        self.occupancy: dict[str, OccupancyScores] = defaultdict(lambda: OccupancyScores(len(self.classes)))
        objects = [index for index, name in enumerate(self.classes) if name not in _SHELL]
        self.crumbs: dict[str, CrumbScores] = defaultdict(lambda: CrumbScores(objects))
        self.seconds: list[float] = []

    def add(self, result: GeneratedScene) -> None:
        """Scores one scene."""
        self.views.add(result.scene, encoded_views(result.views), result.parts)
        self.seconds.append(result.seconds)
        truth = torch.from_numpy(result.scene.occupancy.labels)[None]
        for name, grid in result.predictions.items():
            self.occupancy[name].add(torch.from_numpy(grid.labels)[None], truth)
            self.crumbs[name].add(grid.labels)
        self.crumbs["truth"].add(result.scene.occupancy.labels)

    def metrics(self) -> Metrics:
        """The metrics over all added scenes, with the keys of report.json."""
        return self.views.metrics() | {
            "occupancy": {name: self._occupancy(name) for name in PREDICTIONS if name in self.occupancy},
            "crumbs": {name: asdict(score.metrics()) for name, score in self.crumbs.items()},
            "seconds_per_scene": {"mean": float(np.mean(self.seconds)), "median": float(np.median(self.seconds))},
        }

    def _occupancy(self, name: str) -> Metrics:
        scored = self.occupancy[name].metrics()
        return {
            "iou": scored.iou, "precision": scored.precision, "recall": scored.recall, "miou": scored.miou,
            "class_iou": scored.by_name(self.classes),
        }  # fmt: skip


def autoencoder_metrics(pipe: OccScenePipeline | ZeroShotPipeline, scenes: Sequence[RenderedScene]) -> dict[str, float]:
    """PSNR and SSIM of real views that went through the autoencoder."""
    views = torch.from_numpy(np.concatenate([scene.views for scene in scenes]))
    if isinstance(pipe, OccScenePipeline):
        return reconstruction_scores(pipe.vae, views, str(pipe.device))
    return reconstruction_scores(lambda images: pipe.decode(pipe.encode(images)), views, str(pipe.device))

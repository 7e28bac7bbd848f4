"""Scenes made from their prompts alone, and how well their views, words and occupancy agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import UNKNOWN, GridObject, SemanticGrid
from occscene.rig import default_rig
from occscene.taxonomy import TAXONOMIES
from occscene.volumes import default_volume

from occscene_server.evaluation.evaluator import Evaluator, ViewFeatures, cell_maps
from occscene_server.evaluation.probes import QUESTIONS
from occscene_server.evaluation.scene_scores import Figures, Generation
from occscene_server.evaluation.segmenter import agreement
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.training.dataset import RenderedScene, SceneInfo


@dataclass(frozen=True, eq=False)
class ImaginedScene:
    """What the model made of a prompt.

    Args:
        info: of the scene whose prompt it was.
        cameras: the default rig.
        views: (V, height, width, 3) uint8.
        grid: the occupancy that was made with them.
    """

    info: SceneInfo
    cameras: tuple[PinholeCamera, ...]
    views: NDArray[np.uint8]
    grid: SemanticGrid


def imagine_scenes(pipe: OccScenePipeline, scenes: Sequence[RenderedScene], how: Generation) -> Iterator[ImaginedScene]:
    """Makes a scene of each prompt, in the taxonomy's default volume, seen by as many cameras of the default rig."""
    for scene in scenes:
        taxonomy = scene.blockout.taxonomy
        volume = default_volume(taxonomy)
        views, height, width, _ = scene.views.shape
        rig = default_rig(volume, views, width, height)
        seed = how.seed + scene.info.seed
        output = pipe(scene.info.prompt, rig, volume=volume, taxonomy=taxonomy, seed=seed, **how.arguments())  # type: ignore[arg-type]
        yield ImaginedScene(scene.info, rig, output.images, output.grid)


class TextToSceneScores:
    """Adds up what is measured on imagined scenes.

    Args:
        evaluator: the judge.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.infos: list[SceneInfo] = []
        self.features: list[ViewFeatures] = []
        self.cells = np.zeros(2, np.int64)
        self.occupied: list[float] = []

    def add(self, made: ImaginedScene) -> None:
        """Scores one scene."""
        grid = with_classes_as_objects(made.grid)
        maps = cell_maps(grid, made.cameras)
        seen = self.evaluator.look(made.views, maps, grid)
        self.infos.append(made.info)
        self.features.append(seen)
        self.cells += agreement(seen.classes, maps.labels)
        self.occupied.append(float(np.mean((grid.labels != 0) & (grid.labels != UNKNOWN))))

    def figures(self) -> Figures:
        """All figures of what was added, as they stand in report.json."""
        hits, count = self.cells
        return {
            "scenes": len(self.infos),
            "segmenter_agreement": float(hits / max(1, count)),
            "probes": {question: self._accuracy(question) for question in QUESTIONS},
            "occupied_share": float(np.mean(self.occupied)),
        }

    def _accuracy(self, question: str) -> float:
        truth = [str(getattr(info, question)) for info in self.infos]
        features = torch.stack([seen.probed(question) for seen in self.features])
        return self.evaluator.probes[question].accuracy(features, truth)


def with_classes_as_objects(grid: SemanticGrid) -> SemanticGrid:
    """The grid with one object for each class, named after it: a predicted grid knows no objects of its own."""
    objects = [GridObject(i, entry.name) for i, entry in enumerate(TAXONOMIES[grid.taxonomy].classes) if i > 0]
    instances = np.where(grid.labels == UNKNOWN, 0, grid.labels).astype(np.uint16)
    return replace(grid, instances=instances, objects=tuple(objects))

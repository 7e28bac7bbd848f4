"""Scenes generated from their prompts only, and how well their views, prompts and occupancy agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, UNKNOWN, GridObject, SemanticGrid
from occscene.placed_layout import PlacedLayout
from occscene.rig import default_rig, room_rig, street_rig
from occscene.taxonomy import OUTDOOR, TAXONOMIES
from occscene.volumes import default_volume
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo
from occscene_server.evaluation.evaluator import Evaluator, ViewFeatures, cell_maps, evaluated_cameras, evaluated_views
from occscene_server.evaluation.probes import QUESTIONS
from occscene_server.evaluation.scene_scores import Generation
from occscene_server.evaluation.segmenter import agreement, segment
from occscene_server.evaluation.view_scores import Metrics
from occscene_server.models.prompt_reading import read_prompt
from occscene_server.pipelines.layout_composition import Composition, compose, sights
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.text_to_scene import LayoutDraft
from occscene_server.pipelines.zero_shot import ZeroShotPipeline

LEAST_SHOWN = 0.01
"""Share of a view that a class fills which counts as found."""


@dataclass(frozen=True, eq=False)
class TextScene:
    """What the model made of a prompt.

    Args:
        scene: the one whose prompt it was.
        cameras: the default rig, in the layout's room where there is one.
        views: (V, height, width, 3) uint8.
        grid: the occupancy that was made with them.
        layout: the one it began from, as it became; None without a prior.
    """

    scene: RenderedScene
    cameras: tuple[PinholeCamera, ...]
    views: NDArray[np.uint8]
    grid: SemanticGrid
    layout: PlacedLayout | None


def generate_from_prompts(
    pipe: OccScenePipeline | ZeroShotPipeline,
    scenes: Sequence[RenderedScene],
    generation: Generation,
    priors: ScenePriors | None,
) -> Iterator[TextScene]:
    """Makes a scene of each prompt, in the taxonomy's default volume, seen by as many cameras of the default rig.

    Args:
        pipe: the model.
        scenes: whose prompts are taken.
        generation: how the scenes are generated.
        priors: sample the layouts that generation begins from; None begins from noise, which takes a model that
            predicts occupancy.
    """
    for scene in scenes:
        taxonomy = scene.blockout.taxonomy
        volume = default_volume(taxonomy)
        views, height, width, _ = scene.views.shape
        prompt, seed = scene.info.prompt, generation.seed + scene.info.seed
        drafts = None
        outdoors = taxonomy == OUTDOOR.name
        rig = street_rig(volume, width, height)[:views] if outdoors else default_rig(volume, views, width, height)
        if priors is not None:
            # a room's cameras follow from its layout, those of a street are there before it, as an artist's are
            cameras = rig if outdoors else ()
            placed, _ = compose(priors, Composition(prompt, seed, volume, with_parts=True, cameras=cameras))
            if placed.layout.room is not None:
                rig = room_rig(placed, views, width, height)
            propose = priors.proposals(prompt, sights(cameras, placed.world_from_layout))
            drafts = [LayoutDraft(placed, volume, propose, seed)]
        output = pipe(prompt, rig, volume=volume, taxonomy=taxonomy, drafts=drafts, seed=seed, **generation.arguments())  # type: ignore[arg-type]
        yield TextScene(scene, rig, output.images, output.grid, drafts[0].placed if drafts else None)


class TextToSceneScores:
    """Accumulates metrics over scenes that were generated from prompts.

    Args:
        evaluator: scores the views.
        scenes: whose prompts are used; the names in their grids are what prompts are searched for.
    """

    def __init__(self, evaluator: Evaluator, scenes: Sequence[RenderedScene]) -> None:
        self.evaluator = evaluator
        self.classes = classes_of_names(scenes)
        self.named = np.zeros(3, np.int64)
        """Classes that prompts name; of them those found in the real views; in the generated ones."""
        self.infos: list[SceneInfo] = []
        self.features: list[ViewFeatures] = []
        self.cells = np.zeros(2, np.int64)
        self.occupied: list[float] = []

    def add(self, result: TextScene) -> None:
        """Scores one scene."""
        grid = with_classes_as_objects(result.grid)
        maps = cell_maps(grid, evaluated_cameras(result.cameras))
        seen = self.evaluator.extract_features(evaluated_views(torch.from_numpy(result.views)).numpy(), maps, grid)
        self.infos.append(result.scene.info)
        self.features.append(seen)
        self.cells += agreement(seen.classes, maps.labels)
        named = named_classes(result.scene.info.prompt, self.classes)
        real, _ = segment(self.evaluator.segmenter, evaluated_views(torch.from_numpy(result.scene.views)))
        self.named += len(named), len(named & shown_classes(real)), len(named & shown_classes(seen.classes))
        self.occupied.append(float(np.mean((grid.labels != 0) & (grid.labels != UNKNOWN))))

    def metrics(self) -> Metrics:
        """The metrics over all added scenes, with the keys of report.json."""
        hits, count = self.cells
        named, real, generated = (int(number) for number in self.named)
        return {
            "scenes": len(self.infos),
            "segmenter_agreement": float(hits / max(1, count)),
            "probes": {question: self._accuracy(question) for question in QUESTIONS},
            "occupied_share": float(np.mean(self.occupied)),
            "named_classes": {
                "count": named,
                "real": real / max(1, named),
                "generated": generated / max(1, named),
                "ratio": generated / max(1, real),
            },
        }

    def _accuracy(self, question: str) -> float:
        truth = [str(getattr(info, question)) for info in self.infos]
        features = torch.stack([seen.probed(question) for seen in self.features])
        return self.evaluator.probes[question].accuracy(features, truth)


def classes_of_names(scenes: Sequence[RenderedScene]) -> dict[str, int]:
    """Names of the objects in scenes, without numbers, and the most frequent class of each name."""
    counts: dict[str, Counter[int]] = {}
    for scene in scenes:
        grid = scene.blockout
        assert grid.instances is not None
        for obj in grid.objects:
            own = grid.labels[grid.instances == obj.id]
            if own.size and own[0] != EMPTY:
                counts.setdefault(obj.name.rstrip(" .0123456789"), Counter())[int(own[0])] += 1
    return {name: classes.most_common(1)[0][0] for name, classes in counts.items()}


def named_classes(prompt: str, classes: Mapping[str, int]) -> set[int]:
    """The classes of the objects that a prompt names."""
    return {classes[obj.kind] for obj in read_prompt(prompt, list(classes), []).objects}


def shown_classes(cells: Tensor) -> set[int]:
    """The classes that fill at least `LEAST_SHOWN` of the cells of one view, of classes (V, h, w)."""
    shown: set[int] = set()
    for view in cells:
        labels, counts = view.unique(return_counts=True)
        shown |= set(labels[counts >= LEAST_SHOWN * view.numel()].tolist())
    return shown


def with_classes_as_objects(grid: SemanticGrid) -> SemanticGrid:
    """The grid with one object for each class, named after it: a predicted grid knows no objects of its own."""
    objects = [GridObject(i, entry.name) for i, entry in enumerate(TAXONOMIES[grid.taxonomy].classes) if i > 0]
    instances = np.where(grid.labels == UNKNOWN, 0, grid.labels).astype(np.uint16)
    return replace(grid, instances=instances, objects=tuple(objects))

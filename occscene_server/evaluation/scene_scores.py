"""Scores a model on real scenes: each figure of generated views stands beside the same figure of the real renders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES
from torch import Tensor

from occscene_server.evaluation.evaluator import Evaluator, ViewFeatures, cell_maps
from occscene_server.evaluation.image_metrics import hint_differences, kernel_distance, psnr, warp_error
from occscene_server.evaluation.occupancy_metrics import OccupancyScores
from occscene_server.evaluation.probes import QUESTIONS
from occscene_server.evaluation.seen_maps import SeenMaps, seen_maps
from occscene_server.evaluation.segmenter import agreement
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.training.autoencoder_stage import reconstruction_scores
from occscene_server.training.dataset import RenderedScene, SceneInfo

LEAST_CELLS = 24
"""Objects seen in fewer cells of 4 x 4 pixels, all views together, do not count for the colour hints."""

PREDICTIONS = ("blockout", "from_real_views", "from_generated_views", "from_real_views_alone")
KINDS = ("real", "generated")
Figures = dict[str, Any]


@dataclass(frozen=True)
class Generation:
    """How scenes are generated.

    Args:
        seed: added to the scene's own.
        steps, text_scale, occupancy_scale, noise_scale: as in `OccScenePipeline.__call__`; None for its defaults.
        hints: whether the blockout's colour hints are given; without, surfaces follow the prompt alone.
    """

    seed: int = 0
    steps: int | None = None
    text_scale: float | None = None
    occupancy_scale: float | None = None
    noise_scale: float | None = None
    hints: bool = True

    def arguments(self) -> dict[str, float]:
        """The arguments that differ from the pipeline's defaults."""
        named = {
            "num_inference_steps": self.steps,
            "text_guidance_scale": self.text_scale,
            "occupancy_guidance_scale": self.occupancy_scale,
            "noise_scale": self.noise_scale,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, eq=False)
class GeneratedScene:
    """A test scene and what the model made of it.

    Args:
        scene: the real one.
        views: generated, (V, height, width, 3) uint8.
        predictions: of the occupancy, by the names in `PREDICTIONS`.
        seconds: that the generation took.
    """

    scene: RenderedScene
    views: NDArray[np.uint8]
    predictions: dict[str, SemanticGrid]
    seconds: float


def generate_scenes(
    pipe: OccScenePipeline, scenes: Sequence[RenderedScene], how: Generation, priors: ScenePriors | None = None
) -> Iterator[GeneratedScene]:
    """Generates every scene from its blockout, with parts if there are priors, and predicts its occupancy."""
    for scene in scenes:
        blockout = scene.blockout
        if not how.hints:
            blockout = replace(blockout, objects=tuple(replace(item, hint=None) for item in blockout.objects))
        start = time.perf_counter()
        finer = None if priors is None else priors.parts.refine(blockout, scene.info.prompt)[0]
        seed = how.seed + scene.info.seed
        output = pipe(scene.info.prompt, scene.cameras, blockout, finer=finer, seed=seed, **how.arguments())  # type: ignore[arg-type]
        seconds = time.perf_counter() - start
        predictions = {
            "blockout": blockout,
            "from_real_views": pipe.predict_occupancy(scene.views, scene.cameras, blockout=blockout),
            "from_generated_views": output.grid,
            "from_real_views_alone": pipe.predict_occupancy(
                scene.views, scene.cameras, volume=blockout.volume, taxonomy=blockout.taxonomy
            ),
        }
        yield GeneratedScene(scene, output.images, predictions, seconds)


class SceneScores:
    """Adds up what is measured on scenes.

    Args:
        evaluator: the judge.
        taxonomy: name of the scenes' taxonomy.
    """

    def __init__(self, evaluator: Evaluator, taxonomy: str) -> None:
        self.evaluator = evaluator
        self.classes = [entry.name for entry in TAXONOMIES[taxonomy].classes]
        self.occupancy = {name: OccupancyScores(len(self.classes)) for name in PREDICTIONS}
        self.infos: list[SceneInfo] = []
        self.seconds: list[float] = []
        self.features: dict[str, list[ViewFeatures]] = {kind: [] for kind in KINDS}
        self.cells = {kind: np.zeros(2, np.int64) for kind in (*KINDS, "real_with_truth")}
        self.hints: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.warps: dict[str, list[float]] = {kind: [] for kind in (*KINDS, "generated_with_blockout")}

    def add(self, made: GeneratedScene) -> None:
        """Scores one scene."""
        scene = made.scene
        self.infos.append(scene.info)
        self.seconds.append(made.seconds)
        truth = torch.from_numpy(scene.occupancy.labels)[None]
        for name, grid in made.predictions.items():
            self.occupancy[name].add(torch.from_numpy(grid.labels)[None], truth)
        condition = cell_maps(scene.blockout, scene.cameras)
        for kind, views in zip(KINDS, (scene.views, made.views), strict=True):
            seen = self.evaluator.look(views, condition, scene.blockout)
            self.features[kind].append(seen)
            self.cells[kind] += agreement(seen.classes, condition.labels)
            self._add_hints(kind, seen, condition, scene.blockout)
        true_labels = cell_maps(scene.occupancy, scene.cameras).labels
        self.cells["real_with_truth"] += agreement(self.features["real"][-1].classes, true_labels)
        self._add_warps(made)

    def _add_hints(self, kind: str, seen: ViewFeatures, condition: SeenMaps, grid: SemanticGrid) -> None:
        hints = {item.id: torch.tensor(item.hint) for item in grid.objects if item.hint is not None}
        self.hints[kind] += hint_differences(seen.cells, condition.objects, hints, LEAST_CELLS).values()

    def _add_warps(self, made: GeneratedScene) -> None:
        scene = made.scene
        _, height, width, _ = scene.views.shape
        cameras = CameraTensors.from_cameras([scene.cameras])
        true_depth = seen_maps(scene.occupancy, scene.cameras, (height, width)).depth
        blockout_depth = seen_maps(scene.blockout, scene.cameras, (height, width)).depth
        pairs = (scene.views, true_depth), (made.views, true_depth), (made.views, blockout_depth)
        for name, (views, depth) in zip(self.warps, pairs, strict=True):
            tolerance = scene.occupancy.voxel_size / 2
            total, pixels = warp_error(torch.from_numpy(views).float() / 255, depth, cameras, tolerance)
            if pixels:
                self.warps[name].append(psnr(total / pixels))

    def figures(self) -> Figures:
        """All figures of what was added, as they stand in report.json."""
        cells = {name: float(hits / max(1, count)) for name, (hits, count) in self.cells.items()}
        hints = {name: _mean(values) for name, values in self.hints.items()}
        warps = {name: _mean(values) for name, values in self.warps.items()}
        return {
            "scenes": len(self.infos),
            "views": sum(len(seen.pooled) for seen in self.features["real"]),
            "occupancy": {name: self._occupancy(name) for name in PREDICTIONS},
            "segmenter_agreement": cells | {"ratio": _ratio(cells["generated"], cells["real"])},
            "probes": {question: self._probe(question) for question in QUESTIONS},
            "hint_delta_e": hints | {"objects": len(self.hints["real"])},
            "warp_psnr": warps | {"difference": warps["real"] - warps["generated"]},
            "kernel_distance": self._kernel_distance(),
            "seconds_per_scene": {"mean": _mean(self.seconds), "median": float(np.median(self.seconds))},
        }

    def _occupancy(self, name: str) -> Figures:
        scored = self.occupancy[name].figures()
        return {
            "iou": scored.iou, "precision": scored.precision, "recall": scored.recall, "miou": scored.miou,
            "class_iou": scored.by_name(self.classes),
        }  # fmt: skip

    def _probe(self, question: str) -> Figures:
        truth = [str(getattr(info, question)) for info in self.infos]
        probe = self.evaluator.probes[question]
        right = {
            kind: probe.accuracy(torch.stack([seen.probed(question) for seen in self.features[kind]]), truth)
            for kind in KINDS
        }
        most_common = max(truth.count(word) for word in set(truth)) / len(truth)
        return right | {"ratio": _ratio(right["generated"], right["real"]), "most_common_word": most_common}

    def _kernel_distance(self) -> Figures:
        """KID over the segmenter's features, standardised by the real views'; between real halves it is the noise."""
        pooled = {kind: torch.cat([seen.pooled for seen in self.features[kind]]) for kind in KINDS}
        mean, std = pooled["real"].mean(0), pooled["real"].std(0).clamp_min(1e-4)
        real, generated = ((pooled[kind] - mean) / std for kind in KINDS)
        distance, spread = kernel_distance(real, generated)
        figures = {"generated": distance, "generated_spread": spread}
        if len(self.infos) >= 4:
            even, odd = (_every_other(real, len(self.infos), first) for first in (0, 1))
            figures["between_real_halves"], figures["real_spread"] = kernel_distance(even, odd)
        return figures


def autoencoder_figures(pipe: OccScenePipeline, scenes: Sequence[RenderedScene]) -> dict[str, float]:
    """PSNR and SSIM of real views that went through the autoencoder."""
    views = torch.from_numpy(np.concatenate([scene.views for scene in scenes]))
    return reconstruction_scores(pipe.vae, views, str(pipe.device))


def _every_other(rows: Tensor, scenes: int, first: int) -> Tensor:
    """The rows of every other scene."""
    return rows.unflatten(0, (scenes, -1))[first::2].flatten(0, 1)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

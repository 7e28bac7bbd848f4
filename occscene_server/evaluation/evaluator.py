"""The evaluator: the segmenter and the probes that score views, trained on real renders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, scenes_of_split
from occscene_server.data.scene_mesh import MESHES_FILE, read_meshes
from occscene_server.evaluation.probes import (
    QUESTIONS,
    LinearProbe,
    best_probe,
    color_statistics,
    load_probes,
    save_probes,
)
from occscene_server.evaluation.seen_maps import SeenMaps, seen_maps
from occscene_server.evaluation.segmenter import CELL, SceneSegmenter, agreement, segment, segmenter_loss
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.training.loop import LoopOptions, train

PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)
"""Strongest first: where two do equally well, the stronger is taken."""

EVALUATED_SIDE = 256
"""Pixels of the views that the bundled evaluator was trained on; larger ones are scaled down to it."""

SEGMENTER_BLOCK = 32
"""Sides of the segmenter's images are multiples of it."""

_CHECKPOINT_VIEWS = 64


@dataclass(frozen=True)
class ViewFeatures:
    """What the evaluator reads off one scene's views.

    Args:
        classes: (V, h / 4, w / 4) int64, the segmenter's.
        pooled: (V, F), the segmenter's features of each view.
        colors: (S,), see `color_statistics`.
        cells: (V, h / 4, w / 4, 3), the cells' mean colours, linear RGB.
    """

    classes: Tensor
    pooled: Tensor
    colors: Tensor
    cells: Tensor

    def probed(self, question: str) -> Tensor:
        """The input features (P,) of a question's probe; probes of colour words take color statistics only."""
        return self.colors if question.endswith("color") else torch.cat([self.pooled.mean(0), self.colors])


@dataclass(frozen=True)
class Evaluator:
    """A segmenter and linear probes, trained on real renders.

    Args:
        segmenter: views to classes.
        probes: by question.
        metrics: its accuracies on real renders of the validation split.
    """

    segmenter: SceneSegmenter
    probes: dict[str, LinearProbe]
    metrics: dict[str, float]

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Evaluator:
        """Reads what `train_evaluator` wrote.

        Raises:
            OSError: `folder` holds no evaluator.
        """
        if not (folder / "metrics.json").exists():
            raise OSError(f"{folder} holds no evaluator; train one with `occscene-server evaluate train`")
        segmenter = SceneSegmenter.from_pretrained(folder / "segmenter", low_cpu_mem_usage=False).to(device).eval()
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return cls(segmenter, load_probes(folder / "probes.safetensors"), metrics)

    def extract_features(self, views: NDArray[np.uint8], maps: SeenMaps, grid: SemanticGrid) -> ViewFeatures:
        """Features of a scene's views (V, height, width, 3) uint8; `maps` are those of `grid`, one pixel a cell."""
        return extract_features(self.segmenter, torch.from_numpy(views), maps, grid)


def extract_features(segmenter: SceneSegmenter, views: Tensor, maps: SeenMaps, grid: SemanticGrid) -> ViewFeatures:
    """As `Evaluator.extract_features`, for a segmenter that has no probes yet."""
    classes, pooled = segment(segmenter, views)
    cells = cell_colors(views)
    return ViewFeatures(classes, pooled, color_statistics(cells, maps, grid), cells)


def cell_colors(views: Tensor) -> Tensor:
    """Views (V, height, width, 3) uint8 sRGB to the mean linear RGB of their cells, (V, height / 4, width / 4, 3)."""
    linear = linear_from_srgb(views.float() / 255).permute(0, 3, 1, 2)
    return F.avg_pool2d(linear, CELL).permute(0, 2, 3, 1)


def cell_maps(grid: SemanticGrid, cameras: Sequence[PinholeCamera]) -> SeenMaps:
    """What each cell of 4 x 4 pixels sees at its centre."""
    return seen_maps(grid, cameras, (cameras[0].height // CELL, cameras[0].width // CELL))


def _evaluated_size(width: int, height: int) -> tuple[int, int]:
    """Width and height with a longer side of `EVALUATED_SIDE` at most, in whole blocks of the segmenter's."""
    if max(width, height) <= EVALUATED_SIDE:
        return width, height
    scale = EVALUATED_SIDE / max(width, height) / SEGMENTER_BLOCK
    return round(width * scale) * SEGMENTER_BLOCK, round(height * scale) * SEGMENTER_BLOCK


def evaluated_cameras(cameras: Sequence[PinholeCamera]) -> tuple[PinholeCamera, ...]:
    """The cameras of `evaluated_views`."""
    return tuple(camera.resized(*_evaluated_size(camera.width, camera.height)) for camera in cameras)


def evaluated_views(views: Tensor) -> Tensor:
    """Views (V, height, width, 3) uint8, those of more than `EVALUATED_SIDE` pixels scaled down as means over areas."""
    size = _evaluated_size(views.shape[2], views.shape[1])
    if (views.shape[2], views.shape[1]) == size:
        return views
    means = F.interpolate(views.permute(0, 3, 1, 2).float(), size=size[::-1], mode="area")
    return means.round().to(torch.uint8).permute(0, 2, 3, 1)


def scenes_of(root: Path, split: str, limit: int | None = None) -> Iterator[RenderedScene]:
    """The scenes of a split, read one after the other by `read_whole_scene`."""
    return map(read_whole_scene, scenes_of_split(root, split, limit))


def read_whole_scene(folder: Path) -> RenderedScene:
    """A stored scene with its meshes, where it has them."""
    scene = read_scene(folder)
    return replace(scene, meshes=read_meshes(folder)) if (folder / MESHES_FILE).exists() else scene


@dataclass(frozen=True)
class _RealScenes:
    """Real renders with what they show.

    Args:
        views: (N, V, height, width, 3) uint8.
        labels: (N, V, height / 4, width / 4) uint8, what the cells see of the true grid.
        blockouts: the artist's grids, and `maps` what the cells see of them.
        infos: what may be asked.
    """

    views: Tensor
    labels: Tensor
    blockouts: list[SemanticGrid]
    maps: list[SeenMaps]
    infos: list[SceneInfo]

    @classmethod
    def read(cls, root: Path, split: str) -> _RealScenes:
        views, labels, blockouts, maps, infos = [], [], [], [], []
        for scene in map(read_scene, scenes_of_split(root, split)):
            views.append(torch.from_numpy(scene.views))
            labels.append(cell_maps(scene.occupancy, scene.cameras).labels.to(torch.uint8))
            blockouts.append(scene.blockout)
            maps.append(cell_maps(scene.blockout, scene.cameras))
            infos.append(scene.info)
        return cls(torch.stack(views), torch.stack(labels), blockouts, maps, infos)

    def features(self, segmenter: SceneSegmenter) -> list[ViewFeatures]:
        return [
            extract_features(segmenter, views, maps, grid)
            for views, maps, grid in zip(self.views, self.maps, self.blockouts, strict=True)
        ]


def train_evaluator(
    data: Path, options: LoopOptions, batch: int = 8, seed: int = 0, report: Callable[[str], None] = print
) -> Evaluator:
    """Trains the segmenter on the training split, fits the probes, and writes both to `options.output`.

    Args:
        data: folder that the studio rendered into.
        options: of the segmenter's training, which resumes where it stopped.
        batch: views a step.
        seed: random seed of the initialisation and the data order.
        report: called with a sentence when a stage begins.
    """
    report("Reading the scenes and what their cells see")
    scenes, held_out = _RealScenes.read(data, "train"), _RealScenes.read(data, "validation")
    torch.manual_seed(seed)
    segmenter = SceneSegmenter(len(TAXONOMIES[scenes.infos[0].domain])).to(options.device)
    views, labels = scenes.views.flatten(0, 1), scenes.labels.flatten(0, 1)

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        rows = torch.from_numpy(rng.integers(len(views), size=batch))
        return segmenter_loss(segmenter, views[rows].to(options.device), labels[rows].to(options.device), rng)

    def held_out_agreement(limit: int | None) -> float:
        classes, _ = segment(segmenter, held_out.views.flatten(0, 1)[:limit])
        hits, count = agreement(classes, held_out.labels.flatten(0, 1)[:limit])
        return hits / count

    train(segmenter, loss_of_step, options, lambda: {"validation_agreement": held_out_agreement(_CHECKPOINT_VIEWS)})
    segmenter.eval()
    segmenter.save_pretrained(options.output / "segmenter")
    report("Fitting the probes")
    probes, metrics = _fit_probes(segmenter, scenes, held_out)
    save_probes(options.output / "probes.safetensors", probes)
    metrics = {
        "segmenter_agreement": held_out_agreement(None), **metrics,
        "train_scenes": len(scenes.infos), "validation_scenes": len(held_out.infos),
    }  # fmt: skip
    (options.output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return Evaluator(segmenter, probes, metrics)


def _fit_probes(
    segmenter: SceneSegmenter, scenes: _RealScenes, held_out: _RealScenes
) -> tuple[dict[str, LinearProbe], dict[str, float]]:
    """The probes, and their accuracies on the held-out scenes, by which their penalty was chosen."""
    seen, seen_held_out = scenes.features(segmenter), held_out.features(segmenter)
    probes, metrics = {}, {}
    for question in QUESTIONS:
        parts = [
            (torch.stack([item.probed(question) for item in items]), [str(getattr(i, question)) for i in infos])
            for items, infos in ((seen, scenes.infos), (seen_held_out, held_out.infos))
        ]
        probes[question] = best_probe(parts[0], parts[1], PENALTIES)
        metrics[f"{question}_accuracy"] = probes[question].accuracy(*parts[1])
    return probes, metrics

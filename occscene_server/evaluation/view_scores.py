"""Metrics that need only views: each of the generated views, with that of the real renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo
from occscene_server.evaluation.evaluator import (
    EVALUATED_SIDE,
    Evaluator,
    ViewFeatures,
    cell_maps,
    evaluated_cameras,
    evaluated_views,
)
from occscene_server.evaluation.probes import QUESTIONS
from occscene_server.evaluation.seen_maps import SeenMaps, seen_maps
from occscene_server.evaluation.segmenter import CELL, agreement, segment
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors, rows_of_ids
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from occscene_server.metrics.color_words import colors_as_named, mean_colors
from occscene_server.metrics.images import hint_differences, psnr, warp_error
from occscene_server.metrics.kernel_distance import distance_between_halves, kernel_distance
from occscene_server.metrics.view_detail import (
    edge_distance,
    gradient_energy,
    gray,
    high_frequency_power,
    object_borders,
)

LEAST_CELLS = 24
"""Objects seen in fewer cells of 4 x 4 pixels, all views together, do not count for the colour hints."""

LEAST_AREA = LEAST_CELLS * CELL**2 / 256**2
"""The same as a share of a view, for the colours that phrases name."""

SAME_SURFACE = 0.02
"""Metres between places that count as one, for exact depth."""

KINDS = ("real", "generated")
Metrics = dict[str, Any]


class ViewScores:
    """Accumulates metrics over the views of scenes.

    Args:
        evaluator: scores the views.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.infos: list[SceneInfo] = []
        self.sides: set[tuple[int, int]] = set()
        self.features: dict[str, list[ViewFeatures]] = {kind: [] for kind in KINDS}
        self.pieces: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
        self.cells = {kind: np.zeros(2, np.int64) for kind in (*KINDS, "real_with_truth")}
        self.hints: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.colors: dict[str, list[bool]] = {kind: [] for kind in KINDS}
        self.warps: dict[str, list[float]] = {kind: [] for kind in (*KINDS, "generated_with_blockout")}
        self.detail: dict[str, dict[str, list[float]]] = {
            name: {kind: [] for kind in KINDS}
            for name in ("gradient_energy", "high_frequency_power", "edge_distance", "border_distance", "covisible")
        }

    def add(self, scene: RenderedScene, views: NDArray[np.uint8], parts: Mapping[int, LayoutObject]) -> None:
        """Scores the views of one scene.

        Args:
            scene: the real one; with its meshes, what is seen is exact, without them it is that of its grids.
            views: generated for its cameras, (V, height, width, 3).
            parts: what the generated views show in place of the blockout's objects, by id.
        """
        if views.shape != scene.views.shape:
            raise ValueError(
                f"the generated views of scene {scene.info.seed} are {views.shape}, the real ones {scene.views.shape}; "
                "generate them at the size that the data has"
            )
        self.infos.append(scene.info)
        height, width = views.shape[1:3]
        self.sides.add((width, height))
        small = evaluated_cameras(scene.cameras)
        condition = cell_maps(scene.blockout, small)
        for kind, shown in zip(KINDS, (scene.views, views), strict=True):
            tensor = torch.from_numpy(shown)
            seen = self.evaluator.extract_features(evaluated_views(tensor).numpy(), condition, scene.blockout)
            self.features[kind].append(seen)
            if max(height, width) > EVALUATED_SIDE:
                self.pieces[kind].append(segment(self.evaluator.segmenter, _pieces(tensor))[1])
            self.cells[kind] += agreement(seen.classes, condition.labels)
            self._add_hints(kind, seen, condition, scene.blockout)
        true_labels = cell_maps(scene.occupancy, small).labels
        self.cells["real_with_truth"] += agreement(self.features["real"][-1].classes, true_labels)
        true, sent = scene_buffers(scene, parts)
        self._add_detail(scene, views, true, sent)
        self._add_warps(scene, views, true, sent)
        self._add_colors(scene, views, true, sent)

    def _add_hints(self, kind: str, seen: ViewFeatures, condition: SeenMaps, grid: SemanticGrid) -> None:
        hints = {item.id: torch.tensor(item.hint) for item in grid.objects if item.hint is not None}
        self.hints[kind] += hint_differences(seen.cells, condition.objects, hints, LEAST_CELLS).values()

    def _add_detail(self, scene: RenderedScene, views: NDArray[np.uint8], true: GBuffer, sent: GBuffer) -> None:
        for kind, shown, maps in zip(KINDS, (scene.views, views), (true, sent), strict=True):
            images = gray(torch.from_numpy(shown))
            self.detail["gradient_energy"][kind].append(gradient_energy(images))
            self.detail["high_frequency_power"][kind].append(high_frequency_power(images))
            from_edges, from_borders = edge_distance(images, object_borders(maps.edges[0]))
            self.detail["border_distance"][kind].append(from_borders)
            if from_edges is not None:
                self.detail["edge_distance"][kind].append(from_edges)

    def _add_warps(self, scene: RenderedScene, views: NDArray[np.uint8], true: GBuffer, sent: GBuffer) -> None:
        cameras = CameraTensors.from_cameras([scene.cameras])
        size = views.shape[1], views.shape[2]
        true_depth, blockout_depth = (
            seen_maps(grid, scene.cameras, size).depth for grid in (scene.occupancy, scene.blockout)
        )
        pairs = (scene.views, true_depth), (views, true_depth), (views, blockout_depth)
        for name, (shown, depth) in zip(self.warps, pairs, strict=True):
            tolerance = scene.occupancy.voxel_size / 2
            total, _, pixels = warp_error(torch.from_numpy(shown).float() / 255, depth, cameras, tolerance)
            if pixels:
                self.warps[name].append(psnr(total / pixels))
        for kind, shown, maps in zip(KINDS, (scene.views, views), (true, sent), strict=True):
            images = torch.from_numpy(shown).float() / 255
            _, total, pixels = warp_error(images, maps.depth[0], cameras, SAME_SURFACE)
            if pixels:
                self.detail["covisible"][kind].append((total / pixels) ** 0.5)

    def _add_colors(self, scene: RenderedScene, views: NDArray[np.uint8], true: GBuffer, sent: GBuffer) -> None:
        rows = rows_of_ids(scene.blockout.objects)
        phrases = {int(rows[int(item["id"])]): str(item["phrase"]) for item in scene.info.items}
        right = []
        for shown, maps in zip((scene.views, views), (true, sent), strict=True):
            linear = linear_from_srgb(torch.from_numpy(shown).float() / 255)
            right.append(colors_as_named(mean_colors(linear, maps.objects[0], LEAST_AREA), phrases))
        for row in right[0].keys() & right[1].keys():
            for kind, correct in zip(KINDS, right, strict=True):
                self.colors[kind].append(correct[row])

    def metrics(self) -> Metrics:
        """The metrics over all added scenes, with the keys of report.json."""
        cells = {name: float(hits / max(1, count)) for name, (hits, count) in self.cells.items()}
        hints = {name: _mean(values) for name, values in self.hints.items()}
        warps = {name: _mean(values) for name, values in self.warps.items()}
        colors = {kind: _mean([float(right) for right in self.colors[kind]]) for kind in KINDS}
        detail = {name: {kind: _mean(values) for kind, values in kinds.items()} for name, kinds in self.detail.items()}
        for name in ("gradient_energy", "high_frequency_power"):
            detail[name]["ratio"] = _ratio(detail[name]["generated"], detail[name]["real"])
        return {
            "scenes": len(self.infos),
            "views": sum(len(seen.pooled) for seen in self.features["real"]),
            "image_sizes": sorted(f"{width} x {height}" for width, height in self.sides),
            "segmenter_agreement": cells | {"ratio": _ratio(cells["generated"], cells["real"])},
            "probes": {question: self._probe(question) for question in QUESTIONS},
            "hint_delta_e": hints | {"objects": len(self.hints["real"])},
            "colors_by_words": colors
            | {"ratio": _ratio(colors["generated"], colors["real"]), "objects": len(self.colors["real"])},
            "warp_psnr": warps | {"difference": warps["real"] - warps["generated"]},
            "covisible_delta_e": detail.pop("covisible"),
            **detail,
            "kernel_distance": _distance(*([seen.pooled for seen in self.features[kind]] for kind in KINDS)),
            "kernel_distance_of_pieces": _distance(*self.pieces.values()),
        }  # fmt: skip

    def _probe(self, question: str) -> Metrics:
        truth = [str(getattr(info, question)) for info in self.infos]
        probe = self.evaluator.probes[question]
        right = {
            kind: probe.accuracy(torch.stack([seen.probed(question) for seen in self.features[kind]]), truth)
            for kind in KINDS
        }
        most_common = max(truth.count(word) for word in set(truth)) / len(truth)
        return right | {"ratio": _ratio(right["generated"], right["real"]), "most_common_word": most_common}


def scene_buffers(scene: RenderedScene, parts: Mapping[int, LayoutObject]) -> tuple[GBuffer, GBuffer]:
    """What is seen of a scene as it was rendered, and of its blockout with parts, at the size of its views."""
    size = scene.cameras[0].height, scene.cameras[0].width
    cameras = CameraTensors.from_cameras([scene.cameras])
    if scene.meshes is None:
        true, sent = (
            voxel_gbuffer(GridTensors.from_grids([grid]), cameras, size) for grid in (scene.occupancy, scene.blockout)
        )
        return true, sent
    blockout = mesh_with_parts(scene.meshes.blockout, scene.blockout, parts)
    true, sent = (
        mesh_gbuffer([RayScene(mesh, scene.blockout)], cameras, size) for mesh in (scene.meshes.true, blockout)
    )
    return true, sent


def _distance(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Metrics:
    """Kernel distance over features (V, F) of rooms; that between two halves of the real views is what chance makes."""
    if len(real) < 4:
        return {}
    stacked = torch.stack(list(real))
    distance, halves = kernel_distance(stacked, torch.stack(list(generated))), distance_between_halves(stacked)
    return {
        "generated": distance.value, "generated_spread": distance.deviation,
        "between_real_halves": halves.value, "real_spread": halves.deviation,
    }  # fmt: skip


def _pieces(views: Tensor) -> Tensor:
    """Views (V, height, width, 3) cut into squares of `EVALUATED_SIDE`; smaller views are one piece each."""
    side = EVALUATED_SIDE
    rows, columns = max(1, views.shape[1] // side), max(1, views.shape[2] // side)
    return torch.cat(
        [views[:, side * r : side * (r + 1), side * c : side * (c + 1)] for r in range(rows) for c in range(columns)]
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

"""How much nearer to true grids a blockout comes with parts in place of its boxes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.mesh import TriangleMesh
from occscene.taxonomy import TAXONOMIES

from occscene_server.data.dataset import read_grids
from occscene_server.data.scene_mesh import MESHES_FILE, read_meshes
from occscene_server.evaluation.part_retrieval import PieceLibrary
from occscene_server.geometry.layout_grid import object_voxels
from occscene_server.geometry.solids import Floats
from occscene_server.metrics.occupancy import OccupancyScores
from occscene_server.pipelines.blockout_parts import BlockoutParts, painted, plain_boxes

_SHELLS = {
    "indoor": ("empty", "wall", "floor", "ceiling", "window"),
    "outdoor": ("empty", "road", "parking", "sidewalk", "other-ground", "terrain"),
}

Refined = tuple[SemanticGrid, dict[int, LayoutObject]]


@dataclass(frozen=True, eq=False)
class ScoredRoom:
    """A rendered room or street without its views.

    Args:
        truth, blockout: its grids.
        prompt: that describes it.
        true_corners, corners: (V, 3) of the objects of both grids in the world, by id; none where it has no meshes.
    """

    truth: SemanticGrid
    blockout: SemanticGrid
    prompt: str
    true_corners: dict[int, Floats]
    corners: dict[int, Floats]


def read_room(folder: Path) -> ScoredRoom:
    """Reads a folder that `occscene-server studio render` wrote."""
    truth, blockout = read_grids(folder)
    prompt = str(json.loads((folder / "scene.json").read_text(encoding="utf-8"))["prompt"])
    if not (folder / MESHES_FILE).exists():
        return ScoredRoom(truth, blockout, prompt, {}, {})
    meshes = read_meshes(folder)
    return ScoredRoom(truth, blockout, prompt, corners_of(meshes.true), corners_of(meshes.blockout))


def corners_of(mesh: TriangleMesh) -> dict[int, Floats]:
    """By id the vertices (V, 3) of each object."""
    ids = np.unique(mesh.object_ids).tolist()
    return {number: mesh.vertices[np.unique(mesh.triangles[mesh.object_ids == number])] for number in ids}


def occupancy_score(rooms: Sequence[ScoredRoom], grids: Sequence[SemanticGrid]) -> dict[str, float]:
    """mIoU, IoU and the classes' IoU of grids, one for each room."""
    names = [entry.name for entry in TAXONOMIES[rooms[0].truth.taxonomy].classes]
    scores = OccupancyScores(len(names))
    for room, grid in zip(rooms, grids, strict=True):
        scores.add(torch.from_numpy(grid.labels)[None], torch.from_numpy(room.truth.labels)[None])
    metrics = scores.metrics()
    return {"miou": metrics.miou, "iou": metrics.iou, **metrics.by_name(names)}


def retrieved(library: PieceLibrary, writer: BlockoutParts, room: ScoredRoom) -> Refined:
    """A room whose plain boxes are replaced by recorded pieces: the baseline."""
    kinds, objects = writer.prior.vocabulary.kinds, {}
    for number, box in plain_boxes(room.blockout, writer.prior, room.corners).items():
        solids = library.nearest(kinds[box.row], np.array(box.obj.size))
        if solids is not None:
            objects[number] = replace(box.obj, parts=solids.layout_parts())
    return painted(room.blockout, objects), objects


def changed_share(before: Sequence[SemanticGrid], after: Sequence[SemanticGrid]) -> float:
    """Share of the voxels of furniture that have another class afterwards."""
    taxonomy = TAXONOMIES[before[0].taxonomy]
    shell = [taxonomy.index_of(name) for name in _SHELLS[taxonomy.name]]
    furniture = [~np.isin(grid.labels, shell) for grid in before]
    changed = [((a.labels != b.labels) & own).sum() for a, b, own in zip(before, after, furniture, strict=True)]
    return float(sum(changed) / max(1, sum(own.sum() for own in furniture)))


def outside_share(refined: Sequence[Refined]) -> float:
    """Share of the parts' voxels whose centre is more than half a voxel outside of the object's box."""
    outside = total = 0
    for grid, objects in refined:
        for obj in objects.values():
            low, block = object_voxels(obj, grid)
            centers = (np.argwhere(block) + low + 0.5) * grid.voxel_size
            world = centers @ grid.world_from_grid[:3, :3].T + grid.world_from_grid[:3, 3]
            own = np.abs((world - obj.center) @ obj.axes)
            outside += int((own > np.array(obj.size) / 2 + grid.voxel_size / 2 + 1e-6).any(1).sum())
            total += len(own)
    return outside / max(1, total)


def likeness(first: Sequence[Refined], second: Sequence[Refined]) -> float:
    """Mean IoU of the voxels of the same objects with parts of two seeds; 1 where all shapes are equal."""
    values = []
    for (grid, objects), (_, others) in zip(first, second, strict=True):
        for number in objects:
            shown = []
            for obj in (objects[number], others[number]):
                low, block = object_voxels(obj, grid)
                shown.append({tuple(voxel) for voxel in (np.argwhere(block) + low).tolist()})
            values.append(len(shown[0] & shown[1]) / max(1, len(shown[0] | shown[1])))
    return float(np.mean(values))


def parts_metrics(
    rooms: Sequence[ScoredRoom],
    writer: BlockoutParts,
    library: PieceLibrary,
    seeds: int,
    draws: int,
    on_room: Callable[[], object] = lambda: None,
) -> tuple[dict[str, object], list[Refined]]:
    """All metrics, with boxes from voxels only and, where there are meshes, from these; and the rooms of seed 0.

    Args:
        rooms: to score.
        writer: of the parts.
        library: of the baseline.
        seeds: sampled versions of each room.
        draws: from which the most typical version is also scored.
        on_room: called `room_passes` times, once whenever a room has been given parts.
    """
    bare = [replace(room, corners={}) for room in rooms]
    by_voxels, shown = _arms(bare, writer, library, seeds, draws, on_room)
    metrics: dict[str, object] = {
        "rooms": len(rooms),
        "blockout": occupancy_score(rooms, [room.blockout for room in rooms]),
        "boxes_of_voxels": by_voxels,
    }
    if any(room.corners for room in rooms):
        metrics["boxes_of_meshes"], _ = _arms(rooms, writer, library, seeds, draws, on_room)
    kept = []
    for room in rooms:
        kept.append(writer.refine(room.truth, room.prompt, 0, room.true_corners)[0])
        on_room()
    metrics["changed_share_of_modelled_furniture"] = changed_share([room.truth for room in rooms], kept)
    return metrics, shown


def room_passes(rooms: Sequence[ScoredRoom], seeds: int) -> int:
    """How often `parts_metrics` gives a room parts."""
    kinds_of_boxes = 2 if any(room.corners for room in rooms) else 1
    return len(rooms) * (kinds_of_boxes * (seeds + 2) + 1)


def _arms(
    rooms: Sequence[ScoredRoom],
    writer: BlockoutParts,
    library: PieceLibrary,
    seeds: int,
    draws: int,
    on_room: Callable[[], object],
) -> tuple[dict[str, object], list[Refined]]:
    def refined(seed: int | None, versions: int = 1) -> list[Refined]:
        arm = []
        for room in rooms:
            arm.append(writer.refine(room.blockout, room.prompt, seed, room.corners, versions))
            on_room()
        return arm

    def score(arm: Sequence[Refined]) -> dict[str, float]:
        return occupancy_score(rooms, [grid for grid, _ in arm])

    begun = time.process_time()
    sampled = [refined(seed) for seed in range(seeds)]
    seconds = (time.process_time() - begun) / (seeds * len(rooms))
    metrics: dict[str, object] = {
        "retrieval": score([retrieved(library, writer, room) for room in rooms]),
        "likeliest": score(refined(None)),
        "seeds": [score(arm) for arm in sampled],
        f"most_typical_of_{draws}": score(refined(0, draws)),
        "cpu_seconds_a_room": seconds,
        "objects_with_parts_a_room": sum(len(objects) for _, objects in sampled[0]) / len(rooms),
        "outside_share": outside_share(sampled[0]),
    }
    if seeds > 1:
        metrics["likeness_of_two_seeds"] = likeness(sampled[0], sampled[1])
    return metrics, sampled[0]

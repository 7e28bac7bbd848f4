"""Views that a pipeline generates of rendered rooms, as training inputs of perception."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from occscene.grid import GridObject
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, scene_folder
from occscene_server.data.prompts import prompt_variants
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.data.scenes import SceneSet
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.pipelines.blockout_parts import BlockoutParts
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.terminal import track
from occscene_server.training.denoiser_stage import SCENES_WITHOUT_HINTS, VARIANT_SHARES
from occscene_server.weights import default_parts_prior


def generate_views(pipeline: OccScenePipeline, data: Path, scenes: SceneSet, rooms: int, folder: Path) -> Tensor:
    """Generates the views of the first rooms of `scenes`, with the prompts and hints that the denoiser is trained on.

    Args:
        pipeline: finished.
        data: folder that the studio rendered `scenes` into.
        scenes: whose blockouts and cameras are taken.
        rooms: how many; all of them if there are fewer.
        folder: keeps each room's views in a `.npy`, so that a killed run goes on.

    Returns:
        (rooms, V, height, width, 3) uint8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pipeline.set_progress_bar_config(disable=True)
    infos = scenes.infos[:rooms]
    parts = BlockoutParts.from_pretrained(default_parts_prior()) if pipeline.guided_decoder is not None else None
    return torch.stack([_views(pipeline, data, info, folder, parts) for info in track(infos, "generating views")])


def _views(
    pipeline: OccScenePipeline, data: Path, info: SceneInfo, folder: Path, parts: BlockoutParts | None
) -> Tensor:
    path = folder / f"{info.seed:06d}.npy"
    if not path.exists():
        scene = read_scene(scene_folder(data, info.seed))
        partial = path.with_suffix(".partial.npy")
        np.save(partial, pipeline(**training_call(data, scene, parts)).images)
        partial.rename(path)
    return torch.from_numpy(np.load(path))


def training_call(data: Path, scene: RenderedScene, parts: BlockoutParts | None) -> dict[str, Any]:
    """The arguments of a pipeline's call for a rendered room, with a prompt and hints that the denoiser is trained on.

    Args:
        data: folder that the studio rendered into.
        scene: the room.
        parts: draws parts in its blockout's boxes, in triangles; None leaves boxes of voxels.
    """
    prompt, hinted = training_prompt(scene.info)
    bare = tuple(GridObject(item.id, item.name) for item in scene.blockout.objects)
    grid = scene.blockout if hinted else replace(scene.blockout, objects=bare)
    call: dict[str, Any] = {"prompt": prompt, "cameras": scene.cameras, "grid": grid, "seed": scene.info.seed}
    if parts is not None:  # as a request is served
        mesh = read_mesh(scene_folder(data, scene.info.seed), "blockout")
        call["finer"], made = parts.refine(grid, prompt, corners=mesh.object_vertices())
        call["meshes"] = mesh_with_parts(mesh, grid, made)
    return call


def training_prompt(info: SceneInfo) -> tuple[str, bool]:
    """The prompt that a room's views are generated from, and whether its colour hints are given too."""
    rng = np.random.default_rng((info.seed, 1))
    variant = int(rng.choice(len(VARIANT_SHARES), p=VARIANT_SHARES))
    return prompt_variants(info)[variant], rng.random() >= SCENES_WITHOUT_HINTS

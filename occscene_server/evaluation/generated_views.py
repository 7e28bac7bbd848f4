"""Generated views in the format of rendered scenes, so that they are made once and scored often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from occscene.camera import PinholeCamera

from occscene_server.data.dataset import RenderedScene, list_scenes, scene_folder, split_of, write_scene
from occscene_server.evaluation.evaluator import read_whole_scene
from occscene_server.evaluation.scene_scores import Generation, generate_views
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.zero_shot import ZeroShotPipeline


def store_generated_views(
    pipe: OccScenePipeline | ZeroShotPipeline,
    folders: Sequence[Path],
    output: Path,
    generation: Generation,
    priors: ScenePriors | None,
    size: int | None = None,
) -> Iterator[Path]:
    """Generates the views of stored scenes, writes them as scenes below `output`, and yields their folders.

    What is there already is kept.

    Args:
        pipe: the model.
        folders: of rendered scenes.
        output: receives a folder for each scene, with generated views in place of rendered ones.
        generation: how.
        priors: give blockouts their parts; None leaves boxes.
        size: pixels of the views' longer side; None for that of the rendered ones.
    """
    for folder in folders:
        scene = read_whole_scene(folder)  # triangles too: as the extension sends a blockout
        stored = scene_folder(output, scene.info.seed)
        if not stored.exists():
            if size is not None:
                scene = replace(scene, cameras=_resized(scene, size), items=None)
            views = generate_views(pipe, scene, generation, priors)[0].images
            write_scene(output, replace(scene, views=views, items=None, meshes=None))
        yield stored


def pair_folders(data: Sequence[Path], generated: Sequence[Path], split: str) -> list[tuple[Path, Path]]:
    """Folders of real and of generated views of the same scenes of a split.

    Args:
        data: folders of rendered scenes; of a scene in several the first counts.
        generated: folders that `store_generated_views` filled; their scenes decide.
        split: test, validation or train.

    Raises:
        ValueError: there are no generated scenes of the split, or one of them is in none of `data`.
    """
    pairs = []
    for folder in sorted((path for root in generated for path in list_scenes(root)), key=lambda path: path.name):
        if split_of(int(folder.name.removeprefix("scene_"))) != split:
            continue
        real = [root / folder.name for root in data if (root / folder.name).exists()]
        if not real:
            raise ValueError(f"{folder} was generated, but {', '.join(map(str, data))} have no {folder.name}")
        pairs.append((real[0], folder))
    if not pairs:
        raise ValueError(
            f"{', '.join(map(str, generated))} hold no generated {split} scenes; make some with "
            f"`occscene-server evaluate generate --split {split}`"
        )
    return pairs


def _resized(scene: RenderedScene, size: int) -> tuple[PinholeCamera, ...]:
    scale = size / max(scene.cameras[0].width, scene.cameras[0].height)
    return tuple(camera.resized(round(camera.width * scale), round(camera.height * scale)) for camera in scene.cameras)

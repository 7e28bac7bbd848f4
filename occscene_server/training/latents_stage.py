"""`train latents`: of rendered views, partly noised and denoised again by a finished pipeline.

They look like generated latents and still belong to the rendered views, and so teach a decoder what to make of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.lib.format import open_memmap

from occscene_server.data.dataset import read_scene, scenes_of_split
from occscene_server.pipelines.blockout_parts import BlockoutParts
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.terminal import say, track
from occscene_server.training import arguments as arg
from occscene_server.training.generated_views import training_call
from occscene_server.training.latent_store import stored_latents
from occscene_server.weights import bundled_parts_prior

STRENGTHS = (0.4, 0.9)
"""How much is noised, drawn evenly: with less, latents stay as rendered; with more, colors and light become other ones,
which the decoder would learn to mistrust."""
STEPS = 10


def latents(
    data: arg.Data,
    output: Annotated[
        Path, typer.Option(help="Folder for the latents, a file a split."), arg.Writes(("latents",), below=False)
    ],
    model: Annotated[Path, typer.Option(help="A finished pipeline, which denoises."), arg.Weights("pipeline")],
    rooms: Annotated[int, typer.Option(min=1, help="Rooms of the training split, the first ones.")] = 500,
) -> None:
    """Noise the latents of rendered views partly and denoise them again; go on where the last call was stopped."""
    pipeline = OccScenePipeline.from_pretrained(str(model))
    pipeline.set_progress_bar_config(disable=True)
    prior = bundled_parts_prior(pipeline.config.taxonomy)
    parts = None if prior is None else BlockoutParts.from_pretrained(prior)
    folders = scenes_of_split(data, "train")
    path = latents_file(output, "train")
    path.parent.mkdir(parents=True, exist_ok=True)
    for index in track(range(min(rooms, len(folders))), "denoising latents"):
        if stored_latents(path, index) is not None:
            continue
        scene = read_scene(folders[index])
        strength = float(np.random.default_rng((scene.info.seed, 2)).uniform(*STRENGTHS))
        made = pipeline(
            **training_call(data, scene, parts), num_inference_steps=STEPS, start=scene.views, strength=strength,
            output_type="latent",
        ).images  # fmt: skip
        if path.exists():
            stored = np.load(path, mmap_mode="r+")
        else:  # zeros take no room on the disk, and say what is missing
            stored = open_memmap(path, "w+", np.float16, (len(folders), *made.shape))
        stored[index] = made
    say(f"latents of {min(rooms, len(folders))} rooms in {path}")


def latents_file(folder: Path, split: str) -> Path:
    """Where the latents of a split are, a row a scene in the order of `scenes_of_split`."""
    return folder / f"{split}.npy"

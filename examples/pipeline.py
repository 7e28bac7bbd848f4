"""The pipeline in this process, without a server and without Blender: a blockout of numpy arrays to views.

`python examples/pipeline.py OUTPUT [--prompt "..."] [--steps N] [--seed N]`
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from occscene.grid import GridObject, SemanticGrid, save_grid
from occscene.rig import default_rig
from occscene.taxonomy import INDOOR
from occscene.volumes import default_volume
from PIL import Image

from occscene_server import OccScenePipeline
from occscene_server.weights import default_model


def blockout() -> SemanticGrid:
    """A room of 4.8 x 4.8 x 2.8 m with a bed, and a red wardrobe in a corner."""
    volume = default_volume("indoor")  # 60 x 60 x 36 voxels of 8 cm, the floor's top at z = 0
    labels = np.zeros(volume.shape, np.uint8)
    instances = np.zeros(volume.shape, np.uint16)
    labels[:, :, 0] = INDOOR.index_of("floor")
    labels[:, :, -1] = INDOOR.index_of("ceiling")
    for wall in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        wall[:, 1:-1] = INDOOR.index_of("wall")
    placed = [
        (GridObject(1, "bed", prompt="a bed with a blue blanket"), "bed", np.s_[18:40, 30:58, 1:7]),
        (GridObject(2, "wardrobe", hint=(0.6, 0.05, 0.05)), "furn", np.s_[1:9, 1:20, 1:26]),
    ]
    for item, class_name, box in placed:
        labels[box] = INDOOR.index_of(class_name)
        instances[box] = item.id
    objects = tuple(item for item, _, _ in placed)
    return SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, "indoor", instances, objects)


def main() -> None:
    """Reads the command line, generates, and writes `view_NAME.png` and `occupancy.npz`."""
    parser = argparse.ArgumentParser(description="A blockout of numpy arrays to views and an occupancy.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--prompt", default="a bedroom with green walls and an oak plank floor, bright day")
    parser.add_argument("--steps", type=int, help="denoising steps; the model's own number if absent")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    grid = blockout()
    cameras = default_rig(grid.volume)
    pipe = OccScenePipeline.from_pretrained(str(default_model()))
    result = pipe(arguments.prompt, cameras, grid, num_inference_steps=arguments.steps, seed=arguments.seed)

    arguments.output.mkdir(parents=True, exist_ok=True)
    for camera, image in zip(cameras, result.images, strict=True):
        Image.fromarray(image).save(arguments.output / f"view_{camera.name}.png")
    save_grid(arguments.output / "occupancy.npz", result.grid)


if __name__ == "__main__":
    main()

"""Latents of rendered views on disk, encoded when they are first asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.precision import fast_autocast


class LatentStore:
    """Normalised latents of the views of some scenes, in half precision.

    Args:
        path: of the file, which is made where it is missing.
        scenes: how many there are.
        vae: the autoencoder, the same each time.

    Raises:
        ValueError: the file is of another number of scenes.
    """

    def __init__(self, path: Path, scenes: int, vae: SceneAutoencoder) -> None:
        self.path, self.scenes, self.vae = path, scenes, vae.eval()
        if path.exists() and len(np.load(path, mmap_mode="r")) != scenes:
            raise ValueError(f"{path} is not of {scenes} scenes; delete it")

    @torch.no_grad()
    def of(self, scene: int, views: Tensor) -> Tensor:
        """The latents (V, channels, h, w) float32 of a scene's views (V, height, width, 3) uint8."""
        stored = np.load(self.path, mmap_mode="r+") if self.path.exists() else None
        if stored is None or not stored[scene].any():
            images = images_from_bytes(views)
            with fast_autocast("cpu"):
                latents = self.vae.normalize(self.vae.encode(images).latent_dist.mode().float()).numpy()
            if stored is None:  # zeros take no room on the disk, and say what is missing
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stored = open_memmap(self.path, "w+", np.float16, (self.scenes, *latents.shape))
            stored[scene] = latents
        return torch.from_numpy(stored[scene].astype(np.float32))


def stored_latents(path: Path, scene: int) -> Tensor | None:
    """The latents (V, channels, h, w) float32 of a scene in a file like a `LatentStore`'s, or None.

    Args:
        path: of the file, which need not be there; zeros in it say that a scene is missing.
        scene: its number.
    """
    stored = np.load(path, mmap_mode="r") if path.exists() else None
    if stored is None or not stored[scene].any():
        return None
    return torch.from_numpy(stored[scene].astype(np.float32))

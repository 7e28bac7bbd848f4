"""How far views come to agree when they are fused: `python -m tests.benchmarks.synchronization --data data/indoor`.

Renders of test rooms get color casts and blotches, as estimates of a checkpoint have them, go through the bundled
autoencoder and are fused over their surfaces. A row has the co-visible error before, and what is left of it and of the
gradient energy (its share of before) for each exponent of the weights.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.data.dataset import read_cameras, read_grids, read_info, read_views, scenes_of_split
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.correspondence import correspondences
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.geometry.view_fusion import FIRST_EXPONENT, LAST_EXPONENT, disagreement
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.pipelines.view_synchronization import ViewSynchronization
from occscene_server.terminal import PlainTable, console, track
from occscene_server.weights import default_model

EXPONENTS = (FIRST_EXPONENT, 3.0, LAST_EXPONENT)
AIMED_ERROR, AIMED_ENERGY = 0.3, 0.85


def energy(images: Tensor) -> float:
    """Mean squared difference of neighbours."""
    return float(images.diff(dim=-1).square().mean() + images.diff(dim=-2).square().mean())


@torch.no_grad()
def room_shares(folder: Path, vae: SceneAutoencoder) -> tuple[float, list[tuple[float, float]]]:
    """The co-visible error of a spoilt room, and for each exponent the shares of error and energy that are left."""
    grid, cameras = read_grids(folder)[1], CameraTensors.from_cameras([read_cameras(folder)])
    images = images_from_bytes(torch.from_numpy(read_views(folder)))
    size = images.shape[-2], images.shape[-1]
    found = correspondences(mesh_gbuffer([RayScene(read_mesh(folder, "true"), grid)], cameras, size), grid, cameras)
    synchronization = ViewSynchronization(found, True)
    draw = torch.Generator().manual_seed(read_info(folder).seed)
    casts = 0.3 * torch.randn(len(images), 3, 1, 1, generator=draw)
    blotches = F.interpolate(0.25 * torch.randn(len(images), 3, 16, 16, generator=draw), size, mode="bicubic")

    def decode(latents: Tensor) -> Tensor:
        return vae.decode(latents).sample

    def encode(pixels: Tensor) -> Tensor:
        return vae.encode(pixels).latent_dist.mode()

    latents = encode(0.6 * images + casts + blotches)
    before = decode(latents)
    error = disagreement(before, found)
    shares = []
    for exponent in EXPONENTS:
        after = decode(synchronization.agreed(latents, exponent, decode, encode))
        shares.append((disagreement(after, found) / error, energy(after) / energy(before)))
    return error, shares


def main() -> None:
    """Prints the table, and whether the aim is met."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of rendered rooms with their triangles")
    parser.add_argument("--rooms", type=int, default=8, help="the first N test rooms")
    chosen = parser.parse_args()
    vae = SceneAutoencoder.from_pretrained(default_model() / "vae").eval()
    columns = [f"{what}, e = {exponent:g}" for exponent in EXPONENTS for what in ("error", "energy")]
    table = PlainTable("room", "before", *columns, title="Shares that are left when views are fused")
    rows = []
    folders = scenes_of_split(chosen.data, "test", chosen.rooms)
    for folder in track(folders, "rooms"):
        before, shares = room_shares(folder, vae)
        rows.append([value for pair in shares for value in pair])
        table.add_row(folder.name, f"{before:.3f}", *(f"{value:.2f}" for value in rows[-1]))
    table.add_section()
    table.add_row("mean", "", *(f"{value:.2f}" for value in np.mean(rows, axis=0)))
    console.print(table)
    worst = max(max(row[0::2]) for row in rows), min(min(row[1::2]) for row in rows)
    met = "met" if worst[0] <= AIMED_ERROR and worst[1] >= AIMED_ENERGY else "MISSED"
    console.print(f"aim: at most {AIMED_ERROR} of the error, at least {AIMED_ENERGY} of the energy in each room: {met}")


if __name__ == "__main__":
    main()

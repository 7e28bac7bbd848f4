"""The model's kernels: `python -m tests.benchmarks.kernels`, on an otherwise idle machine.

Chunked state-space duality against the recurrence and against the paper's minimal listing; voxel traversal against
the steps of Amanatides and Woo; dual alignment forward and backward.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from occscene.camera import PinholeCamera
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import first_hit
from occscene_server.models.dual_alignment import MambaDualAlignment
from occscene_server.models.mamba2 import Mamba2, ssd_chunked, ssd_ref
from occscene_server.models.precision import fast_autocast
from tests.benchmarks.table import Row, best_ms, print_table
from tests.blender_addon.geometry.grids import room

LENGTH = 4096
CHUNK = Mamba2(96).chunk_size


def minimal_ssd(x: Tensor, a: Tensor, b: Tensor, c: Tensor, block: int) -> Tensor:
    """Listing 1 of arXiv 2405.21060: x (B, L, H, P) and a (B, L, H), both times dt, and b, c (B, L, H, N)."""
    x, b, c = (m.unflatten(1, (-1, block)) for m in (x, b, c))
    a = a.unflatten(1, (-1, block)).permute(0, 3, 1, 2)  # (B, H, K, Q)
    total = a.cumsum(-1)
    within = torch.einsum("bclhn,bcshn,bhcls,bcshp->bclhp", c, b, segment_sums(a).exp(), x)
    remaining = (total[..., -1:] - total).exp()
    states = torch.einsum("bclhn,bhcl,bclhp->bchpn", b, remaining, x)
    states = torch.cat([torch.zeros_like(states[:, :1]), states], 1)
    passed = segment_sums(F.pad(total[..., -1], (1, 0))).exp()
    states = torch.einsum("bhzc,bchpn->bzhpn", passed, states)[:, :-1]
    found = torch.einsum("bclhn,bchpn,bhcl->bclhp", c, states, total.exp())
    return (within + found).flatten(1, 2)


def segment_sums(values: Tensor) -> Tensor:
    """Sums from j + 1 to i of (..., T), -inf where j > i: (..., T, T)."""
    length = values.shape[-1]
    ones = torch.ones(length, length, dtype=torch.bool, device=values.device)
    sums = values[..., None].expand(*values.shape, length).masked_fill(~ones.tril(-1), 0).cumsum(-2)
    return sums.masked_fill(~ones.tril(), -torch.inf)


def scan_rows() -> list[Row]:
    """Forward, and forward with backward, of the model's own layer: 6 heads of 32 channels, a state of 32.

    As many steps as 16 views of 32 x 32 latents have patches.
    """
    torch.manual_seed(0)
    heads, width, size = 6, 32, 32
    x, b, c = (torch.randn(1, LENGTH, n, m) for n, m in ((heads, width), (1, size), (1, size)))
    dt, a = F.softplus(torch.randn(1, LENGTH, heads) - 3), -torch.empty(heads).uniform_(1, 16)
    leaves = [m.requires_grad_() for m in (x, dt, a, b, c)]

    def listing(block: int) -> Tensor:
        b_heads, c_heads = (m.expand(-1, -1, heads, -1) for m in (b, c))
        return minimal_ssd(x * dt[..., None], a * dt, b_heads, c_heads, block)

    works = {
        "ours": lambda: ssd_chunked(x, dt, a, b, c, CHUNK)[0],
        "recurrence, step by step": lambda: ssd_ref(x, dt, a, b, c)[0],
        "minimal listing, block 64": partial(listing, 64),
        f"minimal listing, block {CHUNK}": partial(listing, CHUNK),
    }
    expected = works["ours"]()
    for work in works.values():
        torch.testing.assert_close(work(), expected, rtol=1e-3, atol=1e-3)
    forward = torch.no_grad()(lambda work: best_ms(work, 5 if work is works["recurrence, step by step"] else 40))
    times = {name: forward(work) for name, work in works.items()}
    backward = {
        name: best_ms(lambda work=work: torch.autograd.grad(work().square().sum(), leaves), 5)
        for name, work in works.items()
        if not name.startswith("recurrence")
    }
    rows = []
    for case, measured in (("forward", times), ("forward and backward", backward)):
        for peer in list(measured)[1:]:
            rows.append(Row(f"scan of {LENGTH:,} steps, {case}", measured["ours"], peer, measured[peer]))
    return rows


def walk(occupied: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
    """Amanatides and Woo's steps for all rays at once, from inside a grid (X, Y, Z): flat indices (R,), -1 for none."""
    sides = torch.tensor(occupied.shape)
    cell, forward = origins.floor(), (directions > 0).float()
    step, index = directions.sign(), torch.full((len(origins),), -1)
    pending = torch.arange(len(origins))
    while len(pending):
        times = (cell + forward[pending] - origins[pending]) / directions[pending]
        axis = times.argmin(1, keepdim=True)
        cell = cell.scatter_add(1, axis, step[pending].gather(1, axis))
        inside = ((cell >= 0) & (cell < sides)).all(1)
        cell, pending = cell[inside], pending[inside]
        x, y, z = cell.long().unbind(1)
        flat = (x * sides[1] + y) * sides[2] + z
        hit = occupied.view(-1)[flat]
        index[pending[hit]] = flat[hit]
        cell, pending = cell[~hit], pending[~hit]
    return index


def scene(views: int, side: int) -> tuple[GridTensors, CameraTensors]:
    """A furnished room of 60 x 60 x 36 voxels, seen from its corners and its middle."""
    grid = room()
    cameras = []
    for view in range(views):
        angle = 2 * np.pi * (view + 0.3) / views
        forward = np.array([np.cos(angle), np.sin(angle), -0.2]) / np.hypot(1, 0.2)
        right = np.array([np.sin(angle), -np.cos(angle), 0.0])
        local = np.eye(4)
        middle = np.array(grid.shape) * grid.voxel_size * [0.5, 0.5, 0.6]
        local[:3] = np.stack([right, np.cross(forward, right), forward, middle - 1.4 * forward * [1, 1, 0]], 1)
        focal = 0.6 * side
        pose = grid.world_from_grid @ local
        cameras.append(PinholeCamera(str(view), side, side, focal, focal, side / 2, side / 2, pose))
    return GridTensors.from_grids([grid]), CameraTensors.from_cameras([cameras])


def traversal_rows() -> list[Row]:
    """First hits, and all G-buffer maps, of 4 views of 256 x 256."""
    grid, cameras = scene(4, 256)
    origins, directions = pixel_rays(cameras, grid.volume, (256, 256))
    origins = origins[:, :, None, None].expand_as(directions).reshape(1, -1, 3)
    directions = directions.reshape(1, -1, 3)
    occupied = grid.occupied()
    steps = walk(occupied[0], origins[0], directions[0])
    agree = (first_hit(occupied, origins, directions).index[0] == steps).float().mean()
    assert agree > 0.999, f"only {agree:.2%} of the rays agree"
    peer = best_ms(lambda: walk(occupied[0], origins[0], directions[0]), 3)
    ours = best_ms(lambda: first_hit(occupied, origins, directions), 15)
    drawn = best_ms(lambda: render_gbuffer_maps(grid, cameras, (256, 256), 12), 15)
    return [
        Row("first hits of 262,144 rays", ours, "voxel by voxel, all rays at once", peer, 60.0),
        Row("G-buffer maps of 4 views of 256 x 256", drawn),
    ]


def alignment_rows() -> list[Row]:
    """Dual alignment of 2 scenes x 4 views at 32 x 32 latents, as in training."""
    _, cameras = scene(4, 256)
    two = GridTensors.from_grids([room(), room()])
    cameras = CameraTensors(
        cameras.intrinsics.repeat(2, 1, 1, 1), cameras.world_from_camera.repeat(2, 1, 1, 1), 256, 256
    )
    model = MambaDualAlignment()

    def forward() -> Tensor:
        with fast_autocast("cpu"):
            return model(two.labels, cameras, two.volume, (32, 32))

    def both() -> None:
        forward().float().square().sum().backward()

    return [
        Row("dual alignment, forward", best_ms(torch.no_grad()(forward), 10)),
        Row("dual alignment, forward and backward", best_ms(both, 10)),
    ]


def main() -> None:
    """Prints the three tables."""
    print_table("State-space scan", scan_rows())
    print_table("Voxel traversal", traversal_rows())
    print_table("Dual alignment", alignment_rows())


if __name__ == "__main__":
    main()

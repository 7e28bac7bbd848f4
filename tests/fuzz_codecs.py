"""Mutated inputs for every reader of untrusted bytes: each is read or ends in a ValueError, in bounded time and memory.

Run `python -m tests.fuzz_codecs --inputs 100000`. Inputs start from valid ones, of which bytes are changed, cut out,
repeated or overwritten with extreme numbers; inside an `.npz` also the arrays, under checksums that are right again.
The same seed gives the same inputs; what fails is printed and kept as a file.
"""

from __future__ import annotations

import gzip
import io
import random
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from google.protobuf.message import DecodeError
from occscene import codec
from occscene.camera import PinholeCamera
from occscene.formats import occ3d, semantic_kitti
from occscene.formats.magicavoxel import read_magicavoxel, write_magicavoxel
from occscene.formats.minecraft import read_schematic, write_schematic
from occscene.formats.ply import read_ply, write_ply
from occscene.grid import GridObject, SemanticGrid, load_grid, save_grid
from occscene.mesh import TriangleMesh, load_mesh
from occscene.mesh_codec import mesh_from_message, mesh_to_message
from occscene.taxonomy import INDOOR
from occscene.v1 import camera_pb2, grid_pb2, mesh_pb2
from rich.console import Console
from rich.progress import track
from rich.table import Table

MAX_SECONDS = 10.0
"""Processor time that one input may take."""

MAX_BYTES = 5 * 2**25
"""Memory that one input may take: labels and instances of the largest grid, a copy of the labels, and the input."""

TRACED = 50
"""Of this many inputs one has its memory traced, which is slow."""

EXTREMES = [0, 1, 127, 128, 255, 256, 512, 513, 2**16 - 1, 2**25, 2**31 - 1, 2**31, 2**32 - 1]


@dataclass(frozen=True)
class Target:
    """One reader.

    Args:
        name: shown in the table.
        share: of all inputs, relative to other targets.
        seeds: valid inputs.
        read: raises a ValueError for an input that it does not take.
        mutate: makes a bad input of a good one.
    """

    name: str
    share: int
    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    mutate: Callable[[bytes, random.Random], bytes]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to eight random changes."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(result) + 1)
        length = rng.choice([1, 1, 1, 2, 4, 16, 200])
        kind = rng.randrange(6)
        if kind == 0:
            result[at : at + length] = rng.randbytes(len(result[at : at + length]))
        elif kind == 1:
            del result[at : at + length]
        elif kind == 2:
            result[at:at] = result[at : at + length] * rng.choice([1, 1, 50])
        elif kind == 3:
            result[at : at + 4] = rng.choice(EXTREMES).to_bytes(4, "little")
        elif kind == 4 and at < len(result):
            result[at] ^= 1 << rng.randrange(8)
        elif rng.random() < 0.2:
            del result[at:]
    return bytes(result)


def mutated_archive(data: bytes, rng: random.Random) -> bytes:
    """Changes in the file itself, or in one of its arrays."""
    if rng.random() < 0.3:
        return mutated(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    head = 128 if rng.random() < 0.7 else len(members[name])  # most of what can go wrong is in the header
    members[name] = mutated(members[name][:head], rng) + members[name][head:]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, content in members.items():
            archive.writestr(key, content)
    return file.getvalue()


def targets(folder: Path) -> list[Target]:
    """All readers, with a file in `folder` for those that read files."""
    path = folder / "input"

    def from_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
        def run(data: bytes) -> object:
            path.write_bytes(data)
            return read(path)

        return run

    def written(write: Callable[..., object], *values: object) -> bytes:
        write(path, *values)
        return path.read_bytes()

    rng = np.random.default_rng(0)
    pose = np.eye(4)
    ids = rng.integers(0, 3, (4, 5, 6)).astype(np.uint16)
    table = (GridObject(1, "sofa", (0.5, 0.1, 0.2)), GridObject(2, "lämp", prompt="a green lämp"))
    grid = SemanticGrid(rng.integers(0, 12, ids.shape, np.uint8), 0.1, pose, "indoor", ids, table)
    wide = SemanticGrid(rng.integers(0, 12, (300, 2, 2), np.uint8), 0.1, pose, "indoor")
    frame = SemanticGrid(np.zeros(occ3d.SHAPE, np.uint8), 0.4, pose, "outdoor")
    street = SemanticGrid(np.zeros(semantic_kitti.SHAPE, np.uint8), 0.2, pose, "outdoor")
    camera = codec.camera_to_message(PinholeCamera("front", 640, 480, 500.0, 500.0, 320.0, 240.0, pose))
    soup = rng.integers(0, 40, (60, 3)).astype(np.uint32)
    kinds, owners = rng.integers(1, 12, 60).astype(np.uint8), rng.integers(0, 3, 60).astype(np.uint16)
    mesh = TriangleMesh(rng.normal(size=(40, 3)), soup, kinds, owners)
    mesh_message = mesh_to_message(mesh, grid.volume).SerializeToString()

    def read_mesh_message(data: bytes) -> object:
        try:
            message = mesh_pb2.TriangleMesh.FromString(data)
        except DecodeError as error:
            raise ValueError(str(error)) from error
        return mesh_from_message(message, grid.volume, INDOOR, (1, 2))

    messages = tuple(codec.grid_to_message(item).SerializeToString() for item in (grid, grid.without_instances()))
    raw = grid.labels.tobytes()
    blocks = (b"\1" + raw, bytes([2]) + codec.pack_block(grid.labels).data, b"\3" + zlib.compress(raw))

    def read_block(data: bytes) -> object:
        block = grid_pb2.VoxelBlock(data=data[1:], raw_size=len(raw), crc32=zlib.crc32(raw))
        block.compression = data[0] if data else 0  # type: ignore[assignment]  # any number, as over the wire
        return codec.unpack_block(block, grid.shape, np.uint8)

    vox = tuple(written(write_magicavoxel, item) for item in (grid, wide))
    ply, schem = written(write_ply, grid), written(write_schematic, grid)
    archives = tuple(written(save_grid, item) for item in (grid, grid.without_instances()))
    meshed = written(save_grid, grid, mesh)
    occ3d_file = written(occ3d.write_occ3d, frame)
    kitti_file = written(semantic_kitti.write_semantic_kitti, street)
    return [
        Target("grid message", 20, messages, _read_grid_message, mutated),
        Target("mesh message", 20, (mesh_message,), read_mesh_message, mutated),
        Target("mesh in .npz", 10, (meshed,), from_file(load_mesh), mutated_archive),
        Target("voxel block", 20, blocks, read_block, mutated),
        Target("camera message", 10, (camera.SerializeToString(),), _read_camera_message, mutated),
        Target("grid .npz", 20, archives, from_file(load_grid), mutated_archive),
        Target("MagicaVoxel .vox", 20, vox, from_file(lambda p: read_magicavoxel(p, 0.1)), mutated),
        Target("PLY points", 5, (ply,), from_file(read_ply), mutated),
        Target("Minecraft tags", 5, (gzip.decompress(schem),), from_file(read_schematic), mutated),
        Target("Occ3D labels.npz", 1, (occ3d_file,), from_file(occ3d.read_occ3d), mutated_archive),
        Target("SemanticKITTI .label", 1, (kitti_file,), from_file(semantic_kitti.read_semantic_kitti), mutated),
    ]


def _read_grid_message(data: bytes) -> object:
    try:
        message = grid_pb2.SemanticGrid.FromString(data)
    except DecodeError as error:  # gRPC refuses these before our code sees them
        raise ValueError(str(error)) from error
    return codec.grid_from_message(message)


def _read_camera_message(data: bytes) -> object:
    try:
        message = camera_pb2.PinholeCamera.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return codec.camera_from_message(message)


@dataclass
class Outcome:
    """What became of one input: `read`, `refused` or the failure, and what it cost; bytes where they were traced."""

    result: str
    seconds: float
    peak: int


def try_input(target: Target, data: bytes, traced: bool) -> Outcome:
    """Reads one input."""
    if traced:
        tracemalloc.start()
    start = time.process_time()
    try:
        target.read(data)
        result = "read"
    except ValueError as error:
        result = "refused" if str(error) else "an empty message"
    except Exception as error:  # the point of it all
        result = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    peak = 0
    if traced:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if seconds > MAX_SECONDS:
        result = f"{seconds:.1f} s of processor time"
    if peak > MAX_BYTES:
        result = f"{peak / 2**20:.0f} MiB"
    return Outcome(result, seconds, peak)


def main(
    inputs: Annotated[int, typer.Option(help="How many.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the random changes.")] = 0,
) -> None:
    """Feeds mutated inputs to every reader; ends with status 1 if any was not read or refused as it must be."""
    rng = random.Random(seed)
    console = Console()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        counts = {target.name: Counter[str]() for target in known}
        worst = dict.fromkeys(counts, Outcome("", 0.0, 0))
        for number in track(range(inputs), "mutated inputs", console=console):
            target = rng.choices(known, [item.share for item in known])[0]
            data = target.mutate(rng.choice(target.seeds), rng)
            outcome = try_input(target, data, number % TRACED == 0)
            kind = outcome.result if outcome.result in ("read", "refused") else "failed"
            counts[target.name][kind] += 1
            before = worst[target.name]
            worst[target.name] = Outcome("", max(before.seconds, outcome.seconds), max(before.peak, outcome.peak))
            if kind == "failed":
                failures += 1
                kept = Path(f"fuzz_failure_{failures}.bin")
                kept.write_bytes(data)
                console.print(f"[red]{target.name}, input {number}: {outcome.result}[/] - kept as {kept}")
    table = Table(
        "reader", "read", "refused", "failed", "longest, ms", "most memory, MiB", title=f"{inputs:,} mutated inputs"
    )
    for name, count in counts.items():
        row = [f"{count[kind]:,}" for kind in ("read", "refused", "failed")]
        table.add_row(name, *row, f"{worst[name].seconds * 1000:.0f}", f"{worst[name].peak / 2**20:.1f}")
    console.print(table)
    raise typer.Exit(1 if failures else 0)


if __name__ == "__main__":
    typer.run(main)

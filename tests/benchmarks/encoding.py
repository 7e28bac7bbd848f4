"""Grids to bytes and back, against `np.savez_compressed` and gzip on the same grids, in memory."""

from __future__ import annotations

import gzip
import io
from functools import partial

import numpy as np
from numpy.typing import NDArray
from occscene.codec import grid_from_message, grid_to_message, pack_block, unpack_block
from occscene.grid import SemanticGrid
from occscene.v1 import grid_pb2
from rich.console import Console
from rich.table import Table

from tests.benchmarks.table import Row, best_ms, print_table
from tests.blender_addon.geometry.grids import room, street


def encode(grid: SemanticGrid) -> bytes:
    """As it goes over the wire."""
    return grid_to_message(grid).SerializeToString()


def decode(data: bytes) -> SemanticGrid:
    """With every check that a server makes."""
    return grid_from_message(grid_pb2.SemanticGrid.FromString(data))


def savez(grid: SemanticGrid) -> bytes:
    """numpy's own compressed file."""
    file = io.BytesIO()
    np.savez_compressed(file, labels=grid.labels)
    return file.getvalue()


def load(data: bytes) -> NDArray[np.uint8]:
    """The labels of `savez`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as members:
        return members["labels"]


def ungzip(data: bytes) -> NDArray[np.uint8]:
    """The labels of gzipped bytes, one array without its shape."""
    return np.frombuffer(gzip.decompress(data), np.uint8).copy()


def scenes() -> list[tuple[str, SemanticGrid, int]]:
    """Name, grid and the most bytes that it may take."""
    return [("street 256x256x32", street(), 60_000), ("room 60x60x36", room(), 2_000)]


def encoding_rows() -> list[Row]:
    """The voxels packed and unpacked, with checksum; and whole messages with all their checks.

    gzip works at level 6, which zlib and gRPC use.
    """
    rows = []
    for name, grid, _ in scenes():
        labels, raw = grid.labels, grid.labels.tobytes()
        block = pack_block(labels)
        packing, unpacking = (
            best_ms(partial(pack_block, labels), 25),
            best_ms(partial(unpack_block, block, grid.shape, np.uint8), 25),
        )
        peers = (
            ("np.savez_compressed", best_ms(partial(savez, grid), 7), best_ms(partial(load, savez(grid)), 15)),
            ("gzip", best_ms(partial(gzip.compress, raw, 6), 7), best_ms(partial(ungzip, gzip.compress(raw, 6)), 15)),
        )
        for peer, there, back in peers:
            rows.append(Row(f"{name}, pack", packing, peer, there))
            rows.append(Row(f"{name}, unpack", unpacking, peer, back))
        whole = best_ms(partial(encode, grid), 25) + best_ms(partial(decode, encode(grid)), 25)
        rows.append(Row(f"{name}, message made, serialised, parsed and checked", whole, budget_ms=5.0))
    return rows


def print_sizes() -> None:
    """Prints what each takes of the wire."""
    table = Table(title="Encoded size")
    table.add_column("case")
    for column in ("ours, bytes", "budget", "np.savez_compressed", "gzip", "raw"):
        table.add_column(column, justify="right")
    for name, grid, budget in scenes():
        ours = len(encode(grid))
        peers = [len(savez(grid)), len(gzip.compress(grid.labels.tobytes(), 6)), grid.labels.nbytes]
        limit = f"[{'green' if ours <= budget else 'red'}]{budget:,}[/]"
        table.add_row(name, f"{ours:,}", limit, *(f"{size:,}" for size in peers))
    Console(width=140).print(table)


if __name__ == "__main__":
    print_table("Encoding", encoding_rows())
    print_sizes()

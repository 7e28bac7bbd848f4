"""All tables of the geometry: `python -m tests.benchmarks.geometry`, on one core of an otherwise idle machine."""

from __future__ import annotations

from tests.benchmarks.encoding import encoding_rows, print_sizes
from tests.benchmarks.meshing import meshing_rows
from tests.benchmarks.table import print_table
from tests.benchmarks.voxelizing import voxelizing_rows


def main() -> None:
    """Prints voxelising, meshing and encoding, each with its peers and budgets."""
    print_table("Voxelising", voxelizing_rows())
    print_table("Grid to mesh", meshing_rows())
    print_table("Encoding", encoding_rows())
    print_sizes()


if __name__ == "__main__":
    main()

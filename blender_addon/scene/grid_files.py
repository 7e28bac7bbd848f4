"""Grid files as a scene reads and writes them: its domain, its voxels, and the classes chosen for materials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bpy
from occscene.formats.table import FORMATS, READ_FORMATS, WRITE_FORMATS, ReadGrid, read_grid, write_grid
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh

from .volume import voxel_meters

READ_FILTER = ";".join(sorted({f"*{item.suffix}" for item in READ_FORMATS}))
WRITE_FILTER = ";".join(sorted({f"*{item.suffix}" for item in WRITE_FORMATS}))
SUFFIXES = {item.key: item.suffix for item in FORMATS}
WRITE_ITEMS = tuple((item.key, item.label, item.holds) for item in WRITE_FORMATS)
READ_LABELS = ", ".join(item.label for item in READ_FORMATS)
WRITE_LABELS = ", ".join(item.label for item in WRITE_FORMATS)


def read_grid_file(scene: bpy.types.Scene, path: Path, given: Mapping[str, str]) -> ReadGrid:
    """Reads a grid file of any kind.

    Args:
        scene: whose classes a file's materials become, and whose voxel size a file gets that does not say one.
        path: the file.
        given: the classes of materials' keys; they go before those that the scene remembers.

    Raises:
        ValueError: not such a file, or it has no material of a given key.
        OSError: the file cannot be read.
    """
    _find_openvdb(path)
    domain = scene.occscene.domain
    read = read_grid(path, domain, voxel_meters(scene), lambda palette: chosen_classes(scene, palette) | dict(given))
    keys = [item.material.key for item in read.materials]
    unknown = [key for key in given if key not in keys]
    if unknown:
        held = f"it has {', '.join(keys[:12])}" if keys else "its voxels have classes already"
        raise ValueError(f"{path.name} has no material {unknown[0]!r}; {held}")
    return read


def write_grid_file(path: Path, grid: SemanticGrid, key: str, mesh: TriangleMesh | None = None) -> None:
    """Writes a grid file; `key` is the format where the name's end leaves several, OccScene's own also holds a mesh.

    Raises:
        ValueError: there is no such kind, or it cannot hold this grid.
        OSError: the file cannot be written.
    """
    _find_openvdb(path)
    write_grid(path, grid, key, mesh)


def chosen_classes(scene: bpy.types.Scene, palette: str) -> dict[str, str]:
    """The classes of materials' keys that the scene remembers for a palette."""
    domain = scene.occscene.domain
    items = scene.occscene.material_classes
    return {item.key: item.class_name for item in items if (item.palette, item.domain) == (palette, domain)}


def remember_classes(scene: bpy.types.Scene, palette: str, chosen: Mapping[str, str]) -> None:
    """Keeps choices for a palette in the scene, in place of earlier ones for the same materials."""
    domain, items = scene.occscene.domain, scene.occscene.material_classes
    for number in reversed(range(len(items))):
        if (items[number].palette, items[number].domain) == (palette, domain) and items[number].key in chosen:
            items.remove(number)
    for key, class_name in chosen.items():
        item = items.add()
        item.palette, item.domain, item.key, item.class_name = palette, domain, key, class_name


def _find_openvdb(path: Path) -> None:
    if path.suffix.lower() == ".vdb":
        bpy.utils.expose_bundled_modules()  # Blender keeps its own openvdb outside of Python's search path

"""Whether the bundled model gives objects the colors that a prompt names, on rooms as artists block them out.

`python -m tests.benchmarks.colors --sheet sheet.png` draws twelve rooms of plain boxes, none of them the studio's, with
three seeds each and without color hints. Each prompt names a color for the sofa, the bed, the walls and the floor.
An object is right where the mean color of its pixels, over both views, is nearer in CIELAB to its word's than to any
other of the palette's, as in `occscene-server evaluate views`. With `--full` the views are denoised, else they are
drafts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject
from occscene.placed_layout import PlacedLayout
from occscene.rig import default_rig
from occscene.volumes import default_volume
from PIL import Image
from rich.console import Console
from rich.table import Table

from occscene_server.data.contact_sheet import captioned, stacked
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import rows_of_ids
from occscene_server.geometry.layout_grid import placed_grid
from occscene_server.geometry.layout_mesh import layout_mesh
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.metrics.color_words import mean_colors, nearest_color_word
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.weights import default_model

SEEDS = (0, 1, 2)
PARTS = ("sofa", "bed", "wall", "floor")
_LEAST_AREA = 0.01
"""Share of a view that an object must fill to count."""

Box = tuple[str, str, tuple[float, float, float], tuple[float, float, float]]
"""Name, class, lowest corner and size in metres."""


@dataclass(frozen=True)
class Room:
    """A blockout, with what is asked for.

    Args:
        prompt: with the fields sofa, bed, wall and floor.
        colors: of these, in this order.
        names: of sofa, bed, walls and floor, as an artist calls them.
        boxes: what stands there; the sofa is the first, the bed the second.
        size: width, depth and height in metres.
    """

    prompt: str
    colors: tuple[str, str, str, str]
    names: tuple[str, str, str, str]
    boxes: tuple[Box, ...]
    size: tuple[float, float, float] = (4.4, 4.4, 2.5)

    @property
    def words(self) -> dict[str, str]:
        """The color of each of `PARTS`."""
        return dict(zip(PARTS, self.colors, strict=True))

    @property
    def text(self) -> str:
        """The prompt."""
        return self.prompt.format(**self.words)


_PLAIN = "a bedroom with {wall} walls and a {floor} floor, a {sofa} sofa and a {bed} bed, bright day"
_LISTED = "studio apartment, {wall} walls, {floor} floor, {sofa} sofa, {bed} bed"
_OBJECTS_FIRST = "a {sofa} linen sofa across from a {bed} bed, {wall} painted walls, {floor} floor, soft light"

_NORTH_WEST: tuple[Box, ...] = (
    ("Sofa", "sofa", (-2.1, -0.9, 0.0), (0.9, 2.0, 0.8)),
    ("Bed", "bed", (0.4, 0.1, 0.0), (1.6, 2.0, 0.5)),
    ("Table", "table", (-0.9, -0.3, 0.0), (0.6, 0.9, 0.4)),
    ("Wardrobe", "furn", (0.7, -2.15, 0.0), (1.3, 0.6, 2.0)),
)
_SIDE_BY_SIDE: tuple[Box, ...] = (
    ("Sofa", "sofa", (-1.9, 1.1, 0.0), (1.9, 0.9, 0.75)),
    ("Bed", "bed", (0.5, -1.0, 0.0), (1.5, 2.1, 0.55)),
    ("Nightstand", "furn", (0.9, 1.3, 0.0), (0.5, 0.5, 0.5)),
    ("Lamp", "objs", (1.0, 1.4, 0.5), (0.3, 0.3, 0.5)),
)
_ACROSS: tuple[Box, ...] = (
    ("Sofa", "sofa", (-0.9, -2.1, 0.0), (2.1, 0.9, 0.8)),
    ("Bed", "bed", (-1.0, 0.1, 0.0), (1.8, 2.0, 0.5)),
    ("Bookshelf", "furn", (1.75, -1.2, 0.0), (0.4, 1.4, 1.9)),
    ("Chair", "chair", (-2.0, -1.7, 0.0), (0.6, 0.6, 0.9)),
)

ROOMS = (
    Room(_PLAIN, ("red", "blue", "white", "brown"), ("Sofa", "Bed", "Wall_North", "Floor"), _NORTH_WEST),
    Room(_LISTED, ("grey", "white", "beige", "brown"), ("sofa", "bed", "wall.001", "floor"), _SIDE_BY_SIDE),
    Room(_OBJECTS_FIRST, ("green", "cream", "grey", "beige"), ("Sofa.001", "Bed.001", "Wall", "Floor"), _ACROSS),
    Room(_PLAIN, ("blue", "grey", "white", "grey"), ("couch", "double bed", "left wall", "ground"), _NORTH_WEST),
    Room(_LISTED, ("mustard", "navy", "cream", "black"), ("SM_Sofa_01", "SM_Bed_01", "SM_Wall", "SM_Floor"), _ACROSS),
    Room(_OBJECTS_FIRST, ("teal", "brown", "yellow", "white"), ("Sofa", "Bed", "WallLeft", "Floor"), _SIDE_BY_SIDE),
    Room(_PLAIN, ("black", "red", "grey", "beige"), ("GEO-sofa", "GEO-bed", "GEO-wall", "GEO-floor"), _ACROSS),
    Room(_LISTED, ("orange", "green", "blue", "brown"), ("Sofa", "Bett", "Wand", "Boden"), _NORTH_WEST),
    Room(_OBJECTS_FIRST, ("pink", "white", "green", "brown"), ("Cube", "Cube.001", "Cube.002", "Plane"), _SIDE_BY_SIDE),
    Room(_PLAIN, ("purple", "beige", "pink", "white"), ("sofa_big", "bed_low", "wall_a", "floor_a"), _NORTH_WEST),
    Room(_LISTED, ("beige", "terracotta", "teal", "grey"), ("Canapé", "Lit", "Mur", "Sol"), _ACROSS),
    Room(_OBJECTS_FIRST, ("navy", "olive", "terracotta", "cream"), ("Sofa", "Bed", "Walls", "Floor"), _SIDE_BY_SIDE),
)


def layout_of(room: Room) -> Layout:
    """The boxes of a room, walls, floor and ceiling included, without colors."""
    width, depth, height = room.size
    sofa, bed, wall, floor = room.names
    t = 0.1
    shell = (
        (floor, "floor", (-width / 2 - t, -depth / 2 - t, -0.08), (width + 2 * t, depth + 2 * t, 0.08)),
        ("Ceiling", "ceiling", (-width / 2 - t, -depth / 2 - t, height), (width + 2 * t, depth + 2 * t, t)),
        (wall, "wall", (-width / 2, depth / 2, 0.0), (width, t, height)),
        (wall, "wall", (-width / 2, -depth / 2 - t, 0.0), (width, t, height)),
        (wall, "wall", (-width / 2 - t, -depth / 2, 0.0), (t, depth, height)),
        (wall, "wall", (width / 2, -depth / 2, 0.0), (t, depth, height)),
    )
    first, second, *others = room.boxes
    boxes = [*shell, (sofa, *first[1:]), (bed, *second[1:]), *others]
    return Layout("indoor", None, tuple(_object(*box) for box in boxes))


def _object(
    name: str, class_name: str, low: tuple[float, float, float], size: tuple[float, float, float]
) -> LayoutObject:
    center = tuple(corner + side / 2 for corner, side in zip(low, size, strict=True))
    return LayoutObject(name, class_name, center, size)  # type: ignore[arg-type]


def draw(
    pipe: OccScenePipeline, priors: ScenePriors, room: Room, seeds: Sequence[int], *, size: int, full: bool
) -> tuple[list[NDArray[np.uint8]], list[dict[str, str]]]:
    """Two views of a room for each seed, and for each the nearest color word of each of `PARTS` that is seen."""
    volume = default_volume("indoor")
    cameras = default_rig(volume, 4, size, size)[::2]
    placed = PlacedLayout(layout_of(room))
    grid = placed_grid(placed, volume)
    finer, mesh = priors.with_own_parts(grid, room.text, layout_mesh(placed, grid))
    assert mesh is not None
    buffer = mesh_gbuffer([RayScene(mesh, grid)], CameraTensors.from_cameras([cameras]), (size, size))
    parts = _part_of_rows(grid, placed.layout)[buffer.objects[0]]
    views, nearest = [], []
    for seed in seeds:
        if full:
            shown = pipe(room.text, cameras, grid, finer=finer, meshes=mesh, seed=seed).images
        else:
            shown = pipe.draw_draft(room.text, cameras, grid, finer=finer, meshes=mesh, seed=seed).images
        linear = linear_from_srgb(torch.from_numpy(shown).float() / 255)
        colors = mean_colors(linear, parts, _LEAST_AREA)
        views.append(shown)
        nearest.append({PARTS[row - 1]: nearest_color_word(color) for row, color in colors.items()})
    return views, nearest


def _part_of_rows(grid: SemanticGrid, layout: Layout) -> torch.Tensor:
    """1 + the place in `PARTS` of each row of the grid of a layout, 0 for other objects."""
    rows = rows_of_ids(grid.objects)
    result = torch.zeros(len(grid.objects) + 1, dtype=torch.int64)
    for item, obj in zip(grid.objects, layout.objects, strict=True):
        if obj.class_name in PARTS:
            result[int(rows[item.id])] = 1 + PARTS.index(obj.class_name)
    return result


def main(
    sheet: Annotated[Path | None, typer.Option(help="Image file for the views.")] = None,
    full: Annotated[bool, typer.Option(help="Denoise; else draw drafts.")] = False,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Pixels of a side.")] = 256,
    rooms: Annotated[int, typer.Option(min=1, max=len(ROOMS), help="The first N rooms.")] = len(ROOMS),
) -> None:
    """Draws the rooms and prints how often the colors are right."""
    pipe = OccScenePipeline.from_pretrained(str(default_model()))
    pipe.set_progress_bar_config(disable=True)
    priors = ScenePriors.bundled("indoor")
    assert priors is not None
    right: Counter[str] = Counter()
    count: Counter[str] = Counter()
    blocks: list[Image.Image] = []
    console = Console()
    for room in ROOMS[:rooms]:
        views, nearest = draw(pipe, priors, room, SEEDS, size=size, full=full)
        said = []
        for found in nearest:
            for part, word in found.items():
                count[part] += 1
                right[part] += word == room.words[part]
            said.append(", ".join(f"{part} {room.words[part]} > {word}" for part, word in found.items()))
        caption = f"{room.text} | {' | '.join(said)}"
        console.print(caption)
        blocks.append(captioned(caption, np.concatenate(views)))
    table = Table("part", "right", "of", "share", title="drafts" if not full else "full quality")
    for part in PARTS:
        table.add_row(part, str(right[part]), str(count[part]), f"{right[part] / max(1, count[part]):.2f}")
    table.add_row("all", str(right.total()), str(count.total()), f"{right.total() / max(1, count.total()):.2f}")
    console.print(table)
    if sheet is not None:
        stacked(blocks).save(sheet)


if __name__ == "__main__":
    typer.run(main)

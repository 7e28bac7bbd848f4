"""Rooms as layouts: boxes, parts, relations and prompts, without rendering."""

from __future__ import annotations

import math
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from occscene.layout import Layout, LayoutObject, LayoutRoom

from occscene_server.data.layouts import (
    PROMPT_VERSION,
    ROOMS_PER_FILE,
    LayoutRecord,
    Parts,
    layouts_file,
    write_layouts,
)
from occscene_server.geometry.relations import relations_of
from occscene_server.geometry.solids import quaternions
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layout_prompt import color_word, kind_of, layout_prompts
from occscene_server.studio.room import Item, Room
from occscene_server.studio.street_layouts import street_record


def room_record(seed: int) -> LayoutRecord:
    """The room of a seed as a layout data set holds it."""
    room = build_room(seed)
    items = layout_items(room)
    layout = room_layout(room)
    relations = relations_of(layout)
    # prompts of rendered scenes have a seed of their own
    prompts = layout_prompts(room, items, relations, np.random.default_rng([seed, 13, PROMPT_VERSION]))
    return LayoutRecord(
        seed,
        layout,
        (room.kind, room.style, room.light, room.wall_phrase, room.floor_phrase),
        tuple(item.phrase for item in items),
        relations,
        prompts,
        tuple(_parts(room, item) for item in items),
    )


def layout_items(room: Room) -> list[Item]:
    """The items that are objects of the room's layout, in its order: door, windows, then the others as placed."""
    items = [item for item in room.items if item.extent is not None]
    return sorted(items, key=lambda item: {"door": 0, "window": 1}.get(kind_of(item), 2))


def room_layout(room: Room) -> Layout:
    """A room's boxes, the room's middle moved to the origin."""
    width, depth, _ = room.size
    objects = []
    for item in layout_items(room):
        box = item.extent
        assert box is not None
        center = (box.center[0] - width / 2, box.center[1] - depth / 2, box.center[2])
        objects.append(
            LayoutObject(
                kind_of(item), item.class_name, center, box.size, box.angle, color_word(item.phrase), item.color
            )
        )
    return Layout("indoor", LayoutRoom(room.size, room.wall_color, room.floor_color), tuple(objects))


def _parts(room: Room, item: Item) -> Parts:
    """The primitives of an item along the axes of its box."""
    box = item.extent
    assert box is not None
    cosine, sine = math.cos(box.angle), math.sin(box.angle)
    local = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    solids = [part.solid for part in item.parts if part.solid is not None]
    poses = np.stack([solid.pose for solid in solids])
    centers = (poses[:, :, 3] - box.center) @ local.T
    sizes = np.array([solid.size for solid in solids])
    order: dict[str, int] = {}
    roles = [order.setdefault(part.material, len(order)) for part in item.parts]
    specs = [room.materials[part.material] for part in item.parts]
    return Parts(
        tuple(solid.kind for solid in solids),
        tuple(spec.kind for spec in specs),
        np.rint(np.concatenate([centers, sizes], 1) * 1000).astype(np.int16),
        quaternions(local @ poses[:, :, :3]).astype(np.float16),
        np.array([solid.taper for solid in solids], np.float16),
        np.array(roles, np.uint8),
        np.rint(np.sqrt([spec.color for spec in specs]) * 255).astype(np.uint8),
    )


def write_rooms(root: Path, seeds: range, workers: int, domain: str = "indoor") -> Iterator[Path]:
    """Writes the rooms or streets of `seeds`, `ROOMS_PER_FILE` a file, and yields each file as it is finished.

    Files that are there are kept.

    Args:
        root: folder.
        seeds: their first and end are multiples of `ROOMS_PER_FILE`, or a file would lack rooms.
        workers: processes.
        domain: "indoor" or "outdoor".
    """
    tasks = [
        (domain, path, range(first, min(first + ROOMS_PER_FILE, seeds.stop)))
        for first in range(seeds.start, seeds.stop, ROOMS_PER_FILE)
        if not (path := layouts_file(root, first)).exists()
    ]
    if workers == 1:
        yield from map(_write_file, tasks)
        return
    ignores_interrupts = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends the others
    with multiprocessing.get_context("spawn").Pool(workers, signal.signal, ignores_interrupts) as pool:
        yield from pool.imap_unordered(_write_file, tasks)


def _write_file(task: tuple[str, Path, range]) -> Path:
    domain, path, seeds = task
    record = room_record if domain == "indoor" else street_record
    write_layouts(path, [record(seed) for seed in seeds])
    return path

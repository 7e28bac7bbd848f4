"""Tagged objects as a layout of given objects: oriented boxes around what a render shows of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from occscene.layout import Layout, LayoutObject
from occscene.limits import MAX_NAME_LENGTH

from ..geometry.voxelization.voxelize import TriangleObject
from .collect import Blockout, Floats, collect_blockout
from .layout_objects import DETAIL_SUFFIX
from .tagging import ClassLookup, scene_taxonomy

_LEAST = 1e-4
"""Metres: a plane's thickness as a box."""


@dataclass(frozen=True)
class GivenObjects:
    """What stands in the scene.

    Args:
        layout: in the world's axes, metres; without a room.
        sources: the name of the Blender object that each object of the layout is, or comes from.
        blockout: what was collected.
    """

    layout: Layout
    sources: tuple[str, ...]
    blockout: Blockout

    @property
    def whole(self) -> dict[str, int]:
        """The places of the Blender objects that are one object of the layout each, by their names."""
        return {name: place for place, name in enumerate(self.sources) if self.sources.count(name) == 1}


def given_objects(context: bpy.types.Context) -> GivenObjects:
    """Collects the tagged objects that a render shows.

    An object whose parts have several classes is several; an instance of a collection that has a class itself is one.

    Raises:
        ValueError: a box is outside the limits; the message names the object.
    """
    context.view_layer.update()
    blockout = collect_blockout(context)
    lookup = ClassLookup.of(context.scene)
    classes = scene_taxonomy(context.scene).classes
    rows: dict[object, list[int]] = {}
    for number, (item, source) in enumerate(zip(blockout.objects, blockout.sources, strict=True)):
        obj = context.scene.objects[source]
        is_one = lookup.class_names(obj) == (classes[item.class_index].name,)
        rows.setdefault(source if is_one else number, []).append(number)
    objects, sources = [], []
    for numbers in rows.values():
        members = [blockout.objects[number] for number in numbers]
        source = blockout.sources[numbers[0]]
        name = source if len(numbers) > 1 else members[0].name.removeprefix(f"{source}/")
        turn = blockout.turns[numbers[0]]
        objects.append(_given(members, classes[members[0].class_index].name, name, turn))
        sources.append(source)
    layout = Layout(scene_taxonomy(context.scene).name, None, tuple(objects))
    return GivenObjects(layout, tuple(sources), blockout)


def plain_name(name: str) -> str:
    """A Blender name without the number that Blender put behind it; parts are called as their box."""
    plain = re.sub(r"\.\d{3,}$", "", name).removesuffix(DETAIL_SUFFIX)
    return re.sub(r"\.\d{3,}$", "", plain)[:MAX_NAME_LENGTH] or name[:MAX_NAME_LENGTH]


def same_box(one: LayoutObject, other: LayoutObject) -> bool:
    """Whether two objects stand in the same place, but for single precision."""
    return bool(np.allclose(one.corners, other.corners, rtol=1e-5, atol=1e-4))


def _given(members: Sequence[TriangleObject], class_name: str, name: str, turn: float) -> LayoutObject:
    """The box around some triangles whose sides lie along axes that are turned about z."""
    points: Floats = np.concatenate([item.triangles.reshape(-1, 3) for item in members])
    cosine, sine = np.cos(turn), np.sin(turn)
    axes = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    own = points @ axes
    low, high = own.min(0), own.max(0)
    width, depth, height = np.maximum(high - low, _LEAST).tolist()
    x, y, z = (axes @ ((low + high) / 2)).tolist()
    try:
        return LayoutObject(
            plain_name(name), class_name, (x, y, z), (width, depth, height), turn, color=members[0].hint
        )
    except ValueError as error:
        raise ValueError(f"object {name!r}: {error}") from error

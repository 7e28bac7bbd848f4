"""A layout from words and given objects: written, completed, or partly redrawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from occscene.layout import Layout, LayoutObject, LayoutRoom, Vector
from occscene.placed_layout import PlacedLayout, moved, room_pose
from occscene.rigid import Float64Array, invert_rigid

from occscene_server.geometry.given_room import LEAST_SIDE, enclosed_box, is_shell, largest_room
from occscene_server.geometry.layout_rules import sight_of
from occscene_server.geometry.street_layout import FOLLOWING, followed
from occscene_server.models.layout_tokens import ROOM_SIZES, STEP
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.text_to_layout import TextToLayout

_ROOM_FOR_MORE = 16
"""Number of objects that can always be added; if too many are given, the prior sees the largest."""


@dataclass(frozen=True)
class Composition:
    """A request for a layout.

    Args:
        prompt: what the room or street is; "" leaves it open.
        seed: the same composition with the same seed gives the same layout.
        volume: where it lies, upright.
        given: what stands there; None for nothing.
        redraw: places in `given` of objects that are drawn anew.
        furnish: whether the rest of the room or street is filled.
        with_parts: whether boxes get parts.
        cameras: that look into the room; what is drawn does not stand right in front of them.
    """

    prompt: str
    seed: int
    volume: GridVolume
    given: PlacedLayout | None = None
    redraw: Sequence[int] = ()
    furnish: bool = True
    with_parts: bool = False
    cameras: Sequence[PinholeCamera] = ()


def sights(cameras: Sequence[PinholeCamera], world_from_layout: Float64Array) -> list[LayoutObject]:
    """What stays free in front of cameras, in a layout's axes."""
    poses = [invert_rigid(world_from_layout) @ camera.world_from_camera for camera in cameras]
    return [sight_of(_vector(pose[:3, 3]), _vector(pose[:3, 2])) for pose in poses]


def _vector(values: Float64Array) -> Vector:
    x, y, z = values.tolist()
    return x, y, z


def compose(priors: ScenePriors, asked: Composition) -> tuple[PlacedLayout, list[str]]:
    """Composes a layout.

    Returns:
        The layout, what was given first and in its order, and notes of what could not be done as asked.

    Raises:
        ValueError: what is given has no room in the volume, or encloses none.
    """
    writer = priors.layout
    assert writer is not None
    words = writer.prior.vocabulary
    _, stand_ins = writer.in_known_words(asked.prompt)
    notes = [_note_of_unknown(name, kind, len(words.kinds)) for name, kind in stand_ins.items()]
    if words.taxonomy != "indoor":
        return _composed_street(priors, writer, asked, notes)
    pose, room, objects = _given_room(asked, words.kinds)
    if room is None:
        drawn = _written(writer, asked, sights(asked.cameras, pose))
        if asked.with_parts:
            drawn = replace(drawn, objects=tuple(priors.with_parts(drawn.objects, asked.seed, asked.prompt)))
        return PlacedLayout(drawn, pose), notes
    inner, seen = _redrawn(writer, Layout("indoor", _known(room, notes), ()), objects, asked, notes)
    if asked.furnish:
        drawn = writer(asked.prompt, asked.seed, inner, sights=sights(asked.cameras, pose))
        objects.extend(drawn.objects[len(seen) :])
        assert drawn.room is not None
        room = replace(room, wall_color=drawn.room.wall_color, floor_color=drawn.room.floor_color)
    if asked.with_parts:
        furniture = [index for index, obj in enumerate(objects) if not is_shell(obj, words.kinds)]
        made = priors.with_parts([objects[index] for index in furniture], asked.seed, asked.prompt)
        for index, obj in zip(furniture, made, strict=True):
            objects[index] = obj
    return PlacedLayout(Layout("indoor", room, tuple(objects)), pose), notes


def _composed_street(
    priors: ScenePriors, writer: TextToLayout, asked: Composition, notes: list[str]
) -> tuple[PlacedLayout, list[str]]:
    """A street along the volume's x axis; whatever is given stands by a straight one."""
    pose = room_pose(asked.volume)
    objects = [] if asked.given is None else list(asked.given.objects_in(invert_rigid(pose)))
    inner, seen = _redrawn(writer, Layout("outdoor", None, ()), objects, asked, notes)
    count = len(objects)
    if asked.furnish or not objects:
        free = sights(asked.cameras, pose)
        drawn = writer(asked.prompt, asked.seed, inner if seen else None, sights=free)
        objects.extend(drawn.objects[len(seen) :])
    if asked.with_parts:
        # what is given and stands first is given parts too, as in rooms
        objects = priors.with_parts(objects, asked.seed, asked.prompt)
    sides = np.array(asked.volume.shape) * asked.volume.voxel_size
    kept = objects[:count] + [obj for obj in objects[count:] if _reaches_in(obj, sides)]
    return PlacedLayout(Layout("outdoor", None, tuple(kept)), pose), notes


def _reaches_in(obj: LayoutObject, sides: Float64Array) -> bool:
    """Whether an object is in part in a volume with such sides, whose middle at the ground is the origin."""
    low, high = obj.corners.min(0), obj.corners.max(0)
    return bool((low[:2] < sides[:2] / 2).all() and (high[:2] > -sides[:2] / 2).all() and low[2] < sides[2])


def _redrawn(
    writer: TextToLayout, around: Layout, objects: list[LayoutObject], asked: Composition, notes: list[str]
) -> tuple[Layout, list[int]]:
    """What the prior sees of objects, those of `asked.redraw` drawn anew, in `objects` too, and their places there."""
    seen = _seen_by_prior(writer, objects, notes)
    inner = replace(around, objects=tuple(objects[index] for index in seen))
    for count, index in enumerate(asked.redraw):
        name = objects[index].name
        if index not in seen:
            notes.append(f"“{name}” is not drawn anew: the layout prior does not draw such objects.")
            continue
        changed = writer.draw_anew(inner, seen.index(index), asked.prompt, (asked.seed + count) % 2**64)
        if changed == inner:
            notes.append(f"“{name}” stays as it is: nothing else fits; try another seed.")
        inner = changed
    for place, index in enumerate(seen):
        before, objects[index] = objects[index], inner.objects[place]
        if before != objects[index]:
            followed(objects, before, objects[index])
    return inner, seen


def _note_of_unknown(name: str, kind: str, known: int) -> str:
    if kind:
        article = "" if kind == "books" else "an " if kind[0] in "aeiou" else "a "
        return f"“{name}”: drawn as {article}{kind}."
    return f"“{name}”: left out. The layout prior knows {known} kinds of objects; docs/server.md lists them."


def _written(writer: TextToLayout, asked: Composition, free: Sequence[LayoutObject]) -> Layout:
    """A room from words only, no larger than the volume."""
    drawn = writer(asked.prompt, asked.seed, sights=free)
    assert drawn.room is not None
    size = np.minimum(drawn.room.size, largest_room(asked.volume))
    if size.min() < LEAST_SIDE:
        sides = _meters(np.array(asked.volume.shape) * asked.volume.voxel_size)
        raise ValueError(f"the volume is {sides}; a room with its walls does not fit: make it larger")
    if (size >= drawn.room.size).all():
        return drawn
    smaller = replace(drawn.room, size=(float(size[0]), float(size[1]), float(size[2])))
    return writer(asked.prompt, asked.seed, Layout("indoor", smaller, ()), sights=free)


def _given_room(asked: Composition, kinds: Sequence[str]) -> tuple[Float64Array, LayoutRoom | None, list[LayoutObject]]:
    """Where the given room stands, its size, and the given objects in its axes; no room where nothing is given."""
    given, pose = asked.given, room_pose(asked.volume)
    if given is None or (given.layout.room is None and not given.layout.objects):
        return pose, None, []
    if given.layout.room is not None:
        return given.world_from_layout, given.layout.room, list(given.layout.objects)
    objects = given.objects_in(invert_rigid(pose))
    low, high = enclosed_box([obj for obj in objects if is_shell(obj, kinds)], asked.volume)
    size, middle = high - low, (low + high) / 2
    to_room = np.eye(4)
    to_room[:3, 3] = -middle[0], -middle[1], -low[2]
    room = LayoutRoom((float(size[0]), float(size[1]), float(size[2])))
    return pose @ invert_rigid(to_room), room, [moved(obj, to_room) for obj in objects]


def _known(room: LayoutRoom, notes: list[str]) -> LayoutRoom:
    """The room as the prior's input, cut to the largest size that it knows."""
    most = [(count - 1) * STEP for count in ROOM_SIZES.values()]
    width, depth, height = (min(side, limit) for side, limit in zip(room.size, most, strict=True))
    if width < room.size[0] or depth < room.size[1]:
        notes.append(
            f"The room is {_meters(room.size)}; the layout prior knows rooms of up to {most[0]:.1f} x {most[1]:.1f} m "
            "and furnishes so much in the middle."
        )
    return replace(room, size=(width, depth, height))


def _seen_by_prior(writer: TextToLayout, objects: Sequence[LayoutObject], notes: list[str]) -> list[int]:
    """Indices of the objects that the prior can be given."""
    words = writer.prior.vocabulary
    rows = [
        index
        for index, obj in enumerate(objects)
        if not is_shell(obj, words.kinds) and obj.name not in FOLLOWING and words.kind_of(obj) is not None
    ]
    most = words.ranges.most - _ROOM_FOR_MORE
    if len(rows) > most:
        notes.append(f"Of {len(rows)} objects that stand there, the layout prior looks at the {most} largest.")
        largest = sorted(rows, key=lambda index: -float(np.prod(objects[index].size)))[:most]
        rows = sorted(largest)
    return rows


def _meters(sides: Iterable[float]) -> str:
    return " x ".join(f"{side:.2f}" for side in sides) + " m"

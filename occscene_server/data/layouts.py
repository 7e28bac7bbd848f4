"""Rooms or streets as boxes on disk: files of a thousand each, for the priors of layouts and parts.

A file `layouts_00012000.npz` (named after its first seed) holds flat arrays over its rooms, objects, parts, relations
and prompts; `*_end` says where those of each room or object end. Text stands once, in `text`: UTF-8, one string a line,
and other members hold line numbers.

| member | shape | what |
|---|---|---|
| version | () | 1 |
| taxonomy | () | "indoor" or "outdoor"; files without it hold rooms |
| prompt_version | () | `PROMPT_VERSION` when the prompts were written; files of version 1 lack it |
| text | (bytes,) | strings, by line |
| room_seed, room_size | (R,), (R, 3) | seed of the room; inner width, depth, height in metres |
| room_words | (R, 7) | kind, style, light, wall phrase, floor phrase, wall colour, floor colour |
| object_end | (R,) | end of the room's objects: door, windows, then the others as they were placed |
| object_words | (M, 4) | name, class, colour word, phrase |
| object_box | (M, 7) | middle 3, size 3, turn, as in `occscene.layout`; metres and radians |
| object_color | (M, 3) | mean albedo, linear RGB |
| part_end | (M,) | end of the object's parts |
| part_words | (P, 2) | kind of primitive, kind of material |
| part_box | (P, 6) int16 | middle 3 and size 3 in millimetres, along the object's axes, about the middle of its box |
| part_turn | (P, 4) float16 | quaternion w, x, y, z from the primitive's axes to the object's |
| part_taper | (P,) float16 | width of the last end over that of the first |
| part_material | (P,) uint8 | which of the object's materials, by first appearance: its role |
| part_color | (P, 3) uint8 | albedo, square root of linear RGB times 255 |
| relation_end, relation | (R,), (L, 3) int16 | subject, index into `RELATIONS`, anchor or -1 |
| prompt_end, prompt | (R,), (Q,) | line of each prompt: `LayoutPrompt.to_json` |

Of streets `room_size` holds the bend (curvature in 1/metres, where it begins and how long it is in metres),
`room_words` kind, season, weather, pavement, road, kind and season, and objects are those of the street's plan
(`geometry.street_layout`), ground first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout, LayoutObject, LayoutRoom

from occscene_server.geometry.course import Course
from occscene_server.geometry.relations import RELATIONS, Relation

VERSION = 1
PROMPT_VERSION = 2
"""Of the wording; a new number gives every room new prompts. One in eighty of version 1 counts an object twice."""
ROOMS_PER_FILE = 1000


@dataclass(frozen=True)
class Mention:
    """That a prompt names `count` objects of a kind, with a colour word or ""."""

    kind: str
    color_word: str
    count: int


@dataclass(frozen=True)
class LayoutPrompt:
    """A prompt and what it asks for.

    Args:
        text: as a person types it.
        mentions: the objects that it names.
        relations: (kind, name of `RELATIONS`, kind of the anchor or "") that it names.
    """

    text: str
    mentions: tuple[Mention, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> str:
        """The line of a file."""
        mentions = [[mention.kind, mention.color_word, mention.count] for mention in self.mentions]
        return json.dumps({"text": self.text, "mentions": mentions, "relations": self.relations})

    @staticmethod
    def from_json(line: str) -> LayoutPrompt:
        """What `to_json` wrote."""
        data = json.loads(line)
        mentions = tuple(Mention(*mention) for mention in data["mentions"])
        return LayoutPrompt(data["text"], mentions, tuple((a, b, c) for a, b, c in data["relations"]))


@dataclass(frozen=True, eq=False)
class Parts:
    """What objects are made of: the `part_*` arrays of the module's docstring, kinds as text."""

    kind: tuple[str, ...]
    material_kind: tuple[str, ...]
    box: NDArray[np.int16]
    turn: NDArray[np.float16]
    taper: NDArray[np.float16]
    material: NDArray[np.uint8]
    color: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LayoutRecord:
    """One room or street of a file.

    Args:
        seed: of the room.
        layout: its boxes; of a street its plan.
        words: kind, style, light, wall phrase, floor phrase; of a street kind, season, weather, pavement, road.
        phrases: of the objects: "a mustard velvet sofa".
        relations: that hold.
        prompts: that describe it.
        parts: of each object.
        course: of a street.
    """

    seed: int
    layout: Layout
    words: tuple[str, str, str, str, str]
    phrases: tuple[str, ...]
    relations: tuple[Relation, ...]
    prompts: tuple[LayoutPrompt, ...]
    parts: tuple[Parts, ...]
    course: Course = field(default_factory=Course)

    @property
    def scene(self) -> tuple[float, float, float]:
        """Inner size of the room, or the street's bend: curvature, start and length."""
        room = self.layout.room
        return room.size if room is not None else (self.course.bend, self.course.start, self.course.length)

    @property
    def surfaces(self) -> tuple[str, str]:
        """Colour words of walls and floor, or the street's kind and season."""
        room = self.layout.room
        return (room.wall_color, room.floor_color) if room is not None else self.words[:2]


def layouts_file(root: Path, seed: int) -> Path:
    """Where the room of `seed` lies below `root`."""
    return root / f"layouts_{seed // ROOMS_PER_FILE * ROOMS_PER_FILE:08d}.npz"


def write_layouts(path: Path, records: Sequence[LayoutRecord]) -> None:
    """Writes rooms as one file, at once: whatever has its final name is complete."""
    lines: dict[str, int] = {}

    def line(text: str) -> int:
        return lines.setdefault(text.replace("\n", " "), len(lines))

    objects = [obj for record in records for obj in record.layout.objects]
    phrases = [phrase for record in records for phrase in record.phrases]
    parts = [own for record in records for own in record.parts]
    members: dict[str, NDArray[Any]] = {
        "version": np.array(VERSION),
        "taxonomy": np.array(records[0].layout.taxonomy),
        "prompt_version": np.array(PROMPT_VERSION),
        "room_seed": np.array([record.seed for record in records], np.int64),
        "room_size": np.array([record.scene for record in records], np.float32),
        "room_words": np.array(
            [[line(word) for word in (*record.words, *record.surfaces)] for record in records], np.int32
        ),
        "object_end": _ends(len(record.layout.objects) for record in records),
        "object_words": np.array(
            [
                [line(obj.name), line(obj.class_name), line(obj.color_word), line(phrase)]
                for obj, phrase in zip(objects, phrases, strict=True)
            ],
            np.int32,
        ),
        "object_box": np.array([(*obj.center, *obj.size, obj.turn) for obj in objects], np.float32),
        "object_color": np.array([obj.color or (0.5, 0.5, 0.5) for obj in objects], np.float32),
        "part_end": _ends(len(own.kind) for own in parts),
        "part_words": np.array(
            [
                (line(kind), line(material))
                for own in parts
                for kind, material in zip(own.kind, own.material_kind, strict=True)
            ],
            np.int32,
        ),
        "part_box": np.concatenate([own.box for own in parts]),
        "part_turn": np.concatenate([own.turn for own in parts]),
        "part_taper": np.concatenate([own.taper for own in parts]),
        "part_material": np.concatenate([own.material for own in parts]),
        "part_color": np.concatenate([own.color for own in parts]),
        "relation_end": _ends(len(record.relations) for record in records),
        "relation": np.array(
            [(r.subject, RELATIONS.index(r.name), r.anchor) for record in records for r in record.relations], np.int16
        ).reshape(-1, 3),
        "prompt_end": _ends(len(record.prompts) for record in records),
        "prompt": np.array([line(prompt.to_json()) for record in records for prompt in record.prompts], np.int32),
    }
    members["text"] = np.frombuffer("\n".join(lines).encode(), np.uint8)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **members)
    partial.replace(path)


def _ends(counts: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum(np.fromiter(counts, np.int64))


class LayoutFile:
    """The rooms of one file, read member by member as they are asked for.

    Args:
        path: that `write_layouts` wrote.

    Raises:
        ValueError: the file is not of this format or version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        version = self._member("version")
        if int(version) != VERSION:
            raise ValueError(
                f"{path} has version {int(version)}, this program reads {VERSION}; "
                "write it anew with `occscene-server studio layouts`"
            )

    def _member(self, name: str) -> NDArray[Any]:
        with np.load(self.path, allow_pickle=False) as members:
            if name not in members:
                raise ValueError(f"{self.path} has no member {name!r}; write it with `occscene-server studio layouts`")
            return members[name]

    @cached_property
    def seeds(self) -> list[int]:
        """Of the rooms, in their order."""
        return [int(seed) for seed in self._member("room_seed")]

    @property
    def prompt_version(self) -> int:
        """`PROMPT_VERSION` of the program that wrote the prompts."""
        return int(self.arrays.get("prompt_version", 1))

    @property
    def taxonomy(self) -> str:
        """Of all layouts: "indoor" or "outdoor"."""
        return str(self.arrays.get("taxonomy", "indoor"))

    @cached_property
    def text(self) -> list[str]:
        """All strings."""
        return self._member("text").tobytes().decode().split("\n")

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Rooms, objects, relations and prompts as arrays."""
        with np.load(self.path, allow_pickle=False) as members:
            return {name: members[name] for name in members.files if not name.startswith("part_") and name != "text"}

    @cached_property
    def parts(self) -> dict[str, NDArray[Any]]:
        """Parts as arrays."""
        with np.load(self.path, allow_pickle=False) as members:
            return {name: members[name] for name in members.files if name.startswith("part_")}

    def __len__(self) -> int:
        return len(self.seeds)

    def prompts(self, room: int) -> tuple[LayoutPrompt, ...]:
        """The prompts of a room."""
        rows = self.arrays["prompt"][_span(self.arrays["prompt_end"], room)]
        return tuple(LayoutPrompt.from_json(self.text[row]) for row in rows)

    def layout(self, room: int) -> Layout:
        """The boxes of a room; of a street its plan."""
        arrays, text = self.arrays, self.text
        span = _span(arrays["object_end"], room)
        words = [[text[row] for row in rows] for rows in arrays["object_words"][span]]
        boxes, colors = arrays["object_box"][span].tolist(), arrays["object_color"][span].tolist()
        inner = None
        if self.taxonomy == "indoor":
            wall, floor = (text[row] for row in arrays["room_words"][room, 5:7])
            width, depth, height = arrays["room_size"][room].tolist()
            inner = LayoutRoom((width, depth, height), wall, floor)
        return Layout(
            self.taxonomy,
            inner,
            tuple(
                LayoutObject(name, class_name, tuple(box[:3]), tuple(box[3:6]), box[6], word, tuple(color))
                for (name, class_name, word, _), box, color in zip(words, boxes, colors, strict=True)
            ),
        )

    def record(self, room: int) -> LayoutRecord:
        """All of a room."""
        arrays, text = self.arrays, self.text
        span = _span(arrays["object_end"], room)
        kind, style, light, wall, floor = (text[row] for row in arrays["room_words"][room, :5])
        relations = arrays["relation"][_span(arrays["relation_end"], room)].tolist()
        return LayoutRecord(
            self.seeds[room],
            self.layout(room),
            (kind, style, light, wall, floor),
            tuple(text[row] for row in arrays["object_words"][span, 3]),
            tuple(Relation(subject, RELATIONS[name], anchor) for subject, name, anchor in relations),
            self.prompts(room),
            tuple(self.parts_of(index) for index in range(span.start, span.stop)),
            self.course(room),
        )

    def course(self, room: int) -> Course:
        """The bend of a street."""
        return Course(*self.arrays["room_size"][room].tolist()) if self.taxonomy == "outdoor" else Course()

    def parts_of(self, index: int) -> Parts:
        """The parts of one of the file's objects."""
        span = _span(self.parts["part_end"], index)
        words = self.parts["part_words"][span]
        return Parts(
            tuple(self.text[row] for row in words[:, 0]),
            tuple(self.text[row] for row in words[:, 1]),
            *(self.parts[f"part_{name}"][span] for name in ("box", "turn", "taper", "material", "color")),
        )


def _span(end: NDArray[np.int64], index: int) -> slice:
    return slice(int(end[index - 1]) if index else 0, int(end[index]))


def layout_files(root: Path, wanted: Callable[[int], bool] | None = None) -> list[LayoutFile]:
    """All files below `root`, by seed.

    Args:
        root: folder that `occscene-server studio layouts` filled.
        wanted: whether the room of a seed is of interest; files without any are left out.

    Raises:
        ValueError: there is none.
    """
    files = [LayoutFile(path) for path in sorted(root.glob("layouts_*.npz"))]
    files = [file for file in files if wanted is None or any(wanted(seed) for seed in file.seeds)]
    if not files:
        raise ValueError(f"{root} holds no such layouts; write some with `occscene-server studio layouts`")
    if len({file.taxonomy for file in files}) > 1:
        raise ValueError(f"{root} holds layouts of several domains; keep each domain in a folder of its own")
    return files

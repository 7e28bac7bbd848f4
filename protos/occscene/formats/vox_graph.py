"""The scene graph of a `.vox` file: where each model stands, and whether it or its layer is hidden.

Sources: `MagicaVoxel-file-format-vox-extension.txt` (github.com/ephtracy/voxel-model) for nodes, layers and rotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import ByteReader

IDENTITY = np.eye(3, dtype=np.int64)

_MAX_DEPTH = 64
_MAX_NODES = 2**14
"""Visits of scene-graph nodes; a graph may name a node again and again."""

Vector = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class PlacedModel:
    """One model in the scene.

    Args:
        model: its place in `VoxScene.models`.
        rotation: (3, 3), a permutation of the axes with signs, about the model's pivot.
        translation: of the pivot, in voxels.
    """

    model: int
    rotation: NDArray[np.int64]
    translation: Vector


@dataclass(frozen=True)
class _Transform:
    child: int
    layer: int
    is_hidden: bool
    rotation: NDArray[np.int64]
    translation: Vector


@dataclass
class VoxGraph:
    """The scene graph's nodes by id, gathered chunk by chunk."""

    _transforms: dict[int, _Transform] = field(default_factory=dict)
    _groups: dict[int, list[int]] = field(default_factory=dict)
    _shapes: dict[int, list[int]] = field(default_factory=dict)
    _hidden_layers: set[int] = field(default_factory=set)

    def read(self, name: bytes, chunk: ByteReader) -> None:
        """Takes in a chunk: `nTRN`, `nGRP`, `nSHP` or `LAYR`; others are ignored."""
        if name == b"nTRN":
            self._read_transform(chunk)
        elif name == b"nGRP":
            node, _ = chunk.int32(), strings(chunk)
            self._groups[node] = [chunk.int32() for _ in range(chunk.count(4))]
        elif name == b"nSHP":
            node, _ = chunk.int32(), strings(chunk)
            self._shapes[node] = [(chunk.int32(), strings(chunk))[0] for _ in range(chunk.count(8))]
        elif name == b"LAYR":
            layer, attributes = chunk.int32(), strings(chunk)
            if attributes.get("_hidden") == "1":
                self._hidden_layers.add(layer)

    @property
    def is_empty(self) -> bool:
        """Whether the file has no graph, as older ones have none."""
        return not self._transforms

    def placed(self, models: int) -> Iterator[PlacedModel]:
        """The visible models in the scene's order.

        Args:
            models: how many the file has.

        Raises:
            ValueError: a node shows a model that is not there, or the graph is too deep or too large.
        """
        children = {item.child for item in self._transforms.values()}
        children.update(child for group in self._groups.values() for child in group)
        # the root is the one node that no other has as a child
        roots = sorted(set(self._transforms) - children, reverse=True)
        pending = [(root, IDENTITY, np.zeros(3, np.int64), 0) for root in roots]
        visits = 0
        while pending:
            node, rotation, translation, depth = pending.pop()
            visits += 1
            if visits > _MAX_NODES or depth > _MAX_DEPTH:
                raise ValueError(f"the scene graph is deeper than {_MAX_DEPTH} or has more than {_MAX_NODES} nodes")
            if node in self._transforms:
                item = self._transforms[node]
                if not item.is_hidden and item.layer not in self._hidden_layers:
                    moved = translation + rotation @ np.array(item.translation)
                    pending.append((item.child, rotation @ item.rotation, moved, depth + 1))
            elif node in self._groups:  # the last that is put there is the first that is taken
                pending.extend((child, rotation, translation, depth + 1) for child in reversed(self._groups[node]))
            for model in self._shapes.get(node, ())[:1]:  # more than one are the frames of an animation
                if not 0 <= model < models:
                    raise ValueError(f"scene node {node} shows model {model}; the file has {models}")
                x, y, z = translation.tolist()
                yield PlacedModel(model, rotation, (x, y, z))

    def _read_transform(self, chunk: ByteReader) -> None:
        node, attributes, child = chunk.int32(), strings(chunk), chunk.int32()
        chunk.take(4)  # a reserved number
        layer = chunk.int32()
        frames = chunk.count(4)
        frame = strings(chunk) if frames else {}  # of an animation the first frame
        try:
            translation = tuple(int(step) for step in frame.get("_t", "0 0 0").split())
            rotation = _rotation(int(frame.get("_r", "4")))
        except ValueError as error:
            raise ValueError(f"scene node {node}: {error}") from error
        if len(translation) != 3 or max(map(abs, translation)) > 2**20:
            raise ValueError(
                f"scene node {node} is moved by {frame['_t'][:50]!r}; it must be three numbers below a million"
            )
        x, y, z = translation
        self._transforms[node] = _Transform(child, layer, attributes.get("_hidden") == "1", rotation, (x, y, z))


def strings(chunk: ByteReader) -> dict[str, str]:
    """A dictionary of strings."""
    pairs = [(chunk.text(chunk.int32()), chunk.text(chunk.int32())) for _ in range(chunk.count(8))]
    return dict(pairs)


def _rotation(packed: int) -> NDArray[np.int64]:
    """The matrix of a rotation byte: the column of the entry in rows 0 and 1, then the sign of each row."""
    first, second = packed & 3, packed >> 2 & 3
    if not 0 <= packed < 128 or 3 in (first, second) or first == second:
        raise ValueError(f"rotation is {packed}, which is no rotation of axes")
    matrix = np.zeros((3, 3), np.int64)
    for row, column in enumerate((first, second, 3 - first - second)):
        matrix[row, column] = -1 if packed >> (4 + row) & 1 else 1
    return matrix

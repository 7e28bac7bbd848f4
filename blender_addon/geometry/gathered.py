"""Objects whose meshes were gathered, as the voxeliser takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from occscene.limits import MAX_NAME_LENGTH
from occscene.taxonomy import Taxonomy

from .class_parts import Floats, Labels, parts_by_class
from .voxelization.voxelize import Fill, TriangleObject

_OVERLAP_STEP = 256
"""What a step of an object's `overlap` counts for: more than any two classes' priorities differ by."""


@dataclass
class GatheredObject:
    """One object of a blockout.

    Args:
        name: shown in the grid's object table.
        prompt: a description of what it looks like.
        hint: the colour that it should have, linear RGB.
        fill: what of its inside is voxelised.
        overlap: where objects overlap the higher shows, whatever their classes.
        triangles: (T, 3, 3) of each of its meshes, world coordinates in metres.
        classes: (T,) labels of the same; 0 where a triangle has no class.
    """

    name: str
    prompt: str
    hint: tuple[float, float, float] | None
    fill: Fill
    overlap: int
    triangles: list[Floats] = field(default_factory=list)
    classes: list[Labels] = field(default_factory=list)


def triangle_objects(
    gathered: Sequence[GatheredObject], taxonomy: Taxonomy, voxel_size: float
) -> list[list[TriangleObject]]:
    """Of each object its parts of one class each.

    Args:
        gathered: the objects.
        taxonomy: of their labels.
        voxel_size: metres.
    """
    classes = taxonomy.classes
    whole = [(np.concatenate(item.triangles), np.concatenate(item.classes)) for item in gathered]
    result: list[list[TriangleObject]] = []
    for item, parts in zip(gathered, parts_by_class(whole, voxel_size), strict=True):
        own = []
        for part in parts:
            name = item.name if len(parts) == 1 else f"{item.name} ({classes[part.class_index].name})"
            priority = max(classes[part.class_index].priority, classes[part.body_class].priority)
            own.append(
                TriangleObject(
                    name[:MAX_NAME_LENGTH],
                    part.class_index,
                    part.triangles,
                    priority + _OVERLAP_STEP * item.overlap,
                    Fill.SURFACE if part.body_class else item.fill,  # a skin's body is filled
                    item.hint,
                    item.prompt,
                    part.shown,
                )
            )
        result.append(own)
    return result


def transformed(triangles: Floats, meters_from_local: Floats) -> Floats:
    """Triangles (T, 3, 3) under an affine transform (4, 4); mirrored ones are turned, so that outside stays outside."""
    moved = triangles.reshape(-1, 3) @ meters_from_local[:3, :3].T + meters_from_local[:3, 3]
    is_mirrored = np.linalg.det(meters_from_local[:3, :3]) < 0.0
    return moved.reshape(-1, 3, 3)[:, :: -1 if is_mirrored else 1]


def slot_classes(labels: Sequence[int], slots: NDArray[np.int32]) -> Labels:
    """The label of each triangle by its material slot; faces of slots that are not there are drawn with the last."""
    known = np.array(labels, np.int64)
    result: Labels = known[np.minimum(slots, len(known) - 1)]
    return result

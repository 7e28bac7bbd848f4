"""Views projected onto surfaces: one material in which every camera is a projector.

No UV maps: the shader computes from the shaded point's place where it lies in each view. A view counts where its camera
sees the point: inside the frame, not hidden (the point's depth is compared with a depth image drawn from the same
surfaces), and the more the straighter the camera looks at the surface. All depth images lie on one image, because
graphics cards give a material few textures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.srgb import linear_from_srgb

from ..geometry.depth import inverse_depth_image
from ..geometry.seen_colors import seen_color
from .images import image_pixels
from .projection_nodes import ProjectionNodes

Surfaces = Mapping[bpy.types.Object, NDArray[np.float64]]

MAX_DEPTH_SIDE = 512
"""Pixels of a depth image, at most; colours keep their own size."""

_MARGIN = 1
"""Pixels around each depth image that repeat its border, so that a linear lookup does not mix neighbors."""


@dataclass(frozen=True)
class Projector:
    """A view and the camera that it was made from."""

    camera: PinholeCamera
    image: bpy.types.Image


@dataclass(frozen=True)
class DepthAtlas:
    """All depth images on one image.

    Args:
        image: 1 / depth in metres, the same in red, green and blue.
        places: for each view (scale x, scale y, offset x, offset y), which takes places in the view (0 .. 1 from the
            lower left) to places on the image.
    """

    image: bpy.types.Image
    places: Sequence[tuple[float, float, float, float]]


def projection_material(
    scene: bpy.types.Scene, name: str, projectors: Sequence[Projector], depths: Sequence[NDArray[np.float32]]
) -> bpy.types.Material:
    """Makes the material that shows the views on surfaces whose `depth_images` are given.

    Where no camera sees the surface it shows the object's `occscene.unseen_color`.
    """
    atlas = depth_atlas(f"{name} depth", depths)
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    nodes = ProjectionNodes(material.node_tree, scene)
    for projector, place in zip(projectors, atlas.places, strict=True):
        nodes.add_view(projector.camera, projector.image, atlas.image, place)
    nodes.finish()
    return material


def depth_images(cameras: Sequence[PinholeCamera], triangles: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    """1 / depth in metres of the surfaces `triangles`, (T, 3, 3) in world coordinates, in cameras of one size.

    Rows are from above; the images are no larger than `MAX_DEPTH_SIDE`.
    """
    first = cameras[0]
    shrink = min(1.0, MAX_DEPTH_SIDE / max(first.width, first.height))
    width, height = max(64, round(first.width * shrink)), max(64, round(first.height * shrink))
    return [inverse_depth_image(camera.resized(width, height), triangles) for camera in cameras]


def set_unseen_colors(
    projectors: Sequence[Projector], depths: Sequence[NDArray[np.float32]], surfaces: Surfaces
) -> None:
    """Gives objects that views are projected onto the mean colour of what is seen of them, or of all where nothing is.

    Args:
        projectors: the views.
        depths: their `depth_images`.
        surfaces: the objects' triangles in world coordinates, metres.
    """
    cameras = [projector.camera for projector in projectors]
    images = [image_pixels(projector.image)[::-1, :, :3] for projector in projectors]
    overall = np.mean([linear_from_srgb(image.astype(np.float64)).mean(axis=(0, 1)) for image in images], axis=0)
    for obj, triangles in surfaces.items():
        color = seen_color(triangles, cameras, images, depths)
        obj.occscene.unseen_color = (*(overall if color is None else color), 1.0)


def depth_atlas(name: str, depths: Sequence[NDArray[np.float32]]) -> DepthAtlas:
    """Puts depth images of one size on one image."""
    height, width = depths[0].shape
    columns = math.ceil(math.sqrt(len(depths)))
    rows = math.ceil(len(depths) / columns)
    tile = np.array([width + 2 * _MARGIN, height + 2 * _MARGIN])
    full = tile * (columns, rows)
    pixels = np.ones((full[1], full[0], 4), np.float32)
    places = []
    for number, depth in enumerate(depths):
        corner = tile * (number % columns, number // columns)
        part = pixels[corner[1] : corner[1] + tile[1], corner[0] : corner[0] + tile[0]]
        part[..., :3] = np.pad(depth[::-1], _MARGIN, mode="edge")[..., None]  # rows from below
        scale, offset = np.array([width, height]) / full, (corner + _MARGIN) / full
        places.append((float(scale[0]), float(scale[1]), float(offset[0]), float(offset[1])))
    image = bpy.data.images.new(name, int(full[0]), int(full[1]), alpha=True, float_buffer=True, is_data=True)
    image.use_half_precision = False
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return DepthAtlas(image, places)

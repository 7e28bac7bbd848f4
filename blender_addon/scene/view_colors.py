"""The colors that views show, as a color attribute of a mesh."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..geometry.seen_colors import point_colors
from .images import image_pixels
from .projection import Projector, depth_images
from .units import to_meters

VIEW_COLORS = "occscene_views"
"""The color attribute's name."""


def add_view_colors(
    scene: bpy.types.Scene, objects: Sequence[bpy.types.Object], projectors: Sequence[Projector]
) -> None:
    """Gives each face the color that the views show at its middle; one that no view sees gets its neighbors' mean.

    Args:
        scene: whose units the objects are in.
        objects: mesh objects, which hide each other.
        projectors: the views.
    """
    corners = [_corners(scene, obj) for obj in objects]
    middles = [_middles(obj.data, places) for obj, places in zip(objects, corners, strict=True)]
    cameras = [projector.camera for projector in projectors]
    images = [image_pixels(projector.image)[::-1, :, :3] for projector in projectors]
    triangles = [_triangles(obj.data, places) for obj, places in zip(objects, corners, strict=True)]
    depths = depth_images(cameras, np.concatenate(triangles))
    for obj, points in zip(objects, middles, strict=True):
        colors, is_seen = point_colors(points, cameras, images, depths)
        _spread(obj.data, colors, is_seen)
        attribute = obj.data.color_attributes.new(VIEW_COLORS, "BYTE_COLOR", "CORNER")
        sizes = np.empty(len(obj.data.polygons), np.int32)
        obj.data.polygons.foreach_get("loop_total", sizes)
        per_corner = np.ones((sizes.sum(), 4), np.float32)
        per_corner[:, :3] = np.repeat(colors, sizes, axis=0)
        attribute.data.foreach_set("color", per_corner.ravel())
        obj.data.color_attributes.active_color = attribute


def _corners(scene: bpy.types.Scene, obj: bpy.types.Object) -> NDArray[np.float64]:
    """The vertices in the world, metres."""
    places = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", places)
    meters = to_meters(scene, obj.matrix_world)
    return places.reshape(-1, 3).astype(np.float64) @ meters[:3, :3].T + meters[:3, 3]


def _middles(mesh: bpy.types.Mesh, places: NDArray[np.float64]) -> NDArray[np.float64]:
    loops = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", loops)
    starts = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    return np.add.reduceat(places[loops], starts, axis=0) / sizes[:, None]


def _triangles(mesh: bpy.types.Mesh, places: NDArray[np.float64]) -> NDArray[np.float64]:
    mesh.calc_loop_triangles()
    corners = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    return places[corners].reshape(-1, 3, 3)


def _spread(mesh: bpy.types.Mesh, colors: NDArray[np.float64], is_seen: NDArray[np.bool_]) -> None:
    """Fills faces that no view sees from the faces around them, class by class; what is left gets the class's mean."""
    labels = np.zeros(len(colors), np.int32)
    mesh.attributes["occscene_class"].data.foreach_get("value", labels)
    first, second = _neighbors(mesh)
    same = labels[first] == labels[second]
    first, second = first[same], second[same]
    known = is_seen.copy()
    while not known.all():
        total, count = np.zeros_like(colors), np.zeros(len(colors))
        for here, there in ((first, second), (second, first)):
            usable = known[there] & ~known[here]
            np.add.at(total, here[usable], colors[there[usable]])
            np.add.at(count, here[usable], 1)
        filled = count > 0
        if not filled.any():
            break
        colors[filled] = total[filled] / count[filled, None]
        known |= filled
    for label in np.unique(labels[~known]):
        of_class = (labels == label) & known
        colors[(labels == label) & ~known] = colors[of_class].mean(axis=0) if of_class.any() else 0.5


def _neighbors(mesh: bpy.types.Mesh) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of faces with a common edge."""
    edges = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", edges)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    faces = np.repeat(np.arange(len(sizes)), sizes)
    order = np.argsort(edges, kind="stable")
    is_pair = edges[order][1:] == edges[order][:-1]
    return faces[order][:-1][is_pair], faces[order][1:][is_pair]

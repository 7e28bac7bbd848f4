"""The voxelised blockout drawn in the viewport: nothing of it is in the scene, so nothing of it is saved or undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.grid import EMPTY, SemanticGrid
from occscene.rigid import transform_points
from occscene.taxonomy import TAXONOMIES

from ..geometry.missing import Absence
from ..geometry.standing import Standing
from ..geometry.surface import culled_quads
from .units import meters_per_unit, to_units

_LIGHT = np.array([[0.78, 0.84], [0.70, 0.90], [0.55, 1.0]])
"""Brightness of faces towards -x, +x; -y, +y; -z, +z."""

_CHECKER = 0.93
"""Brightness of every other face, so that voxels can be distinguished."""

_VEIL = 0.3
"""Opacity of what the viewport hides: it is sent, but an artist who hid the ceiling wants to see inside."""

_INSIDE = (0.16, 0.0, 0.03, 1.0)
"""The colour of faces seen from behind, that is from inside something filled."""


@dataclass(frozen=True)
class GridStats:
    """Statistics of a grid.

    Args:
        shape: voxels along x, y and z.
        voxel_size: metres.
        filled: occupied voxels.
        nbytes: labels and instances in memory, uncompressed.
        class_voxels: names and voxels of the classes that occur, the most frequent first.
        objects: voxelised objects.
        untagged: names of visible geometry that was left out, having no class.
        hidden: names of voxelised objects that the viewport hides.
        rooms: names of the objects that were taken for rooms, and so are hollow.
        standing: the chosen cameras that stand in something filled.
        absent: names of objects with a class that have no voxel, and why.
        triangles: of the mesh that is sent with the grid; None where there is none.
        is_mesh_sent: whether it is small enough to be sent.
    """

    shape: tuple[int, int, int]
    voxel_size: float
    filled: int
    nbytes: int
    class_voxels: tuple[tuple[str, int], ...]
    objects: int
    untagged: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    standing: tuple[Standing, ...] = ()
    absent: Mapping[str, Absence] = field(default_factory=dict)
    triangles: int | None = None
    is_mesh_sent: bool = False

    @classmethod
    def of(
        cls,
        grid: SemanticGrid,
        objects: int,
        untagged: tuple[str, ...],
        hidden: tuple[str, ...],
        rooms: tuple[str, ...],
        standing: tuple[Standing, ...],
        absent: Mapping[str, Absence],
    ) -> GridStats:
        """Counts a grid."""
        counts = np.bincount(grid.labels.reshape(-1), minlength=256)
        counts[EMPTY] = 0
        classes = TAXONOMIES[grid.taxonomy].classes
        frequent = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
        return cls(
            grid.shape,
            grid.voxel_size,
            int(counts.sum()),
            grid.labels.nbytes + (0 if grid.instances is None else grid.instances.nbytes),
            tuple((classes[label].name, int(counts[label])) for label in frequent),
            objects,
            untagged,
            hidden,
            rooms,
            standing,
            absent,
        )


@dataclass(frozen=True, eq=False)
class _Faces:
    """World corners (F, 4, 3) in Blender units, and sRGB colours (F, 4, 4), of outward faces."""

    corners: NDArray[np.float32]
    colors: NDArray[np.float32]


_NO_FACES = _Faces(np.zeros((0, 4, 3), np.float32), np.zeros((0, 4, 4), np.float32))


@dataclass
class _GridView:
    """What is shown, in which scene, and whether that is still so."""

    handle: Any = None
    scene_uid: int = 0
    meters_per_unit: float = 1.0
    stats: GridStats | None = None
    shown: _Faces = _NO_FACES
    veiled: _Faces = _NO_FACES
    batches: list[_Batch] | None = None
    is_stale: bool = False
    quiet: int = 0
    changes: int = 0


_view = _GridView()


def show_grid(scene: bpy.types.Scene, grid: SemanticGrid, stats: GridStats, hidden: Sequence[int] = ()) -> None:
    """Draws a grid in the viewports of a scene, in place of what was drawn before.

    Args:
        scene: in whose viewports.
        grid: what is drawn.
        stats: statistics that the panel shows.
        hidden: ids of the grid's objects that are drawn translucent.
    """
    is_hidden = np.zeros(grid.shape, bool) if grid.instances is None else np.isin(grid.instances, hidden)
    _view.scene_uid, _view.stats = scene.session_uid, stats
    _view.shown, _view.veiled = _faces(scene, grid, ~is_hidden), _faces(scene, grid, is_hidden)
    _view.meters_per_unit = meters_per_unit(scene)
    _view.batches, _view.is_stale = None, False
    if _view.handle is None:
        _view.handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def hide_grid() -> None:
    """Draws the grid no longer."""
    if _view.handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_view.handle, "WINDOW")
    _view.handle = _view.stats = _view.batches = None
    _view.shown = _view.veiled = _NO_FACES
    _view.is_stale = False


def shown_stats(scene: bpy.types.Scene) -> GridStats | None:
    """The statistics of the grid that the scene's viewports show, None if they show none."""
    return _view.stats if _view.scene_uid == scene.session_uid else None


def is_stale(scene: bpy.types.Scene) -> bool:
    """Whether the scene, or the length of its unit, has changed since the grid was made."""
    return _view.is_stale or _view.meters_per_unit != meters_per_unit(scene)


def mark_stale() -> None:
    """Notes that the grid that is shown is no longer what would be sent."""
    if _view.quiet:
        return
    _view.changes += 1
    if _view.stats is not None:
        _view.is_stale = True


def change_count() -> int:
    """How often something has changed that is sent and that Blender need not evaluate: classes, words, settings."""
    return _view.changes


@contextmanager
def unnoticed() -> Iterator[None]:
    """Changes within the block, which the extension takes back itself, do not make the grid stale."""
    _view.quiet += 1
    try:
        yield
    finally:
        _view.quiet -= 1


def is_quiet() -> bool:
    """Whether what changes now is taken back by the extension itself."""
    return _view.quiet > 0


@bpy.app.handlers.persistent
def notice_changes(scene: bpy.types.Scene, graph: bpy.types.Depsgraph | None = None) -> None:
    """After Blender has evaluated a scene: marks the grid stale if what it was made of has changed."""
    if _view.stats is None or _view.is_stale or _view.quiet or graph is None:
        return
    if scene.session_uid != _view.scene_uid:
        return
    for update in graph.updates:
        owner = update.id.original
        is_moved = update.is_updated_geometry or update.is_updated_transform
        if isinstance(owner, bpy.types.Collection) or (
            isinstance(owner, bpy.types.Object)
            and is_moved
            and (owner == scene.occscene.volume or _shows_geometry(owner))
        ):
            mark_stale()


@bpy.app.handlers.persistent
def notice_undo(*_arguments: object) -> None:
    """After undo and redo, which may change anything."""
    mark_stale()


@bpy.app.handlers.persistent
def forget_grid(*_arguments: object) -> None:
    """After a file was loaded: the grid was the old file's."""
    hide_grid()


def _shows_geometry(obj: bpy.types.Object) -> bool:
    if obj.occscene.is_output:
        return False
    return obj.type not in {"CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER", "ARMATURE", "LATTICE"} and (
        obj.type != "EMPTY" or obj.instance_type == "COLLECTION"
    )


def _faces(scene: bpy.types.Scene, grid: SemanticGrid, chosen: NDArray[np.bool_]) -> _Faces:
    """The faces around the chosen voxels of a grid."""
    corners, colors = face_arrays(replace(grid, labels=np.where(chosen, grid.labels, np.uint8(EMPTY))))
    return _Faces(corners * np.float32(to_units(scene, 1.0)), colors)


def face_arrays(grid: SemanticGrid) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """World positions in metres (F, 4, 3) and sRGB colours (F, 4, 4) of the corners of all visible voxel faces."""
    surface = culled_quads(grid)
    local = surface.vertices[surface.quads]  # (F, 4, 3)
    is_odd = np.floor(local.mean(axis=1) / grid.voxel_size + 0.25).astype(np.int64).sum(axis=1) % 2
    palette = np.array([(*entry.color, 255) for entry in TAXONOMIES[grid.taxonomy].classes], np.float32) / 255
    colors = palette[surface.classes]
    colors[:, :3] *= (_LIGHT[surface.sides >> 1, surface.sides & 1] * np.where(is_odd, _CHECKER, 1.0))[:, None]
    world = transform_points(grid.world_from_grid, local.astype(np.float64)).astype(np.float32)
    return world, np.repeat(colors.astype(np.float32)[:, None], 4, axis=1)


def _draw() -> None:
    """Draws the faces over the scene: their depth is compared with each other, not with the blockout's."""
    import gpu  # there is none without a window

    if _view.stats is None or bpy.context.scene.session_uid != _view.scene_uid:
        return
    if _view.batches is None:
        _view.batches = _batches(_view.shown, _view.veiled)
    gpu.state.active_framebuffer_get().clear(depth=1.0)
    gpu.state.depth_test_set("LESS_EQUAL")
    for batch in _view.batches:
        gpu.state.face_culling_set(batch.culled)
        gpu.state.depth_mask_set(not batch.is_translucent)
        gpu.state.blend_set("ALPHA" if batch.is_translucent else "NONE")
        batch.shader.bind()
        if batch.color:
            batch.shader.uniform_float("color", batch.color)
        batch.drawn.draw(batch.shader)
    gpu.state.blend_set("NONE")
    gpu.state.face_culling_set("NONE")
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")


@dataclass(frozen=True)
class _Batch:
    """Faces on the graphics card; those that face away from the viewer ("BACK") or towards it ("FRONT") are culled."""

    shader: Any
    drawn: Any
    culled: str
    color: tuple[float, float, float, float] | None = None
    is_translucent: bool = False


def _batches(shown: _Faces, veiled: _Faces) -> list[_Batch]:
    """What is drawn, in this order."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    flat, uniform = gpu.shader.from_builtin("FLAT_COLOR"), gpu.shader.from_builtin("UNIFORM_COLOR")

    def sent_to(shader: Any, faces: _Faces, **colors: NDArray[np.float32]) -> Any:
        first = np.arange(len(faces.corners), dtype=np.int32)[:, None] * 4
        triangles = (first[:, None] + np.array([[[0, 1, 2], [0, 2, 3]]], np.int32)).reshape(-1, 3)
        content = {"pos": faces.corners.reshape(-1, 3), **colors}
        return batch_for_shader(shader, "TRIS", content, indices=triangles)

    batches = []
    if len(shown.corners):
        batches.append(_Batch(flat, sent_to(flat, shown, color=shown.colors.reshape(-1, 4)), "BACK"))
        batches.append(_Batch(uniform, sent_to(uniform, shown), "FRONT", _INSIDE))
    if len(veiled.corners):
        colors = veiled.colors.reshape(-1, 4) * np.array((1, 1, 1, _VEIL), np.float32)
        batches.append(_Batch(flat, sent_to(flat, veiled, color=colors), "NONE", is_translucent=True))
    return batches

"""The Volume panel: where the grid lies, and what is in it."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from occscene.taxonomy import OUTDOOR, Taxonomy
from occscene.volumes import beyond_usual

from ..geometry.missing import Absence
from ..scene.grid_view import GridStats, is_stale, shown_stats
from ..scene.icons import class_icon
from ..scene.tagging import class_label, scene_taxonomy
from ..scene.units import length_text
from ..scene.volume import grid_volume
from .layout import SidebarPanel, wrapped_label

_MOST_NAMES = 3
"""Objects that a line names, at most."""

_DOMAIN_SIZES = {"indoor": "Indoor Size", "outdoor": "Outdoor Size"}

_ABSENCES = {
    Absence.NO_FACES: "No voxel, as it has no faces: {}. Give it thickness, or clear its class",
    Absence.OUTSIDE: "No voxel, as it is outside the volume: {}",
    Absence.COVERED: "No voxel, as others cover it: {}. To show it, raise its Overlap",
}


class VIEW3D_PT_occscene_volume(SidebarPanel, bpy.types.Panel):
    """Place the volume."""

    bl_label = "Volume"
    bl_order = 2
    step = "BLOCKOUT"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the volume's settings and size, and the grid that is shown."""
        layout = self.layout
        scene = context.scene
        settings = scene.occscene
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("occscene.fit_volume", icon="CUBE").mode = "TIGHT"
        button = row.operator("occscene.fit_volume", text=_DOMAIN_SIZES[settings.domain])
        button.mode, button.domain = "PRESET", settings.domain
        if settings.domain == OUTDOOR.name:
            button = column.operator("occscene.fit_volume", text="Ahead of Camera")
            button.mode, button.domain = "AHEAD", OUTDOOR.name
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "volume")
        column.prop(settings, "voxel_size")
        column.prop(settings, "send_geometry")
        if settings.volume is not None:
            _volume_size(layout, context)
        stats = shown_stats(scene)
        row = layout.row(align=True)
        row.enabled = settings.volume is not None or stats is not None
        row.operator(
            "occscene.show_grid",
            text="Hide Grid" if stats else "Show Grid",
            icon="HIDE_OFF" if stats else "HIDE_ON",
            depress=stats is not None,
        ).action = "TOGGLE"
        if stats is None:
            return
        if is_stale(scene):
            row.alert = True
            row.operator("occscene.show_grid", text="Refresh", icon="FILE_REFRESH").action = "REFRESH"
            wrapped_label(layout, context, "The scene has changed since", icon="ERROR")
        _stats(layout, context, stats, scene_taxonomy(scene))


def _volume_size(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    try:
        volume = grid_volume(context.scene)
    except ValueError as error:
        wrapped_label(layout, context, str(error), icon="ERROR")
        return
    column = layout.column(align=True)
    x, y, z = volume.shape
    column.label(text=f"{x} x {y} x {z} = {x * y * z:,} voxels")
    scene = context.scene
    column.label(text=" x ".join(length_text(scene, side * volume.voxel_size) for side in volume.shape))
    larger = beyond_usual(volume, scene.occscene.domain)
    if larger:
        wrapped_label(layout, context, larger, icon="INFO")


def _stats(layout: bpy.types.UILayout, context: bpy.types.Context, stats: GridStats, taxonomy: Taxonomy) -> None:
    """Voxels, memory and classes of the grid that is shown."""
    column = layout.column(align=True)
    column.label(text=f"{stats.filled:,} filled by {stats.objects} objects, {_bytes_label(stats.nbytes)}")
    if stats.is_mesh_sent:
        column.label(text=f"{stats.triangles:,} triangles")
    elif stats.triangles:
        text = f"{stats.triangles:,} triangles are too many to send, only voxels are: simplify dense meshes"
        wrapped_label(layout, context, text, icon="ERROR")
    if stats.untagged:
        wrapped_label(layout, context, f"{len(stats.untagged)} without a class left out", icon="ERROR")
    for why, text in _ABSENCES.items():
        names = tuple(name for name, reason in stats.absent.items() if reason is why)
        if names:
            wrapped_label(layout, context, text.format(_names(names)), icon="ERROR")
    for item in stats.standing:
        text = f"Camera {item.camera} stands inside {item.object_name}"
        wrapped_label(layout, context, text, icon="ERROR")
    if stats.rooms:
        text = f"Taken for a room and kept hollow: {_names(stats.rooms)}. If that is wrong, change the Fill"
        wrapped_label(layout, context, text, icon="INFO")
    if stats.hidden:
        text = f"Hidden from view but sent (translucent): {_names(stats.hidden)}. To leave out, disable in renders"
        wrapped_label(layout, context, text, icon="HIDE_ON")
    column = layout.column(align=True)
    column.scale_y = 0.8
    known = {entry.name: entry for entry in taxonomy.classes}
    for name, voxels in stats.class_voxels:
        if name in known:
            row = column.row()
            row.label(text=class_label(name), icon_value=class_icon(taxonomy, known[name]))
            part = row.row()
            part.alignment = "RIGHT"
            part.label(text=f"{voxels:,}", translate=False)


def _names(names: tuple[str, ...]) -> str:
    """A few objects by name, many by number."""
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} objects"


def _bytes_label(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


CLASSES = (VIEW3D_PT_occscene_volume,)

"""Views as a texture: projected, baked by Cycles onto UVs of its own, and exported as GLB."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import addon_utils
import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..scene.baked import UV_NAME, baked_copies, texture_material
from ..scene.projected import is_projected
from .counted import counted
from .results import RESULT_DESCRIPTION, chosen_result

TEXTURE_NAME = "OccScene Texture"
_MARGIN = 4
_EXPORTER = "io_scene_gltf2"


class OCCSCENE_OT_bake_texture(bpy.types.Operator):
    """Bake the projected views onto a copy of the objects with UVs of its own, and export it as GLB if a file is named.
    Blender waits until Cycles is done
    """

    bl_idname = "occscene.bake_texture"
    bl_label = "Bake and Export"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})
    filepath: StringProperty(name="GLB File", description="Where to export to; empty only bakes", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.glb", options={"HIDDEN"})
    target: EnumProperty(
        name="Of",
        items=(
            ("BLOCKOUT", "Blockout", "The tagged objects"),
            ("SELECTED", "Selection", "The selected objects, an imported occupancy for example"),
        ),
    )
    size: IntProperty(name="Pixels", description="Sides of the texture", default=2048, min=256, max=8192)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        self.filepath = "textured.glb"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Projects, copies, unwraps, bakes, and exports."""
        try:
            result = chosen_result(context, self.result)
            covered = {obj for obj in context.scene.objects if is_projected(obj)}
            bpy.ops.occscene.project_views(result=result.name, target=self.target)
            objects = self._objects(context)
            copies = baked_copies(context, objects)
            material = copies[0].material_slots[0].material
            image = self._baked(context, copies, material)
            textured = texture_material(f"{TEXTURE_NAME} {result.name[:4]}", image, UV_NAME)
            for copy in copies:
                copy.material_slots[0].material = textured
            if not covered:
                bpy.ops.occscene.remove_projection()
            if self.filepath:
                self._export(context, copies)
        except (ValueError, OSError, RuntimeError) as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        where = f": {bpy.path.abspath(self.filepath)}" if self.filepath else ""
        self.report({"INFO"}, f"{counted(len(copies), 'object')} with a texture of {self.size} pixels{where}")
        return {"FINISHED"}

    def _objects(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        projected = [obj for obj in context.scene.objects if is_projected(obj) and not obj.hide_render]
        if self.target == "SELECTED":
            projected = [obj for obj in projected if obj.select_get()]
        if not projected:
            raise ValueError("there is nothing to bake: what is instanced must be made real first (Object > Apply)")
        return projected

    def _baked(
        self, context: bpy.types.Context, copies: Sequence[bpy.types.Object], material: bpy.types.Material
    ) -> bpy.types.Image:
        """The texture of the copies, packed."""
        unwrap(context, copies)
        image = bpy.data.images.new(TEXTURE_NAME, self.size, self.size)
        target = material.node_tree.nodes.new("ShaderNodeTexImage")
        target.image = image
        material.node_tree.nodes.active = target
        try:
            with _baking(context.scene):
                bpy.ops.object.bake(type="EMIT", margin=_MARGIN, use_clear=True, uv_layer=UV_NAME)
        finally:
            material.node_tree.nodes.remove(target)
        image.pack()
        return image

    def _export(self, context: bpy.types.Context, copies: Sequence[bpy.types.Object]) -> None:
        """Hands the copies to Blender's own exporter."""
        if not addon_utils.check(_EXPORTER)[1]:
            addon_utils.enable(_EXPORTER)
        select_only(context, copies)
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(".glb")
        bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", use_selection=True, export_yup=True)


def unwrap(context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> None:
    """Gives objects UVs on one common texture."""
    select_only(context, objects)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(angle_limit=1.15, island_margin=0.002)
        bpy.ops.uv.select_all(action="SELECT")
        bpy.ops.uv.average_islands_scale()
        bpy.ops.uv.pack_islands(margin=0.002)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def select_only(context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> None:
    """Selects objects and nothing else; the first is active."""
    for obj in list(context.view_layer.objects.selected):
        obj.select_set(False)
    for obj in objects:
        obj.select_set(True)
    context.view_layer.objects.active = objects[0]


@contextmanager
def _baking(scene: bpy.types.Scene) -> Iterator[None]:
    """Cycles with one sample, for the time of the block: light that a material gives off has no noise."""
    engine = scene.render.engine
    scene.render.engine = "CYCLES"
    samples = scene.cycles.samples
    scene.cycles.samples = 1
    try:
        yield
    finally:
        scene.cycles.samples = samples
        scene.render.engine = engine


CLASSES = (OCCSCENE_OT_bake_texture,)
"""The operators."""

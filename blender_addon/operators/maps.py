"""Depth and normals of each view, as images and as files."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import StringProperty
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.mesh import load_mesh
from occscene.results import BLOCKOUT_FILE
from occscene.view_files import view_files

from ..geometry.depth import depth_and_normals
from ..jobs.journal import folder_of
from ..jobs.request import known_request
from ..scene.collect import collect_blockout
from ..scene.images import saved_float_image
from .counted import counted
from .results import RESULT_DESCRIPTION, chosen_result


class OCCSCENE_OT_add_maps(bpy.types.Operator):
    """Make depth (metres along the view) and normals (world) of each view as images, and as EXR files in the result's
    folder, from the triangles that were sent; where only voxels were sent, from the blockout as it is now
    """

    bl_idname = "occscene.add_maps"
    bl_label = "Depth and Normal Maps"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Draws and saves them."""
        try:
            result = chosen_result(context, self.result)
            cameras = [view.camera for view in known_request(result.request).views]
            if not cameras:
                raise ValueError("the result has no views")
            folder = folder_of(result)
            triangles = sent_triangles(context, folder)
            folder.mkdir(parents=True, exist_ok=True)
            names = [file.removeprefix("view_").removesuffix(".png") for file in view_files([c.name for c in cameras])]
            for camera, name in zip(cameras, names, strict=True):
                _save_maps(camera, triangles, folder, name, result.name[:4])
        except (ValueError, OSError, RuntimeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Depth and normals of {counted(len(cameras), 'view')}: {folder}")
        return {"FINISHED"}


def sent_triangles(context: bpy.types.Context, folder: Path) -> NDArray[np.float64]:
    """The triangles that a result was made from, (T, 3, 3) in the world, metres.

    Raises:
        ValueError: none were sent, and nothing is tagged.
        OSError: the file cannot be read.
    """
    path = folder / BLOCKOUT_FILE
    mesh = load_mesh(path) if path.is_file() else None
    if mesh is not None:
        return mesh.vertices[mesh.triangles].astype(np.float64)
    objects = collect_blockout(context).objects
    if not objects:
        raise ValueError("the result was made without triangles, and nothing in the scene has a class")
    return np.concatenate([item.triangles for item in objects])


def _save_maps(camera: PinholeCamera, triangles: NDArray[np.float64], folder: Path, name: str, short: str) -> None:
    depth, normals = depth_and_normals(camera, triangles)
    depth = np.where(np.isfinite(depth), depth, 0.0)[..., None].repeat(3, axis=2)
    saved_float_image(f"{camera.name} depth {short}", depth, folder / f"depth_{name}.exr")
    saved_float_image(f"{camera.name} normal {short}", normals, folder / f"normal_{name}.exr")


CLASSES = (OCCSCENE_OT_add_maps,)
"""The operators."""

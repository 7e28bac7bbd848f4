"""Generate views and an occupancy: from the blockout, from text only, or from images."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from occscene.grid import SemanticGrid

from ..bridge.link import BridgeError
from ..geometry.standing import standing_cameras
from ..jobs import connection_check, tracking
from ..jobs.request import Request
from ..properties.generation import MAX_VARIANTS
from ..properties.settings import MAX_INT, SETTINGS, TRANSIENT, SceneSettings, operator_arguments
from ..scene.camera_objects import cameras_of, is_inside
from ..scene.cameras import SceneView, chosen_views, view_of
from ..scene.frames import MovingObjects
from ..scene.photos import photo_png, photo_window
from ..scene.rig import add_rig
from ..scene.start_images import images_of_files, images_of_result, rendered_images
from ..scene.volume import set_volume
from .cameras import empty_volume
from .job_operator import JobOperator
from .results import chosen_result
from .voxelizing import report_unsent, some_names, standing_text, stats_of, summary, voxelized_blockout

TASKS = (
    ("BLOCKOUT", "Blockout to Scene", "Views of the blockout, and its occupancy with the views' detail"),
    ("TEXT", "Text to Scene", "Views and occupancy of the empty volume, from the prompt only"),
    ("IMAGES", "Images to Occupancy", "The occupancy that the cameras' background images show"),
)


class SettingArguments:
    """An argument for each setting."""

    __annotations__ = operator_arguments()


class OCCSCENE_OT_generate(SettingArguments, JobOperator, bpy.types.Operator):
    """Send the blockout, the cameras and the prompt to the server"""

    bl_idname = "occscene.generate"
    bl_label = "Generate"

    task: EnumProperty(options=TRANSIENT, name="Task", items=TASKS)
    variants: IntProperty(
        options=TRANSIENT,
        name="Variants",
        description="How many results to make, with this seed and those after it, each in a folder of its own",
        default=1,
        min=1,
        max=MAX_VARIANTS,
    )

    start_result: StringProperty(
        options=TRANSIENT,
        name="Start Result",
        description="The result whose views it begins at, with Start From Active Result; empty takes the active one",
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """Says what the task sends."""
        what = {
            "BLOCKOUT": "Send the blockout, the cameras and the prompt to the server",
            "TEXT": "Send the empty volume, the cameras and the prompt to the server. Cameras are added if there are "
            "none",
            "IMAGES": "Send the cameras and their background images to the server",
        }[properties.task]
        return f"{what}. From scripts, what is not given as an argument is taken from the scene"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Collects, submits, and follows the job to its end where no timer does it."""
        try:
            within = self._cameras_within(context) if self.task == "TEXT" else None
            task = self._task(context)
            request = self._request(context, within)
            if self.task == "BLOCKOUT" and task.grid:
                self._check_places(task.grid, request.views)
            if self.task == "IMAGES":
                task = replace(task, images=_background_images(context, request.views))
            if request.settings.strength is not None:
                task = replace(task, start=self._start_images(context, request))
            records = [
                tracking.submit(context.scene, each, task, self.server) for each in self._variants(context, request)
            ]
        except (ValueError, OSError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.keep_seed(context, records[-1].request.settings.seed)
        results = context.scene.occscene.results  # the first variant is the first that has something to show
        context.scene.occscene.active_result = results.find(records[0].request.request_id)
        ends = [self.follow(record) for record in records]
        return next((end for end in ends if end != {"FINISHED"}), {"FINISHED"})

    def _variants(self, context: bpy.types.Context, first: Request) -> list[Request]:
        """The request, and others that differ by their seeds."""
        settings = context.scene.occscene
        count = self.variants if self.properties.is_property_set("variants") else settings.variants
        if self.task == "IMAGES":
            return [first]
        requests = [first]
        for number in range(1, count):
            is_drawn = settings.seed_mode == "RANDOM" and not self.properties.is_property_set("seed")
            seed = random.randrange(MAX_INT) if is_drawn else (first.settings.seed + number) % (MAX_INT + 1)
            own = replace(first.settings, seed=seed)
            variant = replace(self.new_request(first.kind, own, first.views), source=first.source)
            if self.directory:
                variant = replace(variant, directory=f"{first.directory}_{number + 1}")
            requests.append(variant)
        return requests

    def _cameras_within(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        """The chosen cameras that stand in the volume, which is made with cameras of its own where none does.

        What is furnished lies in the volume: a camera outside sees the back of its walls.
        """
        choice = self.setting(context, "cameras")
        within, outside = prepare_empty_volume(context, choice)
        if not within:
            names = ", ".join(repr(obj.name) for obj in outside)
            raise ValueError(
                f"{names} stands outside of the volume, which is what gets furnished: move it in, or choose All"
                if len(outside) == 1
                else f"{names} stand outside of the volume, which is what gets furnished: move them in, or choose All"
            )
        if outside:
            self.report({"WARNING"}, f"Outside of the volume and left out: {', '.join(obj.name for obj in outside)}")
        return within

    def _request(self, context: bpy.types.Context, within: list[bpy.types.Object] | None) -> Request:
        given = {name: self.setting(context, name) for name in SETTINGS} | {"seed": self.chosen_seed(context)}
        if self.task == "IMAGES":
            given |= dict.fromkeys(("prompt", "style", "negative_prompt"), "")
        if given["quality"] == "DRAFT":
            given |= {"steps": None, "start_from": "NONE"}  # a draft denoises nothing
        if given["start_from"] == "NONE" or self.task == "IMAGES":
            given |= {"start_from": "NONE", "strength": None}
        elif given["strength"] is None:  # where the scene itself starts from nothing
            given["strength"] = context.scene.occscene.strength
        domain = context.scene.occscene.domain
        if given["start_from"] != "NONE" and connection_check.last_check.can("start_views", domain) is False:
            raise ValueError("the server's model cannot begin at given views: set Start From to Nothing, in Views")
        settings = SceneSettings(**given)
        settings.check()
        moving = MovingObjects(context) if settings.cameras == "ANIMATION" and self.task == "BLOCKOUT" else None
        views = chosen_views(
            context,
            settings.cameras,
            settings.image_size,
            settings.frame_step,
            photo_window if self.task == "IMAGES" else view_of(settings.image_shape),
            connection_check.last_check.image_multiple,
            moving.see if moving else None,
            within,
        )
        if moving and moving.names:
            frame = context.scene.frame_current
            self.report({"WARNING"}, f"All views show frame {frame} of what moves: {some_names(list(moving.names))}")
        request = self.new_request(self.task, settings, views)
        if settings.start_from == "RESULT":
            request = replace(request, source=chosen_result(context, self.start_result).name)
        return request

    def _start_images(self, context: bpy.types.Context, request: Request) -> list[tracking.StartImage]:
        """The images that denoising begins at."""
        views, start_from = request.views, request.settings.start_from
        if start_from == "RENDER":
            images = rendered_images(context, views)
        elif start_from == "FILES":
            images = images_of_files(request.settings.start_folder, views)
        else:
            images = images_of_result(context.scene.occscene.results[request.source], views)
        return [tracking.StartImage(place, png) for place, png in enumerate(images)]

    def _task(self, context: bpy.types.Context) -> tracking.Task:
        if self.task == "TEXT" or (self.task == "IMAGES" and not self.setting(context, "use_blockout")):
            return tracking.Task(None, empty_volume(context), context.scene.occscene.domain)
        with_mesh = self.task == "BLOCKOUT" and self.setting(context, "send_geometry")
        voxelized = voxelized_blockout(context, with_mesh)
        context.window_manager.occscene.grid_summary = summary(stats_of(context, voxelized))
        report_unsent(self, voxelized)
        return tracking.Task(voxelized.grid, mesh=voxelized.sent_mesh)

    def _check_places(self, grid: SemanticGrid, views: tuple[SceneView, ...]) -> None:
        """Refuses cameras that see nothing; those in something thin see it from within, and are named."""
        standing = standing_cameras(grid, [view.camera for view in views])
        buried = [item for item in standing if item.is_buried]
        if buried:
            raise ValueError(standing_text(buried))
        if standing:
            self.report({"WARNING"}, standing_text(standing))


def _background_images(context: bpy.types.Context, views: tuple[SceneView, ...]) -> list[bytes]:
    sizes = [(view.camera.width, view.camera.height) for view in views]
    for view, (width, height) in zip(views, sizes, strict=True):
        if (width, height) != sizes[0]:
            raise ValueError(
                f"the photo of camera {view.object_name!r} fills {width} x {height} pixels, that of "
                f"{views[0].object_name!r} {sizes[0][0]} x {sizes[0][1]}; all photos of a prediction have one shape: "
                "set the backgrounds' frame method to Crop, or select cameras whose photos are alike"
            )
    scene = context.scene
    return [photo_png(scene.objects[view.object_name], scene, size) for view, size in zip(views, sizes, strict=True)]


def prepare_empty_volume(
    context: bpy.types.Context, choice: str
) -> tuple[list[bpy.types.Object], list[bpy.types.Object]]:
    """Gives the scene a volume if it has none, and cameras if none of all is in it.

    Args:
        context: of the scene.
        choice: of `SceneSettings.cameras`.

    Returns:
        The cameras of the choice within the volume, and those outside of it.

    Raises:
        ValueError: the scene's volume is outside the limits.
    """
    scene, view_layer = context.scene, context.view_layer
    volume = empty_volume(context)
    if scene.occscene.volume is None:
        set_volume(scene, volume)
    view_layer.update()
    may_add = choice == "ALL" or not cameras_of(scene, view_layer, choice)
    if may_add and not any(is_inside(scene, obj, volume) for obj in cameras_of(scene, view_layer, "ALL")):
        add_rig(scene, volume)
        view_layer.update()
    if choice == "ANIMATION":  # they may come and go
        return list(cameras_of(scene, view_layer, choice)), []
    within: list[bpy.types.Object] = []
    outside: list[bpy.types.Object] = []
    for obj in cameras_of(scene, view_layer, choice):
        (within if is_inside(scene, obj, volume) else outside).append(obj)
    return within, outside


CLASSES = (OCCSCENE_OT_generate,)

"""`occscene-server generate` and `occscene-server predict`: the tasks without Blender, here or on a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from occscene.camera import PinholeCamera, load_cameras
from occscene.codec import camera_to_message, grid_to_message, volume_to_message
from occscene.grid import GridVolume, load_grid
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.limits import IMAGE_SIDE, MAX_IMAGE_SIDE, MIN_IMAGE_SIDE
from occscene.mesh import load_mesh
from occscene.mesh_codec import mesh_to_message
from occscene.placed_layout import PlacedLayout, load_layout, room_pose
from occscene.results import Result, read_result
from occscene.rig import default_rig, room_rig, street_rig
from occscene.settings import Settings
from occscene.settings_codec import fill_message
from occscene.taxonomy import OUTDOOR, taxonomy_named
from occscene.v1 import job_pb2, scene_service_pb2
from occscene.volumes import beyond_usual, default_volume

from occscene_server.cli.connection import LOCAL, Connection, with_connection
from occscene_server.cli.console import console, user_errors
from occscene_server.cli.layout import compose_task, run_composition
from occscene_server.cli.progress import JobResult, save_occupancy
from occscene_server.cli.setting_options import DEFAULTS, with_settings
from occscene_server.cli.start_views import image_files, read_image, views_that_stay, views_to_begin_at
from occscene_server.cli.task_runner import Device, Model, Order, Priority, RequestId, TaskRunner, TimeoutSeconds
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.pipelines.checkpoint_arguments import USUAL, with_checkpoint
from occscene_server.terminal import one_line, say

CamerasFile = Annotated[Path, typer.Option(help="Cameras file (JSON).", exists=True, dir_okay=False)]
TaxonomyName = Annotated[str, typer.Option(help="indoor or outdoor; a grid brings its own.")]
Corner = Annotated[
    tuple[float, float, float] | None,
    typer.Option(
        help="Lowest corner of the volume in metres; a grid brings its own, a layout moves there. If omitted, the "
        "volume lies around the layout, or the origin."
    ),
]


@with_connection(waits=True, or_here=True)
@with_settings()
@with_checkpoint()
def generate(
    output: Annotated[Path, typer.Option(help="Folder for views, occupancy and result.json.", file_okay=False)],
    cameras: Annotated[
        Path | None,
        typer.Option(help="Cameras file (JSON); the domain's default rig if omitted.", exists=True, dir_okay=False),
    ] = None,
    image_size: Annotated[
        int, typer.Option(min=MIN_IMAGE_SIDE, max=MAX_IMAGE_SIDE, help="Pixels of the default rig's sides.")
    ] = IMAGE_SIDE,
    settings: Settings = DEFAULTS,
    grid: Annotated[
        Path | None, typer.Option(help="Blockout (.npz); text to scene if omitted.", exists=True, dir_okay=False)
    ] = None,
    layout: Annotated[
        Path | None, typer.Option(help="Layout (.json) that text to scene begins from.", exists=True, dir_okay=False)
    ] = None,
    start: Annotated[
        list[Path] | None,
        typer.Option(
            help="Images to begin at: a folder with NAME.png (or view_NAME.png) for each camera, or, given several "
            "times, one file for each. --strength says how much may change.",
            exists=True,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a result whose views stay as they are, but for those of --redo. Cameras, blockout or "
            "layout, and prompt are the result's where they are omitted; choose another --seed.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    redo: Annotated[
        list[str] | None, typer.Option(metavar="CAMERA", help="Make the view of this camera anew, with --keep.")
    ] = None,
    taxonomy: TaxonomyName = "indoor",
    volume_corner: Corner = None,
    connection: Connection = LOCAL,
    request_id: RequestId = None,
    priority: Priority = "normal",
    timeout_seconds: TimeoutSeconds = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait for the result on the server; fetch it later.")
    ] = False,
    model: Model = None,
    device: Device = "auto",
    checkpoint: CheckpointOptions = USUAL,
) -> None:
    """Blockout or text to views and an occupancy.

    Writes view_NAME.png for each camera, occupancy.npz, result.json, cameras.json with the cameras used, and what was
    sent, blockout.npz. Text to scene with a prior also writes layout.json, the room as boxes, and blockout.npz, their
    voxels.
    """
    with user_errors(), TaskRunner(connection, model, device, checkpoint) as runner:
        earlier = _kept_result(keep, redo)
        room = volume = None
        if earlier is not None:
            settings = dataclasses.replace(settings, prompt=settings.prompt or earlier.origin.prompt)
            if earlier.origin.kind == "text" and grid is None:
                room, volume = _kept_room(earlier)
                settings = dataclasses.replace(settings, without_prior=room is None)
            grid = earlier.blockout if volume is None and grid is None else grid
        blockout, mesh = (None, None) if grid is None else (load_grid(grid), load_mesh(grid))
        if volume is None:
            room = load_layout(layout) if blockout is None and layout is not None else None
            volume = _volume(taxonomy, volume_corner, room) if blockout is None else blockout.volume
            if room is not None:
                room = PlacedLayout(room.layout, room_pose(volume))
            elif blockout is None and not settings.without_prior and cameras is None:
                room = _composed(runner, settings, volume, taxonomy)
        domain = taxonomy if blockout is None else blockout.taxonomy
        if larger := beyond_usual(volume, domain):
            say(one_line(f"note: {larger}"))
        if cameras is not None:
            views: Sequence[PinholeCamera] = load_cameras(cameras)
        else:
            views = earlier.cameras if earlier is not None else _default_rig(room, volume, domain, image_size)
        task = job_pb2.GenerateScene(cameras=[camera_to_message(camera) for camera in views])
        fill_message(settings, task)
        if blockout is not None:
            task.grid.CopyFrom(grid_to_message(blockout))
            if mesh is not None:
                task.mesh.CopyFrom(mesh_to_message(mesh, blockout.volume))
        else:
            task.taxonomy = taxonomy
            task.volume.CopyFrom(volume_to_message(volume))
        if room is not None:
            task.layout.CopyFrom(layout_to_message(room))
        if earlier is not None:
            task.start_views.extend(views_that_stay(earlier, redo or (), views))
        stays = {item.view for item in task.start_views}
        if start:
            task.start_views.extend(item for item in views_to_begin_at(start, views) if item.view not in stays)
        request = scene_service_pb2.SubmitJobRequest(generate_scene=task)
        runner.check(request)
        order = Order(request_id, priority, timeout_seconds, detach)
        if detach:
            runner.run(request, lambda event: None, order)
            return
        result = JobResult(output, request, runner.server)
        runner.run(request, result.take, order, result.accepted)
    files = "occupancy.npz and result.json"
    console.print(f"{len(task.cameras)} views, {files} are in {output}", highlight=False, soft_wrap=True)


def _kept_result(keep: Path | None, redo: Sequence[str] | None) -> Result | None:
    """The result whose views stay, None where there is none.

    Raises:
        ValueError: it is no result with views, or only one of the two options is given.
    """
    if keep is None:
        if redo:
            raise ValueError("--redo needs --keep, the folder of the result whose other views stay")
        return None
    result = read_result(keep)
    if not result.views or not result.cameras:
        raise ValueError(f"{keep} has no views to keep; give the folder of a result of generate")
    return result


def _kept_room(result: Result) -> tuple[PlacedLayout | None, GridVolume]:
    """The room that text to scene has made, None where no prior wrote one, and the volume that it was made in."""
    if result.occupancy is None:
        raise ValueError(f"{result.folder} has no occupancy, which says where the scene lies; give --grid")
    return None if result.layout is None else load_layout(result.layout), load_grid(result.occupancy).volume


def _composed(runner: TaskRunner, settings: Settings, volume: GridVolume, taxonomy: str) -> PlacedLayout | None:
    """The layout that the prior writes, so that cameras can be placed in it; None where there is no prior."""
    if not runner.has("layout_prior", taxonomy):
        return None
    task = compose_task(settings, volume, taxonomy, parts=runner.has("parts_prior", taxonomy))
    composed = run_composition(runner, scene_service_pb2.SubmitJobRequest(compose_layout=task))
    for note in composed.notes:
        say(one_line(f"note: {note}"))
    return layout_from_message(composed.layout)


def _default_rig(room: PlacedLayout | None, volume: GridVolume, taxonomy: str, side: int) -> Sequence[PinholeCamera]:
    """Along the street; or in the corners of the room, or of the volume where no room is known."""
    if taxonomy == OUTDOOR.name:
        return street_rig(volume, width=side, height=side)
    if room is None or room.layout.room is None:
        return default_rig(volume, width=side, height=side)
    return room_rig(room, width=side, height=side)


@with_connection(waits=True, or_here=True)
def predict(
    images: Annotated[
        Path,
        typer.Option(help="Folder with NAME.png (or view_NAME.png) for each camera.", exists=True, file_okay=False),
    ],
    cameras: CamerasFile,
    output: Annotated[Path, typer.Option(help="The occupancy (.npz).", dir_okay=False)],
    blockout: Annotated[
        Path | None, typer.Option(help="What is known of the scene (.npz).", exists=True, dir_okay=False)
    ] = None,
    taxonomy: TaxonomyName = "indoor",
    volume_corner: Corner = None,
    connection: Connection = LOCAL,
    request_id: RequestId = None,
    priority: Priority = "normal",
    timeout_seconds: TimeoutSeconds = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Posed images to an occupancy."""
    with user_errors(), TaskRunner(connection, model, device) as runner:
        views = load_cameras(cameras)
        task = job_pb2.PredictOccupancy(
            images=[read_image(path, camera) for path, camera in zip(image_files(images, views), views, strict=True)],
            cameras=[camera_to_message(camera) for camera in views],
        )
        if blockout is not None:
            task.blockout.CopyFrom(grid_to_message(load_grid(blockout)))
        else:
            task.taxonomy = taxonomy
            task.volume.CopyFrom(volume_to_message(_volume(taxonomy, volume_corner)))
        request = scene_service_pb2.SubmitJobRequest(predict_occupancy=task)
        runner.run(request, partial(save_occupancy, output), Order(request_id, priority, timeout_seconds))
    console.print(f"the occupancy is in {output}", highlight=False, soft_wrap=True)


def _volume(taxonomy: str, corner: tuple[float, float, float] | None, start: PlacedLayout | None = None) -> GridVolume:
    """The taxonomy's own volume: from a corner on, else around a layout, else around the origin."""
    volume = default_volume(
        taxonomy_named(taxonomy, "--taxonomy").name, None if start is None else start.world_from_layout
    )
    if corner is not None:
        pose = np.eye(4)
        pose[:3, 3] = corner
        volume = dataclasses.replace(volume, world_from_grid=pose)
    return volume

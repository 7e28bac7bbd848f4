"""`occscene-server generate` and `occscene-server predict`: the tasks without Blender, here or on a server."""

from __future__ import annotations

import dataclasses
import uuid
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from occscene.camera import PinholeCamera, load_cameras
from occscene.codec import camera_to_message, grid_to_message, taxonomy_named, volume_to_message
from occscene.grid import GridVolume, load_grid
from occscene.limits import MAX_STEPS
from occscene.rig import default_rig
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2
from occscene.volumes import default_volume
from PIL import Image

from occscene_server.api.client import ServerError
from occscene_server.api.console import CaFile, IdentityFile, TokenFile, connect, console, user_errors
from occscene_server.api.results import ProgressDisplay, ResultFolder, save_occupancy
from occscene_server.api.validation import check_request
from occscene_server.engine.task import encode_image, run_task
from occscene_server.weights import default_model

CamerasFile = Annotated[Path, typer.Option(help="Cameras file (JSON).", exists=True, dir_okay=False)]
TaxonomyName = Annotated[str, typer.Option(help="indoor or outdoor, where no grid says it.")]
Corner = Annotated[
    tuple[float, float, float] | None,
    typer.Option(help="Where the volume's lowest corner lies, metres, where no grid says it; else it is centred."),
]
Server = Annotated[
    str | None, typer.Option(envvar="OCCSCENE_SERVER", help="host:port; runs in this process if absent.")
]
Model = Annotated[str | None, typer.Option(help="Model folder or hub id, without --server.")]
RequestId = Annotated[
    str | None,
    typer.Option(
        help="UUID of the job on a server; given again, it takes up that job instead of running another. Printed "
        "before it is sent.",
        show_default="a new one",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N, without --server.")]


def generate(
    output: Annotated[Path, typer.Option(help="Folder for views, occupancy and result.json.", file_okay=False)],
    cameras: Annotated[
        Path | None,
        typer.Option(help="Cameras file (JSON); the default rig of four if absent.", exists=True, dir_okay=False),
    ] = None,
    prompt: Annotated[str, typer.Option(help="What the scene looks like.")] = "",
    grid: Annotated[
        Path | None, typer.Option(help="Blockout (.npz); text to scene if absent.", exists=True, dir_okay=False)
    ] = None,
    negative_prompt: Annotated[str, typer.Option(help="What it must not look like.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same views.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, max=MAX_STEPS, help="Denoising steps.")] = None,
    text_guidance: Annotated[float | None, typer.Option(min=0, help="How strongly the prompt is followed.")] = None,
    occupancy_guidance: Annotated[
        float | None, typer.Option(min=0, help="How strongly the occupancy is followed.")
    ] = None,
    taxonomy: TaxonomyName = "indoor",
    volume_corner: Corner = None,
    server: Server = None,
    request_id: RequestId = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_identity: IdentityFile = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Blockout or text to views and an occupancy.

    Writes view_NAME.png for each camera, occupancy.npz, result.json, and cameras.json with the cameras used.
    """
    with user_errors():
        blockout = None if grid is None else load_grid(grid)
        volume = _volume(taxonomy, volume_corner) if blockout is None else blockout.volume
        views = default_rig(volume) if cameras is None else load_cameras(cameras)
        task = job_pb2.GenerateScene(
            cameras=[camera_to_message(camera) for camera in views],
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            steps=steps,
            text_guidance_scale=text_guidance,
            occupancy_guidance_scale=occupancy_guidance,
        )
        if blockout is not None:
            task.grid.CopyFrom(grid_to_message(blockout))
        else:
            task.taxonomy = taxonomy
            task.volume.CopyFrom(volume_to_message(volume))
        request = scene_service_pb2.SubmitJobRequest(generate_scene=task)
        folder = ResultFolder(output, task)
        with ProgressDisplay(folder.take) as display:
            _run(request, display, server, request_id, token_file, tls_ca, tls_identity, model, device)
    console.print(f"{len(views)} views, occupancy.npz and result.json are in {output}", highlight=False, soft_wrap=True)


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
    server: Server = None,
    request_id: RequestId = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_identity: IdentityFile = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Posed images to an occupancy."""
    with user_errors():
        views = load_cameras(cameras)
        task = job_pb2.PredictOccupancy(
            images=[_read_image(images, camera) for camera in views],
            cameras=[camera_to_message(camera) for camera in views],
        )
        if blockout is not None:
            task.blockout.CopyFrom(grid_to_message(load_grid(blockout)))
        else:
            task.taxonomy = taxonomy
            task.volume.CopyFrom(volume_to_message(_volume(taxonomy, volume_corner)))
        request = scene_service_pb2.SubmitJobRequest(predict_occupancy=task)
        with ProgressDisplay(partial(save_occupancy, output)) as display:
            _run(request, display, server, request_id, token_file, tls_ca, tls_identity, model, device)
    console.print(f"the occupancy is in {output}", highlight=False, soft_wrap=True)


def _run(
    request: scene_service_pb2.SubmitJobRequest,
    display: ProgressDisplay,
    server: str | None,
    request_id: str | None,
    token_file: Path | None,
    ca: Path | None,
    identity: Path | None,
    model: str | None,
    device: str,
) -> None:
    """Runs a request on a server or in this process, and shows every event.

    Raises:
        ValueError, ServerError: the request is wrong, or the server refused it.
    """
    if server is not None:
        request.request_id = _canonical(request_id) if request_id else str(uuid.uuid4())
        display.say(f"request {request.request_id}")  # with it the result can be had even if this process is killed now
        with connect(server, token_file, ca, identity) as client:
            job = client.submit(request)
            if request_id and client.request(job.id) != request:
                raise ValueError(
                    f"--request-id {request_id} is that of job {job.id}, of which something else was asked"
                )
            display.say(f"job {job.id}; should this process die: occscene-server jobs fetch {job.id} --output DIR")
            try:
                for event in client.watch(job.id):
                    display.show(event)
            except KeyboardInterrupt as error:
                client.cancel(job.id)
                raise ServerError("interrupted; the job on the server was cancelled") from error
        return
    if request_id:
        raise ValueError("--request-id is that of a job on a server, but there is no --server; give both or neither")
    violations = check_request(request)
    if violations:
        raise ValueError("\n".join(violation.description for violation in violations))
    from occscene_server.engine.pipeline_loader import load_pipeline  # torch: only where it is needed

    display.describe("loading the model")
    loaded = load_pipeline(model or str(default_model()), device)
    display.show(job_pb2.JobEvent(started=job_pb2.JobStarted(device=loaded.device)))
    run_task(loaded.pipe, request, display.show)


def _canonical(request_id: str) -> str:
    try:
        return str(uuid.UUID(request_id))
    except ValueError as error:
        text = "must be a UUID, for example 123e4567-e89b-12d3-a456-426614174000"
        raise ValueError(f"--request-id is {request_id!r}; it {text}") from error


def _volume(taxonomy: str, corner: tuple[float, float, float] | None) -> GridVolume:
    volume = default_volume(taxonomy_named(taxonomy, "--taxonomy").name)
    if corner is not None:
        pose = np.eye(4)
        pose[:3, 3] = corner
        volume = dataclasses.replace(volume, world_from_grid=pose)
    return volume


def _read_image(folder: Path, camera: PinholeCamera) -> camera_pb2.EncodedImage:
    """The camera's image as PNG, whatever the file is.

    Raises:
        ValueError: there is none, it cannot be read, or it has another size than the camera.
    """
    stems = (camera.name, f"view_{camera.name}")
    paths = [folder / f"{stem}{suffix}" for stem in stems for suffix in (".png", ".jpg", ".jpeg")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(f"{folder} has no image for camera {camera.name!r}; it should be called {paths[0].name}")
    with Image.open(path) as image:
        if image.size != (camera.width, camera.height):
            size = f"{image.width} x {image.height}"
            raise ValueError(f"{path} is {size} pixels, but camera {camera.name!r} {camera.width} x {camera.height}")
        pixels = np.asarray(image.convert("RGB"))
    return encode_image(pixels, camera_pb2.IMAGE_FORMAT_PNG)

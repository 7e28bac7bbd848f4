"""Messages of the pipe to messages of the contract, and back."""

from __future__ import annotations

from typing import Any

from occscene.codec import camera_to_message, grid_to_message, volume_to_message
from occscene.events import advice_on
from occscene.grid import SemanticGrid
from occscene.layout_codec import layout_to_message
from occscene.limits import MAX_MESSAGE_BYTES
from occscene.mesh import TriangleMesh
from occscene.mesh_codec import mesh_to_message
from occscene.placed_layout import placed_from_json
from occscene.result_codec import occupancy_source
from occscene.settings import Settings
from occscene.settings_codec import fill_message
from occscene.v1 import camera_pb2, grid_pb2, job_pb2, mesh_pb2, scene_service_pb2

from . import grid_body, mesh_body
from .cameras_head import cameras_from_head

_MESH_OMITTED = "The geometry was too large to be sent, so the server knows the voxels only: simplify dense meshes."


def generate_request(head: dict[str, Any], body: bytes) -> tuple[scene_service_pb2.SubmitJobRequest, str]:
    """The submission that a `generate` command asks for, and what the artist should know of it, or ""."""
    task = job_pb2.GenerateScene(
        grid=_grid(head, body),
        mesh=_mesh(head, body),
        volume=_volume(head),
        taxonomy=head["taxonomy"],
        cameras=[camera_to_message(camera) for camera in cameras_from_head(head["cameras"])],
        previews=head["previews"],
        start_views=_start_views(head, body),
    )
    if "layout" in head:
        task.layout.CopyFrom(layout_to_message(placed_from_json(head["layout"])))
    fill_message(Settings.from_json(head["settings"]), task)
    submission = scene_service_pb2.SubmitJobRequest(request_id=head["request_id"], generate_scene=task)
    if task.HasField("mesh") and submission.ByteSize() > MAX_MESSAGE_BYTES:
        submission.generate_scene.ClearField("mesh")
        return submission, _MESH_OMITTED
    return submission, ""


def _start_views(head: dict[str, Any], body: bytes) -> list[job_pb2.StartView]:
    images = _images(head, body)
    return [
        job_pb2.StartView(view=view, image=image, keep=keep)
        for (view, keep), image in zip(head["start_views"], images, strict=True)
    ]


def _images(head: dict[str, Any], body: bytes) -> list[camera_pb2.EncodedImage]:
    """The PNG files that a body begins with; all are of the cameras' size, which is one."""
    camera, begin, images = head["cameras"][0], 0, []
    for size in head["image_bytes"]:
        data = body[begin : begin + size]
        begin += size
        images.append(
            camera_pb2.EncodedImage(
                format=camera_pb2.IMAGE_FORMAT_PNG, data=data, width=camera["width"], height=camera["height"]
            )
        )
    return images


def predict_request(head: dict[str, Any], body: bytes) -> scene_service_pb2.SubmitJobRequest:
    """The submission that a `predict` command asks for."""
    cameras = cameras_from_head(head["cameras"])
    task = job_pb2.PredictOccupancy(
        images=_images(head, body),
        cameras=[camera_to_message(camera) for camera in cameras],
        blockout=_grid(head, body),
        volume=_volume(head),
        taxonomy=head["taxonomy"],
    )
    return scene_service_pb2.SubmitJobRequest(request_id=head["request_id"], predict_occupancy=task)


def compose_request(head: dict[str, Any]) -> scene_service_pb2.SubmitJobRequest:
    """The submission that a `compose` command asks for."""
    task = job_pb2.ComposeLayout(
        layout=layout_to_message(placed_from_json(head["layout"])),
        volume=_volume(head),
        taxonomy=head["taxonomy"],
        redraw=head["redraw"],
        furnish=head["furnish"],
        with_parts=head["with_parts"],
    )
    fill_message(Settings.from_json(head["settings"]), task)
    return scene_service_pb2.SubmitJobRequest(request_id=head["request_id"], compose_layout=task)


def blockout_grid(head: dict[str, Any], body: bytes) -> SemanticGrid | None:
    """The grid that a command brings, or None."""
    if head.get("grid") is None:
        return None
    return grid_body.grid_from_message(head["grid"], body[sum(head["image_bytes"]) :])


def blockout_mesh(head: dict[str, Any], body: bytes) -> TriangleMesh | None:
    """The mesh that a `generate` command brings, or None."""
    if head.get("mesh") is None:
        return None
    begin = sum(head["image_bytes"]) + grid_body.grid_bytes(head["grid"])
    return mesh_body.mesh_from_message(head["mesh"], body[begin:])


def _mesh(head: dict[str, Any], body: bytes) -> mesh_pb2.TriangleMesh | None:
    mesh = blockout_mesh(head, body)
    return None if mesh is None else mesh_to_message(mesh, grid_body.volume_from_head(head["grid"]))


def _grid(head: dict[str, Any], body: bytes) -> grid_pb2.SemanticGrid | None:
    grid = blockout_grid(head, body)
    return None if grid is None else grid_to_message(grid)


def _volume(head: dict[str, Any]) -> grid_pb2.GridVolume | None:
    return None if head["volume"] is None else volume_to_message(grid_body.volume_from_head(head["volume"]))


def event_messages(event: job_pb2.JobEvent) -> tuple[dict[str, Any], bytes]:
    """The head and the body of a job's event, without an occupancy's voxels and a layout's objects."""
    kind = event.WhichOneof("kind") or "unknown"
    head: dict[str, Any] = {"event": kind, "sequence": event.sequence}
    if kind == "queued":
        return {**head, "position": event.queued.position}, b""
    if kind == "started":
        return {**head, "device": event.started.device}, b""
    if kind == "progress":
        return {
            **head,
            "phase": _phase(event.progress),
            "step": event.progress.step,
            "steps": event.progress.steps,
        }, b""
    if kind in ("preview", "view"):
        picture = event.preview if kind == "preview" else event.view
        return {**head, "view": picture.view, "name": picture.name}, picture.image.data
    if kind == "occupancy":
        return {**head, "source": occupancy_source(event.occupancy)}, b""
    if kind == "layout":
        return {**head, "notes": list(event.layout.notes)}, b""
    if kind == "succeeded":
        return {**head, "seconds": event.succeeded.seconds}, b""
    if kind == "failed":
        failure = event.failed.failure
        advice = failure.advice or advice_on(failure.reason)
        return {**head, "reason": failure.reason, "message": failure.message, "advice": advice}, b""
    return head, b""


def _phase(progress: job_pb2.JobProgress) -> str:
    """What the model is busy with, in a word; also of servers that know more phases than this."""
    if progress.drafting:
        return "drafting"
    if progress.model:
        return f"loading {progress.model}"
    names = {number: name for name, number in job_pb2.JobPhase.items()}
    return names.get(progress.phase, "WORKING").removeprefix("JOB_PHASE_").lower()


def info_head(answer: scene_service_pb2.GetServerInfoResponse) -> dict[str, Any]:
    """The fields of an `info` event."""
    return {
        "version": answer.version,
        "state": scene_service_pb2.ServerState.Name(answer.state).removeprefix("SERVER_STATE_").lower(),
        "message": answer.message,
        "device": answer.device,
        "models": [
            {
                "name": model.name,
                "taxonomies": list(model.taxonomies),
                "image_size": [model.image_width, model.image_height],
                "image_multiple": max(1, model.image_multiple),
                "default_steps": model.default_steps,
                "layout_prior": model.layout_prior,
                "parts_prior": model.parts_prior,
                "drafts": model.drafts,
                "start_views": model.start_views,
                "family": model.family,
                "license": model.license,
                "features": [_feature(number) for number in model.features],
                "controls": [[control.name, control.strength] for control in model.controls],
            }
            for model in answer.models
        ],
        "queue_length": answer.queue_length,
        "running": answer.running,
    }


def _feature(number: int) -> str:
    """A feature's name; "" of one that only a later version knows."""
    names = {value: name for name, value in scene_service_pb2.ModelFeature.items()}
    return names.get(number, "").removeprefix("MODEL_FEATURE_").lower()

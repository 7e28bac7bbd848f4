"""Messages of the pipe to messages of the contract, and back."""

from __future__ import annotations

from typing import Any

from occscene.codec import camera_to_message, grid_from_message, grid_to_message
from occscene.v1 import job_pb2, scene_service_pb2

from . import grid_body
from .cameras_head import cameras_from_head


def generate_request(head: dict[str, Any], body: bytes) -> scene_service_pb2.SubmitJobRequest:
    """The submission that a `generate` command asks for."""
    task = job_pb2.GenerateScene(
        grid=grid_to_message(grid_body.grid_from_message(head["grid"], body)),
        cameras=[camera_to_message(camera) for camera in cameras_from_head(head["cameras"])],
        prompt=head["prompt"],
        negative_prompt=head["negative_prompt"],
        seed=head["seed"],
        previews=head["previews"],
    )
    for field in ("steps", "text_guidance_scale", "occupancy_guidance_scale"):
        if head[field] is not None:
            setattr(task, field, head[field])
    return scene_service_pb2.SubmitJobRequest(request_id=head["request_id"], generate_scene=task)


def event_messages(event: job_pb2.JobEvent) -> tuple[dict[str, Any], bytes]:
    """The head and the body of a job's event."""
    kind = event.WhichOneof("kind") or "unknown"
    head: dict[str, Any] = {"event": kind, "sequence": event.sequence}
    if kind == "queued":
        return {**head, "position": event.queued.position}, b""
    if kind == "started":
        return {**head, "device": event.started.device}, b""
    if kind == "progress":
        phase = job_pb2.JobPhase.Name(event.progress.phase).removeprefix("JOB_PHASE_").lower()
        return {**head, "phase": phase, "step": event.progress.step, "steps": event.progress.steps}, b""
    if kind in ("preview", "view"):
        picture = event.preview if kind == "preview" else event.view
        return {**head, "view": picture.view, "name": picture.name}, picture.image.data
    if kind == "occupancy":
        grid = grid_from_message(event.occupancy.grid)
        return {**head, "grid": grid_body.grid_head(grid)}, grid_body.grid_body(grid)
    if kind == "succeeded":
        return {**head, "seconds": event.succeeded.seconds}, b""
    if kind == "failed":
        failure = event.failed.failure
        return {**head, "reason": failure.reason, "message": failure.message, "advice": failure.advice}, b""
    return head, b""


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
                "default_steps": model.default_steps,
            }
            for model in answer.models
        ],
        "queue_length": answer.queue_length,
        "running": answer.running,
    }

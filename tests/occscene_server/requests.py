"""Small requests that the tests send."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.codec import camera_to_message, grid_to_message, volume_to_message
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.mesh_codec import mesh_to_message
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2

from occscene_server.engine.task import encode_image


def looking_camera(name: str = "front", x: float = 0.24, side: int = 64) -> PinholeCamera:
    """A camera two metres in front of the sample grid that looks along +y."""
    pose = np.array([[1, 0, 0, x], [0, 0, 1, -2], [0, -1, 0, 0.16], [0, 0, 0, 1]], np.float64)
    return PinholeCamera(name, side, side, 80.0, 80.0, side / 2, side / 2, pose)


def sample_grid() -> SemanticGrid:
    """A little wall on a floor, 6 x 5 x 4 voxels."""
    labels = np.zeros((6, 5, 4), np.uint8)
    labels[:, :, 0] = 2
    labels[:, 4, :] = 3
    return SemanticGrid(labels, 0.08, np.eye(4), "indoor")


def generate_request(
    prompt: str = "a room", seed: int = 0, steps: int = 4, views: int = 2, previews: bool = False, side: int = 64
) -> scene_service_pb2.SubmitJobRequest:
    """A blockout to be generated."""
    cameras = [camera_to_message(looking_camera(f"camera {i}", 0.1 * i, side)) for i in range(views)]
    task = job_pb2.GenerateScene(
        grid=grid_to_message(sample_grid()), cameras=cameras, prompt=prompt, seed=seed, steps=steps, previews=previews
    )
    return scene_service_pb2.SubmitJobRequest(generate_scene=task)


def sample_mesh() -> TriangleMesh:
    """The floor of the sample grid as two triangles that reach out of it, an object of their own."""
    corners = np.array([[-1.0, -1.0, 0.0625], [1.5, -1.0, 0.0625], [1.5, 1.25, 0.0625], [-1.0, 1.25, 0.0625]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    return TriangleMesh(corners, triangles, np.full(2, 2, np.uint8), np.full(2, 5, np.uint16))


def mesh_request(**options: Any) -> scene_service_pb2.SubmitJobRequest:
    """A blockout with an object that has words of its own, and its mesh."""
    request = generate_request(**options)
    grid = sample_grid()
    instances = (grid.labels == 2).astype(np.uint16) * 5
    objects = (GridObject(5, "floor", prompt="a worn oak floor"),)
    named = SemanticGrid(grid.labels, grid.voxel_size, grid.world_from_grid, "indoor", instances, objects)
    request.generate_scene.grid.CopyFrom(grid_to_message(named))
    request.generate_scene.mesh.CopyFrom(mesh_to_message(sample_mesh(), named.volume))
    return request


def text_request() -> scene_service_pb2.SubmitJobRequest:
    """A scene from text only."""
    volume = volume_to_message(GridVolume((6, 5, 4), 0.08, np.eye(4)))
    cameras = [camera_to_message(looking_camera())]
    task = job_pb2.GenerateScene(volume=volume, taxonomy="indoor", cameras=cameras, prompt="a room", steps=2)
    return scene_service_pb2.SubmitJobRequest(generate_scene=task)


def predict_request(red: int = 5) -> scene_service_pb2.SubmitJobRequest:
    """One image whose red says what class it shows to the stand-in."""
    image: NDArray[np.uint8] = np.full((64, 64, 3), red, np.uint8)
    task = job_pb2.PredictOccupancy(
        images=[encode_image(image, camera_pb2.IMAGE_FORMAT_PNG)],
        cameras=[camera_to_message(looking_camera())],
        taxonomy="indoor",
    )
    return scene_service_pb2.SubmitJobRequest(predict_occupancy=task)

"""Pinhole cameras as batched tensors, and their pixel rays in a grid's frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from occscene.camera import PinholeCamera
from torch import Tensor

from occscene_server.geometry.grids import VolumeTensors


@dataclass(frozen=True)
class CameraTensors:
    """The cameras of a batch of scenes, with as many views in each and one image size.

    Args:
        intrinsics: (B, V, 3, 3) float64, pixels of a `height` x `width` image, pixel centres at +0.5.
        world_from_camera: (B, V, 4, 4) float64, rigid, metres; x right, y down, z forward.
        height, width: pixels.
        picture: (height, width) in pixels of the top left part of the image that shows something; None is all of it.
    """

    intrinsics: Tensor
    world_from_camera: Tensor
    height: int
    width: int
    picture: tuple[int, int] | None = None

    @classmethod
    def from_cameras(
        cls,
        scenes: Sequence[Sequence[PinholeCamera]],
        size: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
    ) -> CameraTensors:
        """Stacks the cameras of each scene, all scaled to one image size.

        Args:
            scenes: B lists of V cameras.
            size: (height, width) in pixels, defaults to the first camera's.
        """
        height, width = size or (scenes[0][0].height, scenes[0][0].width)
        intrinsics = [[camera.resized(width, height).intrinsics for camera in scene] for scene in scenes]
        poses = [[camera.world_from_camera for camera in scene] for scene in scenes]
        return cls(
            intrinsics=torch.from_numpy(np.array(intrinsics)).to(device),
            world_from_camera=torch.from_numpy(np.array(poses)).to(device),
            height=height,
            width=width,
        )

    @property
    def views(self) -> int:
        """Views in each scene."""
        return self.intrinsics.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.intrinsics.device

    def to(self, device: torch.device | str) -> CameraTensors:
        """The cameras on a device."""
        return replace(self, intrinsics=self.intrinsics.to(device), world_from_camera=self.world_from_camera.to(device))

    def scaled_intrinsics(self, size: tuple[int, int]) -> Tensor:
        """The intrinsics (B, V, 3, 3) for an image of `size` = (height, width)."""
        scale = torch.tensor(
            [size[1] / self.width, size[0] / self.height, 1.0],
            dtype=self.intrinsics.dtype,
            device=self.intrinsics.device,
        )
        return self.intrinsics * scale[:, None]

    def enlarged(self, scale: float, size: tuple[int, int]) -> CameraTensors:
        """Those of images with `scale` pixels in the place of one, which go on to the right and down to `size`."""
        factors = torch.tensor([scale, scale, 1.0], dtype=self.intrinsics.dtype, device=self.intrinsics.device)
        return replace(self, intrinsics=self.intrinsics * factors[:, None], height=size[0], width=size[1])

    def scaled_picture(self, size: tuple[int, int]) -> tuple[float, float]:
        """(height, width) of the part that shows something, in an image of `size` = (height, width)."""
        height, width = self.picture or (self.height, self.width)
        return size[0] * height / self.height, size[1] * width / self.width

    def of_scenes(self, scenes: Tensor) -> CameraTensors:
        """The cameras of some scenes, by their places (S,) in the batch."""
        return replace(self, intrinsics=self.intrinsics[scenes], world_from_camera=self.world_from_camera[scenes])

    def selected(self, views: Tensor) -> CameraTensors:
        """The cameras of the given views: `views` (B, V') int64 picks from each scene."""
        rows = torch.arange(len(views), device=views.device)[:, None]
        return replace(
            self, intrinsics=self.intrinsics[rows, views], world_from_camera=self.world_from_camera[rows, views]
        )


def grid_from_camera(cameras: CameraTensors, volume: VolumeTensors) -> Tensor:
    """Poses in the grid's frame (axes of the grid, metres, origin at its corner), (B, V, 4, 4) float64."""
    return torch.linalg.inv(volume.world_from_grid)[:, None] @ cameras.world_from_camera


def pixel_rays(cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rays R ((u - cx) / fx, (v - cy) / fy, 1) through the pixel centres of an image of `size` = (height, width).

    Returns:
        Origins (B, V, 3) float32 in voxels, and directions (B, V, h, w, 3) float32 in voxels per metre of depth along
        the camera's z axis: `origin + depth * direction` is the point that the pixel sees at `depth` metres.
    """
    pose = grid_from_camera(cameras, volume)  # (B, V, 4, 4)
    scaled = cameras.scaled_intrinsics(size)
    focal, center = scaled[..., (0, 1), (0, 1)], scaled[..., :2, 2]  # (B, V, 2) as x, y
    x = torch.arange(size[1], dtype=pose.dtype, device=pose.device) + 0.5
    y = torch.arange(size[0], dtype=pose.dtype, device=pose.device) + 0.5
    x = (x - center[..., :1]) / focal[..., :1]  # (B, V, w)
    y = (y - center[..., 1:]) / focal[..., 1:]  # (B, V, h)
    columns = (pose[..., :3, :3] / volume.voxel_size[:, None, None, None]).float()  # (B, V, 3, 3)
    origins = (pose[..., :3, 3] / volume.voxel_size[:, None, None]).float()  # (B, V, 3)
    across = x.float()[..., None] * columns[:, :, None, :, 0]  # (B, V, w, 3)
    down = y.float()[..., None] * columns[:, :, None, :, 1] + columns[:, :, None, :, 2]  # (B, V, h, 3)
    return origins, across[:, :, None] + down[:, :, :, None]

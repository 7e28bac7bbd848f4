"""G-buffers: what the centre of every pixel sees of a scene, at any image size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GBuffer:
    """Maps of a batch of scenes seen by their cameras.

    Args:
        labels: (B, V, h, w) int64 class seen, 0 for nothing.
        objects: (B, V, h, w) int64 row of the scene's table of objects, 0 for nothing or an object without a row.
        depth: (B, V, h, w) float32 metres along the camera's z axis, inf where nothing is seen.
        normal: (B, V, 3, h, w) float32 unit normal in the grid's axes, towards the camera; 0 where nothing is seen.
        surface: (B, V, 3, h, w) float32 place in the texture frame of what is seen, metres, as `surface_frames` has it;
            0 where nothing is seen.
        footprint: (B, V, h, w) float32 metres that the pixel covers on the surface, along the longer side; 0 where
            nothing is seen.
        parts: (B, V, h, w) int64 part of the mesh that is seen, 0 where none is known.
        shape: (B, V, 4, h, w) float32 what that part is like, as of `MeshParts`; 0 where none is known.
        sunlight: (B, V, 2, h, w) float32 whether it is known where the sun is, and how much of its light falls on what
            is seen: the cosine to its direction, 0 in the shade.
        materials: (B, V, h, w) int64 what is seen is made of, a row of `MATERIALS`, 0 where that is not known.
    """

    labels: Tensor
    objects: Tensor
    depth: Tensor
    normal: Tensor
    surface: Tensor
    footprint: Tensor
    parts: Tensor
    shape: Tensor
    sunlight: Tensor
    materials: Tensor

    def to(self, device: torch.device | str) -> GBuffer:
        """The maps on a device."""
        return GBuffer(*(maps.to(device) for maps in vars(self).values()))

    @property
    def edges(self) -> Tensor:
        """(B, V, h, w) bool: the right or the lower neighbour shows another object or class."""
        keys = self.objects * 256 + self.labels
        edge = torch.zeros_like(keys, dtype=torch.bool)
        edge[..., :, :-1] |= keys[..., :, :-1] != keys[..., :, 1:]
        edge[..., :-1, :] |= keys[..., :-1, :] != keys[..., 1:, :]
        return edge


def seen_pairs(buffer: GBuffer) -> tuple[Tensor, Tensor]:
    """What one scene's pixels show.

    Args:
        buffer: of one scene, (1, V, ...).

    Returns:
        The pairs (N, 2) of class and row of the object that are seen, sorted, and which of them each pixel (V, h, w)
        shows.
    """
    # one number for a pair: torch sorts numbers thirty times as fast as rows
    keys, index = (buffer.labels[0] * _ROWS + buffer.objects[0]).unique(return_inverse=True)
    return torch.stack([keys // _ROWS, keys % _ROWS], -1), index


_ROWS = 1 << 16  # more than a scene has objects

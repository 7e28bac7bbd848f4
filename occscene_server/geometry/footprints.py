"""How much of a surface a pixel covers."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_footprint(normal: Tensor, depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Metres (..., h, w) that each pixel covers along the longer axis of its outline on the surface, 0 at a depth of 0.

    A step dx of the pixel moves the point seen by depth * (ray_dx - ray * (normal . ray_dx) / (normal . ray)), which
    lies in the surface; the longer axis is the root of the larger eigenvalue of the products of both such steps.

    Args:
        normal: (..., 3, h, w) unit normal in the camera's axes, of either sign.
        depth: (..., h, w) metres along the camera's z.
        intrinsics: (..., 3, 3) for images of this size.
    """
    height, width = depth.shape[-2:]
    focal_x, focal_y = intrinsics[..., 0, 0, None, None].float(), intrinsics[..., 1, 1, None, None].float()
    x = (torch.arange(width, device=depth.device) + 0.5 - intrinsics[..., 0, 2, None, None].float()) / focal_x
    y = (torch.arange(height, device=depth.device)[:, None] + 0.5 - intrinsics[..., 1, 2, None, None].float()) / focal_y
    along, down, ahead = normal.unbind(-3)
    toward = along * x + down * y + ahead
    # at a grazing angle a pixel covers more than any pattern repeats
    toward = torch.where(toward.abs() < 1e-4, 1e-4, toward)
    a, b = along / toward, down / toward
    length = x * x + y * y + 1
    xx = (1 - 2 * x * a + length * a * a) / focal_x**2
    yy = (1 - 2 * y * b + length * b * b) / focal_y**2
    xy = (length * a * b - x * b - y * a) / (focal_x * focal_y)
    return depth * ((xx + yy) / 2 + ((xx - yy).square() / 4 + xy.square()).sqrt()).sqrt()

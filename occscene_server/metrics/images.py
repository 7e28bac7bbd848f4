"""Metrics of images: colour differences and agreement between views."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.pixel_values import linear_from_srgb

_XYZ_FROM_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
"""Linear sRGB to CIE XYZ, white point D65 (IEC 61966-2-1)."""


def lab_from_linear(colors: Tensor) -> Tensor:
    """CIELAB (CIE 15: L = 116 f(Y) - 16, a = 500 (f(X) - f(Y)), b = 200 (f(Y) - f(Z))) of linear RGB.

    Args:
        colors: (..., 3) linear RGB in [0, 1].

    Returns:
        (..., 3): L in 0..100, a and b, relative to D65, which is RGB's own white.
    """
    matrix = torch.tensor(_XYZ_FROM_RGB, dtype=colors.dtype, device=colors.device)
    ratio = colors @ (matrix / matrix.sum(1, keepdim=True)).T
    cube_root = ratio.clamp_min(1e-9) ** (1 / 3)
    f = torch.where(ratio > (6 / 29) ** 3, cube_root, ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def delta_e(first: Tensor, second: Tensor) -> Tensor:
    """CIE76 difference |first - second| of Lab colours (..., 3); 2.3 is just noticeable, 100 is black to white."""
    return (first - second).norm(dim=-1)


def hint_differences(colors: Tensor, objects: Tensor, hints: dict[int, Tensor], least: int) -> dict[int, float]:
    """How far the objects of a scene are from the colours that were asked for.

    Args:
        colors: (V, h, w, 3) linear RGB.
        objects: (V, h, w) id of the object that each pixel sees.
        hints: linear RGB (3,) by object id.
        least: objects seen in fewer pixels, all views together, are left out.

    Returns:
        By object id, delta E between its hint and the mean colour, taken in linear light, of its pixels.
    """
    differences = {}
    for identity, hint in hints.items():
        pixels = colors[objects == identity]
        if len(pixels) >= least:
            differences[identity] = float(delta_e(lab_from_linear(pixels.mean(0)), lab_from_linear(hint)))
    return differences


def warped_pairs(
    views: Tensor, depth: Tensor, cameras: CameraTensors, tolerance: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """The colours of each view and of every other one, warped to it, where both see the same surface.

    Args:
        views: (V, height, width, 3) in [0, 1].
        depth: (V, height, width) metres along the camera's z axis, inf where nothing is seen.
        cameras: of one scene, V views of that size.
        tolerance: metres between a point and what the other view sees there, up to which it is the same surface.

    Yields:
        For each ordered pair of views, two tensors (pixels, 3).
    """
    count, height, width, _ = views.shape
    poses = cameras.world_from_camera[0].float()
    intrinsics = cameras.intrinsics[0].float()
    rows, columns = torch.meshgrid(
        torch.arange(height, device=views.device) + 0.5, torch.arange(width, device=views.device) + 0.5, indexing="ij"
    )
    pixels = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)  # (h, w, 3)
    images = views.permute(0, 3, 1, 2)
    far = depth.nan_to_num(posinf=1e6)
    for i in range(count):
        points = (pixels @ torch.linalg.inv(intrinsics[i]).T) * far[i, ..., None]
        for j in range(count):
            if i == j:
                continue
            between = torch.linalg.inv(poses[j]) @ poses[i]
            there = points @ between[:3, :3].T + between[:3, 3]
            projected = there @ intrinsics[j].T
            place = projected[..., :2] / projected[..., 2:].clamp_min(1e-6)
            place = 2 * place / torch.tensor([width, height], device=place.device) - 1
            sampled = F.grid_sample(
                torch.cat([images[j], far[j, None]])[None], place[None], align_corners=False, padding_mode="border"
            )[0]
            visible = (place.abs() < 1).all(-1) & (there[..., 2] > 0) & depth[i].isfinite()
            visible &= (sampled[3] - there[..., 2]).abs() < tolerance
            yield views[i][visible], sampled[:3].permute(1, 2, 0)[visible]


def warp_error(views: Tensor, depth: Tensor, cameras: CameraTensors, tolerance: float) -> tuple[float, float, int]:
    """Compares each view with every other one, warped to it, where both see the same surface.

    Args:
        views, depth, cameras, tolerance: as in `warped_pairs`.

    Returns:
        The sum of the squared errors of sRGB in [0, 1], mean over the colour channels, the sum of the squared
        differences in CIELAB (delta E), and the number of pixels; 0, 0 and 0 if no surface is seen twice.
    """
    total, total_lab, seen = 0.0, 0.0, 0
    for own, other in warped_pairs(views, depth, cameras, tolerance):
        total += float((own - other).square().mean(1).sum())
        difference = delta_e(lab_from_linear(linear_from_srgb(own)), lab_from_linear(linear_from_srgb(other)))
        total_lab, seen = total_lab + float(difference.square().sum()), seen + len(own)
    return total, total_lab, seen


def psnr(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio, -10 log10(MSE) dB for values in [0, 1]; at most 100."""
    return float(-10 * torch.log10(torch.tensor(max(mean_squared_error, 1e-10))))

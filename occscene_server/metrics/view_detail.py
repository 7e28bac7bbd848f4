"""How sharp views are, and whether what is sharp lies where objects end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BAND = 1 / 32
"""Half the width of the band around edges of objects, as a share of the view's longer side: 8 of 256 pixels."""

_LUMA = (0.299, 0.587, 0.114)
"""Grey of sRGB (ITU-R BT.601)."""

_QUARTER_NYQUIST = 0.125
"""Cycles a pixel."""

_LEAST_SLOPE = 0.08
"""Change of gray, black to white being 1, over the two pixels of a central difference that counts as an edge."""


def gray(views: Tensor) -> Tensor:
    """Views (V, height, width, 3) uint8 sRGB to (V, height, width) in [0, 1]."""
    return views.float() @ torch.tensor(_LUMA) / 255


def gradient_energy(images: Tensor) -> float:
    """Mean of |dx| + |dy| over grey images (V, height, width), from pixel to pixel."""
    across = (images[:, :, 1:] - images[:, :, :-1]).abs().mean()
    return float(across + (images[:, 1:] - images[:, :-1]).abs().mean())


def high_frequency_power(images: Tensor) -> float:
    """Power above a quarter of the Nyquist frequency, in any direction, of grey images (V, height, width).

    Each image without its mean is multiplied by a Hann window, so that its borders are no edges.

    Returns:
        The mean square of the images that only these frequencies would make.
    """
    height, width = images.shape[1:]
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    spectrum = torch.fft.fft2((images - images.mean((1, 2), keepdim=True)) * window)
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None])
    power = (spectrum.abs().square() * (radius > _QUARTER_NYQUIST)).sum((1, 2)) / (height * width)
    return float((power / window.square().sum()).mean())


def image_edges(images: Tensor) -> Tensor:
    """Where grey images (V, height, width) change most along their gradient and clearly, as bool of that shape.

    Canny 1986 without hysteresis: Gauss of one pixel, central differences, the maxima across the edge.
    """
    steps = torch.arange(-3, 4, dtype=torch.float32)
    bell = torch.exp(-0.5 * steps.square())
    bell = bell / bell.sum()
    smooth = F.pad(images[:, None], (3, 3, 3, 3), mode="replicate")
    smooth = F.conv2d(F.conv2d(smooth, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))
    around = F.pad(smooth, (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = around[:, 1:-1, 2:] - around[:, 1:-1, :-2]
    dy = around[:, 2:, 1:-1] - around[:, :-2, 1:-1]
    slope = torch.hypot(dx, dy)
    next_to = F.pad(slope, (1, 1, 1, 1))
    height, width = slope.shape[1:]
    # the direction of the gradient in eighths of a turn decides which two neighbours a maximum must exceed
    eighth = torch.round(torch.atan2(dy, dx) / (torch.pi / 4)).long() % 4
    edges = torch.zeros_like(slope, dtype=torch.bool)
    for direction, (right, down) in enumerate(((1, 0), (1, 1), (0, 1), (-1, 1))):
        ahead = next_to[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        behind = next_to[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        edges |= (eighth == direction) & (slope >= ahead) & (slope > behind)
    return edges & (slope > _LEAST_SLOPE)


def distance_to(marks: Tensor, reach: int) -> Tensor:
    """Euclidean distance in pixels from each pixel to the nearest of `marks` (V, height, width), `reach` + 1 beyond."""
    beyond = float(reach + 1) ** 2
    along_rows = _nearest(torch.where(marks, 0.0, beyond), reach, 2, beyond)
    return _nearest(along_rows, reach, 1, beyond).sqrt()


def _nearest(squares: Tensor, reach: int, dim: int, beyond: float) -> Tensor:
    """min_q (p - q)^2 + f(q) along one dimension, at most `beyond`.

    By brute force, after Felzenszwalb and Huttenlocher 2012.
    """
    best = squares.clone()
    size = squares.shape[dim]
    for step in range(1, min(reach, size - 1) + 1):
        far, near = squares.narrow(dim, step, size - step) + step**2, squares.narrow(dim, 0, size - step) + step**2
        low, high = best.narrow(dim, 0, size - step), best.narrow(dim, step, size - step)
        torch.minimum(low, far, out=low)
        torch.minimum(high, near, out=high)
    return best.clamp_max(beyond)


def object_borders(edges: Tensor) -> Tensor:
    """Pixels on both sides of the borders in a `GBuffer`'s edges (..., h, w), which mark the left or upper side."""
    both = edges.clone()
    both[..., :, 1:] |= edges[..., :, :-1]
    both[..., 1:, :] |= edges[..., :-1, :]
    return both


def edge_distance(images: Tensor, borders: Tensor) -> tuple[float | None, float]:
    """How well the edges in grey images follow the borders of objects.

    Args:
        images: (V, height, width).
        borders: bool of that shape, pixels at the borders between objects.

    Returns:
        Two mean distances in pixels: from the images' edges within `BAND` of a border to it, which is about half of
        the band where edges are independent of borders, None if there is no such edge; and from the borders to the next
        edge, at most the band, which is large where borders do not show.
    """
    reach = round(BAND * max(images.shape[1:]))
    edges = image_edges(images)
    to_borders = distance_to(borders, reach)[edges]
    inside = to_borders[to_borders <= reach]
    to_edges = distance_to(edges, reach)[borders].clamp_max(reach)
    return float(inside.mean()) if len(inside) else None, float(to_edges.mean())

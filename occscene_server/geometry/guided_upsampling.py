"""Maps at more pixels than they were made for, without mixing what different surfaces show."""

from __future__ import annotations

import torch
from torch import Tensor

_OTHER_SURFACE = 1e-4
"""Weight of a pixel that shows another surface, over that of one that shows the same: it counts only alone."""


def upsampled_within(values: Tensor, shown: Tensor, fine: Tensor, scale: float) -> Tensor:
    """Each of many pixels between the four nearest of few, of which those that show the same count.

    Joint bilateral upsampling (Kopf et al., SIGGRAPH 2007) of the smallest size, with what pixels show as the guide.

    Args:
        values: (N, C, h, w).
        shown: (N, h, w), what their pixels show, as whole numbers.
        fine: (N, H, W), the same at the size of the result.
        scale: pixels of `values` in one of the result, at most 1; their top left corners coincide, and beyond the edge
            the last pixels are repeated.

    Returns:
        (N, C, H, W).
    """
    rows, columns = (
        _between(side, count, scale, values) for side, count in zip(fine.shape[1:], values.shape[2:], strict=True)
    )
    total, weights = values.new_zeros(()), values.new_zeros(())
    for row, row_share in rows:
        for column, column_share in columns:
            same = shown[:, row][:, :, column] == fine
            weight = row_share[:, None] * column_share * torch.where(same, 1.0, _OTHER_SURFACE)
            total = total + weight[:, None] * values[:, :, row][:, :, :, column]
            weights = weights + weight
    return total / weights[:, None]


def _between(side: int, count: int, scale: float, like: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Of `side` pixels the two of `count` that each lies between, with their shares."""
    places = ((torch.arange(side, dtype=like.dtype, device=like.device) + 0.5) * scale - 0.5).clamp(0, count - 1)
    before = places.floor()
    share = places - before
    return (before.long(), 1 - share), ((before.long() + 1).clamp_max(count - 1), share)


def averaged_within(values: Tensor, shown: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Means over square cells of the pixels that show what the cell's middle shows, and what that is.

    Args:
        values: (N, C, h, w).
        shown: (N, h, w), what their pixels show, as whole numbers.
        cell: pixels of a side; h and w are multiples of it.

    Returns:
        (N, C, h / cell, w / cell) and (N, h / cell, w / cell).
    """
    rows, columns = shown.shape[1] // cell, shown.shape[2] // cell
    cells = shown.view(-1, rows, cell, columns, cell)
    middle = cells[:, :, cell // 2, :, cell // 2]
    same = (cells == middle[:, :, None, :, None]).to(values.dtype)[:, None]
    means = (values.view(*values.shape[:2], rows, cell, columns, cell) * same).sum((3, 5)) / same.sum((3, 5))
    return means, middle

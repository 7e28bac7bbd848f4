"""One view as a file: every view that is compared with another goes through this encoder."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WEBP_QUALITY = 90


def write_view(file: Path | io.BytesIO, pixels: NDArray[np.uint8]) -> None:
    """Writes (height, width, 3) sRGB as lossy WebP."""
    Image.fromarray(pixels).save(file, "WEBP", quality=WEBP_QUALITY, method=4)


def read_view(file: Path | io.BytesIO) -> NDArray[np.uint8]:
    """Reads (height, width, 3) sRGB."""
    return np.asarray(Image.open(file).convert("RGB"))


def encoded_views(views: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Views (V, height, width, 3) as they come back from their files."""
    decoded = []
    for view in views:
        file = io.BytesIO()
        write_view(file, view)
        decoded.append(read_view(file))
    return np.stack(decoded)

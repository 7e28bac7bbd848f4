"""A folder as SemanticKITTI's, with frames that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from occscene.formats.semantic_kitti import SHAPE, write_mask
from PIL import Image

LEARNING_MAP = {
    0: 0, 1: 0, 10: 1, 11: 2, 13: 5, 15: 3, 16: 5, 18: 4, 20: 5, 30: 6, 31: 7, 32: 8, 40: 9, 44: 10, 48: 11, 49: 12,
    50: 13, 51: 14, 52: 0, 60: 9, 70: 15, 71: 16, 72: 17, 80: 18, 81: 19, 99: 0, 252: 1, 253: 7, 254: 6, 255: 8,
    256: 5, 257: 5, 258: 4, 259: 5,
}  # fmt: skip
"""`learning_map` of semantic-kitti.yaml."""

CALIBRATION = """P0: 7.188560e+02 0 6.071928e+02 0 0 7.188560e+02 1.852157e+02 0 0 0 1 0
P2: 7.188560e+02 0 6.071928e+02 4.538225e+01 0 7.188560e+02 1.852157e+02 -1.130887e-01 0 0 1 3.779761e-03
Tr: 4.27680e-04 -9.99967e-01 -8.08449e-03 -1.19846e-02 -7.21062e-03 8.08119e-03 -9.99941e-01 -5.40398e-02 9.99973e-01 4.85948e-04 -7.20693e-03 -2.92196e-01
"""  # noqa: E501 - a line of the file is a line


def write_frames(dataset: Path, sequence: int) -> None:
    """Two frames of a sequence with boxes, noise of all raw ids, and an image."""
    rng = np.random.default_rng(0)
    folder = dataset / "sequences" / f"{sequence:02d}"
    (folder / "voxels").mkdir(parents=True)
    (folder / "image_2").mkdir()
    (folder / "calib.txt").write_text(CALIBRATION)
    for number in (0, 5):
        raw = np.zeros(SHAPE, "<u2")
        raw[:, :, 1] = 40
        raw[:, :80, 1] = 48
        raw[60:100, 20:60, 2:20] = 50
        raw[120:142, 120:129, 2:9] = 10
        raw[150:152, 100:102, 2:10] = 80
        noise = rng.random(SHAPE) < 0.02
        raw[noise] = rng.choice(list(LEARNING_MAP), noise.sum())
        (folder / "voxels" / f"{number:06d}.label").write_bytes(raw.tobytes())
        write_mask(folder / "voxels" / f"{number:06d}.invalid", rng.random(SHAPE) < 0.25)
        Image.fromarray(rng.integers(0, 255, (370, 1226, 3), dtype=np.uint8)).save(
            folder / "image_2" / f"{number:06d}.png"
        )

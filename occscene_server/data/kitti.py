"""A user's SemanticKITTI folder: its frames, their cameras and images, their voxels, and where predictions go.

The folder is the official one: `sequences/SS/` with `calib.txt`, `image_2/NNNNNN.png` and `voxels/NNNNNN.label` and
`.invalid`; predictions are `sequences/SS/predictions/NNNNNN.label` in the data set's raw ids. Nothing of it comes with
OccScene. Sources: the odometry benchmark's devkit (calibration), semantic-kitti-api (splits, folders).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.formats.semantic_kitti import label_bytes, read_semantic_kitti
from occscene.grid import SemanticGrid
from PIL import Image

SPLITS: dict[str, tuple[int, ...]] = {
    "train": (0, 1, 2, 3, 4, 5, 6, 7, 9, 10),
    "valid": (8,),
    "test": tuple(range(11, 22)),
}
"""The sequences of each split; those of the test split have no labels."""

IMAGE_SCALE = 2
"""How much smaller than the camera's the images are that perception sees."""


@dataclass(frozen=True)
class KittiFrame:
    """One scan with voxels.

    Args:
        folder: of its sequence.
        name: its number in six digits.
    """

    folder: Path
    name: str

    @property
    def label(self) -> Path:
        """The true voxels."""
        return self.folder / "voxels" / f"{self.name}.label"

    @property
    def image(self) -> Path:
        """The left colour camera's image."""
        return self.folder / "image_2" / f"{self.name}.png"

    @property
    def key(self) -> str:
        """ "08/000125"."""
        return f"{self.folder.name}/{self.name}"

    def truth(self) -> SemanticGrid:
        """The true grid, unknown where voxels are invalid or have no class."""
        return read_semantic_kitti(self.label)


def list_frames(dataset: Path, split: str) -> list[KittiFrame]:
    """The frames of a split whose voxels are there, in order.

    Raises:
        ValueError: the split does not exist, or the folder has no labelled voxels of it; the message says where they
            are looked for.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    folders = [dataset / "sequences" / f"{number:02d}" for number in SPLITS[split]]
    frames = [
        KittiFrame(folder, path.stem) for folder in folders for path in sorted((folder / "voxels").glob("*.label"))
    ]
    if not frames:
        numbers = ", ".join(folder.name for folder in folders)
        raise ValueError(
            f"{dataset} has no sequences/SS/voxels/NNNNNN.label of the split {split!r} (sequences {numbers}); give the "
            "folder that holds `sequences`, with the voxels of semantic scene completion and, for images, image_2 and "
            "calib.txt of the odometry benchmark in it"
        )
    return frames


def read_calibration(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The projection `P2` (3, 4) of the left colour camera and `Tr` (4, 4), camera 0 from the laser scanner.

    Raises:
        ValueError: a line is missing or has not twelve numbers.
        OSError: the file cannot be read.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, values = line.partition(":")
        if name.strip() in ("P2", "Tr"):
            numbers = np.array(values.split(), np.float64)
            if len(numbers) != 12:
                raise ValueError(f"{path}: {name.strip()} has {len(numbers)} numbers; it must have 12")
            found[name.strip()] = numbers.reshape(3, 4)
    for name in ("P2", "Tr"):
        if name not in found:
            raise ValueError(f"{path} has no line {name!r}; it must have the calibration of the odometry benchmark")
    return found["P2"], np.vstack([found["Tr"], [0.0, 0.0, 0.0, 1.0]])


def camera_of(
    projection: NDArray[np.float64],
    camera_from_laser: NDArray[np.float64],
    full: tuple[int, int],
    size: tuple[int, int],
) -> PinholeCamera:
    """Camera 2 in the laser scanner's frame, which is the voxels' world.

    KITTI counts pixels from the middle of the first one, `PinholeCamera` from its corner.

    Args:
        projection: P2 (3, 4): intrinsics times the camera's offset from camera 0.
        camera_from_laser: Tr (4, 4).
        full: width and height of the image on disk.
        size: width and height of the image that is used.
    """
    offset = np.eye(4)
    offset[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
    pose = np.linalg.inv(offset @ camera_from_laser)
    left, _, right = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = left @ right  # the file's digits leave it a rotation to some 1e-7 only
    wide, high = size[0] / full[0], size[1] / full[1]
    return PinholeCamera(
        "2",
        *size,
        float(projection[0, 0] * wide),
        float(projection[1, 1] * high),
        float((projection[0, 2] + 0.5) * wide),
        float((projection[1, 2] + 0.5) * high),
        pose,
    )


def read_view(frame: KittiFrame, size: tuple[int, int] | None = None) -> tuple[NDArray[np.uint8], PinholeCamera]:
    """A frame's image (height, width, 3) sRGB and its camera.

    Args:
        frame: with its image.
        size: width and height of the image; None for `IMAGE_SCALE` times less than on disk.

    Raises:
        ValueError: the calibration is not readable.
        OSError: a file is missing.
    """
    projection, camera_from_laser = read_calibration(frame.folder / "calib.txt")
    with Image.open(frame.image) as image:
        full = image.convert("RGB")
        half = full.width // IMAGE_SCALE, full.height // IMAGE_SCALE
        small = full.resize(size or half, Image.Resampling.BOX)
    return np.asarray(small), camera_of(projection, camera_from_laser, full.size, small.size)


def write_prediction(output: Path, frame: KittiFrame, grid: SemanticGrid) -> Path:
    """Writes a prediction where semantic-kitti-api looks for it below `output`, in raw ids; unknown becomes empty."""
    path = output / "sequences" / frame.folder.name / "predictions" / f"{frame.name}.label"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(label_bytes(grid))
    return path

"""A user's SemanticKITTI frames as scenes that perception is trained on: one photograph each, and its voxels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.formats.semantic_kitti import SHAPE
from occscene.grid import SemanticGrid
from occscene.taxonomy import OUTDOOR

from occscene_server.data.kitti import KittiFrame, list_frames, read_view
from occscene_server.data.kitti_blockout import blockout_of
from occscene_server.data.scenes import SceneBatch, mirrored
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors

VIEW_SIZE = (624, 192)
"""Width and height of the views, about half of the photographs', which differ by a few pixels between sequences."""


class KittiScenes:
    """Frames of one split, read when they are drawn: those of the training split take some 16 GB in memory.

    Args:
        dataset: the folder that holds `sequences`.
        split: "train" or "valid".
        blockouts: folder in which the blockout of each frame is kept once it is made from the true voxels.

    Raises:
        ValueError: the folder has no labelled voxels of the split.
    """

    classes = len(OUTDOOR)
    shape = SHAPE

    def __init__(self, dataset: Path, split: str, blockouts: Path) -> None:
        self.frames = list_frames(dataset, split)
        self._blockouts = blockouts

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, indices: Sequence[int], symmetry: tuple[bool, int] = (False, 0)) -> SceneBatch:
        """The frames at `indices`, mirrored left to right if `symmetry` = (mirror, turns) says so.

        They are never turned: the camera always looks along the volume.

        Raises:
            OSError, ValueError: a file is missing or damaged.
        """
        views, cameras, truths, blockouts = zip(*(self._read(self.frames[index]) for index in indices), strict=True)
        batch = SceneBatch(
            torch.from_numpy(np.stack(views))[:, None],
            GridTensors.from_grids(truths),
            GridTensors.from_grids(blockouts),
            CameraTensors.from_cameras([(camera,) for camera in cameras]),
        )
        return mirrored(batch, axis=1) if symmetry[0] else batch

    def _read(self, frame: KittiFrame) -> tuple[NDArray[np.uint8], PinholeCamera, SemanticGrid, SemanticGrid]:
        view, camera = read_view(frame, VIEW_SIZE)
        truth = frame.truth()
        return view, camera, truth, self._blockout(frame, truth)

    def _blockout(self, frame: KittiFrame, truth: SemanticGrid) -> SemanticGrid:
        path = self._blockouts / f"{frame.folder.name}_{frame.name}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as members:
                return dataclasses.replace(truth, labels=members["labels"])
        blockout = blockout_of(truth)
        self._blockouts.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, labels=blockout.labels)
        partial.replace(path)
        return blockout

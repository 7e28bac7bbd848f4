"""Blocks of volumes: where they lie, what is in them, and which are drawn."""

from __future__ import annotations

import numpy as np
import torch
from occscene.grid import GridObject, SemanticGrid

from occscene_server.geometry.grids import GridTensors
from occscene_server.training.volume_blocks import blocks, random_corners


def street(seed: int) -> SemanticGrid:
    """A road with one voxel of something rare, in a volume that is turned and lies somewhere."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((40, 24, 6), np.uint8)
    labels[:, :, 0] = 9
    labels[tuple(rng.integers(1, side) for side in labels.shape)] = 6
    pose = np.array([[0.0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 2], [0, 0, 0, 1]])
    objects = (GridObject(7, "road", (0.2, 0.2, 0.2)),)
    return SemanticGrid(labels, 0.2, pose, "outdoor", (labels == 9).astype(np.uint16) * 7, objects)


def test_a_block_is_a_part_of_its_scene() -> None:
    """Each of its voxels has the label, the object and the place in the world that it has in the scene."""
    whole = GridTensors.from_grids([street(0), street(1)])
    corners = torch.tensor([[4, 2], [24, 8]])
    part = blocks(whole, corners, 16)
    assert part.labels.shape == (2, 16, 16, 6)
    for scene, (x, y) in enumerate(corners.tolist()):
        place = (scene, slice(x, x + 16), slice(y, y + 16))
        assert torch.equal(part.labels[scene], whole.labels[place])
        assert torch.equal(part.instances[scene], whole.instances[place])
        inside, outside = (
            torch.tensor([0.2 * i, 0.2 * j, 0.6, 1.0], dtype=torch.float64) for i, j in ((1, 2), (x + 1, y + 2))
        )
        assert torch.allclose(part.world_from_grid[scene] @ inside, whole.world_from_grid[scene] @ outside)


def test_rare_classes_are_in_half_of_the_blocks() -> None:
    """A class of one voxel is drawn as often as the road; blocks stay within the volume and begin at even voxels."""
    whole = GridTensors.from_grids([street(2)])
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(60):
        corners = random_corners(whole, 8, rng)
        assert (corners % 2 == 0).all()
        part = blocks(whole, corners, 8)
        assert part.labels.shape == (1, 8, 8, 6)
        hits += bool((part.labels == 6).any())
    assert hits >= 25


def test_blocks_of_small_and_of_empty_scenes() -> None:
    """A volume that is smaller than a block is taken whole, one that holds nothing from its corner."""
    small = street(3)
    empty = SemanticGrid(np.zeros((40, 24, 6), np.uint8), 0.2, np.eye(4), "outdoor")
    for grid in (small, empty):
        whole = GridTensors.from_grids([grid])
        corners = random_corners(whole, 64, np.random.default_rng(0))
        assert torch.equal(corners, torch.zeros(1, 2, dtype=torch.int64))
        assert torch.equal(blocks(whole, corners, 64).labels, whole.labels)

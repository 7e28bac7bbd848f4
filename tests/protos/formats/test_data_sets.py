"""SemanticKITTI's and Occ3D's files: bit order by hand, ids, masks, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from occscene.formats import occ3d, semantic_kitti
from occscene.grid import UNKNOWN, SemanticGrid
from occscene.taxonomy import OUTDOOR

from tests.blender_addon.geometry.grids import grid_of


def random_labels(shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.choice(np.array([0, 0, 0, *range(20), UNKNOWN], np.uint8), shape)


def test_the_first_voxel_is_the_highest_bit(tmp_path: Path) -> None:
    """A file made byte by byte: voxels run along z, then y, then x."""
    data = bytearray(256 * 256 * 32 // 8)
    data[0] = 0b10000001  # voxels (0, 0, 0) and (0, 0, 7)
    data[1] = 0b01000000  # voxel (0, 0, 9)
    data[4] = 0b00000010  # voxel (0, 1, 6): a column of 32 voxels has 4 bytes
    data[256 * 4 + 3] = 0b00000001  # voxel (1, 0, 31)
    (tmp_path / "000000.bin").write_bytes(data)
    mask = semantic_kitti.read_mask(tmp_path / "000000.bin")
    assert np.argwhere(mask).tolist() == [[0, 0, 0], [0, 0, 7], [0, 0, 9], [0, 1, 6], [1, 0, 31]]
    semantic_kitti.write_mask(tmp_path / "again.bin", mask)
    assert (tmp_path / "again.bin").read_bytes() == bytes(data)


def test_raw_ids_become_classes(tmp_path: Path) -> None:
    raw = np.zeros(semantic_kitti.SHAPE, "<u2")
    raw[0, 0, :8] = [0, 1, 10, 40, 52, 60, 99, 259]
    raw[3, 2, 1] = 81
    raw[3, 2, 2] = 70
    raw.tofile(tmp_path / "000000.label")
    grid = semantic_kitti.read_semantic_kitti(tmp_path / "000000.label")
    names = {label: OUTDOOR.classes[label].name for label in range(20)} | {UNKNOWN: "unknown"}
    assert [names[label] for label in grid.labels[0, 0, :8]] == [
        "empty", "unknown", "car", "road", "unknown", "road", "unknown", "other-vehicle"
    ]  # fmt: skip
    assert names[grid.labels[3, 2, 1]] == "traffic-sign"
    invalid = np.zeros(semantic_kitti.SHAPE, bool)
    invalid[3, 2, 1:] = True
    semantic_kitti.write_mask(tmp_path / "000000.invalid", invalid)
    masked = semantic_kitti.read_semantic_kitti(tmp_path / "000000.label")
    assert (masked.labels[3, 2, 1:] == UNKNOWN).all()
    np.testing.assert_allclose(masked.voxel_centers(np.array([0, 128, 10])), [0.1, 0.1, 0.1], atol=1e-9)


def test_semantic_kitti_is_read_back(tmp_path: Path) -> None:
    grid = grid_of(random_labels(semantic_kitti.SHAPE))
    semantic_kitti.write_semantic_kitti(tmp_path / "000005.label", grid)
    assert (tmp_path / "000005.label").stat().st_size == 4194304
    assert (tmp_path / "000005.bin").stat().st_size == 262144
    back = semantic_kitti.read_semantic_kitti(tmp_path / "000005.label")
    np.testing.assert_array_equal(back.labels, grid.labels)
    occupied = semantic_kitti.read_mask(tmp_path / "000005.bin")
    np.testing.assert_array_equal(occupied, (grid.labels > 0) & (grid.labels < UNKNOWN))


def test_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.label").write_bytes(bytes(12))
    with pytest.raises(ValueError, match=r"a\.label has 12 bytes; .* has 4194304"):
        semantic_kitti.read_semantic_kitti(tmp_path / "a.label")
    for write in (semantic_kitti.write_semantic_kitti, occ3d.write_occ3d):
        with pytest.raises(ValueError, match=r"the grid has \(3, 3, 3\) voxels"):
            write(tmp_path / "a.label", grid_of(np.zeros((3, 3, 3), np.uint8)))
        with pytest.raises(ValueError, match="taxonomy is 'indoor'"):
            write(tmp_path / "a.label", SemanticGrid(np.zeros((3, 3, 3), np.uint8), 1.0, np.eye(4), "indoor"))


def save_occ3d(path: Path, **changes: np.ndarray | None) -> None:
    """A file as the data set has it, made with numpy alone."""
    arrays = {name: np.ones(occ3d.SHAPE, np.uint8) for name in ("mask_lidar", "mask_camera")}
    arrays["semantics"] = np.full(occ3d.SHAPE, 17, np.uint8)
    arrays |= changes
    np.savez_compressed(path, **{name: value for name, value in arrays.items() if value is not None})


def test_occ3d_classes_become_outdoor_ones(tmp_path: Path) -> None:
    semantics = np.full(occ3d.SHAPE, 17, np.uint8)
    semantics[0, 0] = range(16)
    semantics[5, 6, 7] = 16
    lidar = np.ones(occ3d.SHAPE, np.uint8)
    lidar[9] = 0
    save_occ3d(tmp_path / "labels.npz", semantics=semantics, mask_lidar=lidar)
    frame = occ3d.read_occ3d(tmp_path / "labels.npz")
    names = ["unknown" if label == UNKNOWN else OUTDOOR.classes[label].name for label in frame.grid.labels[0, 0]]
    assert names[:6] == ["unknown", "fence", "bicycle", "other-vehicle", "car", "other-vehicle"]
    assert names[11:] == ["road", "other-ground", "sidewalk", "terrain", "building"]
    assert frame.grid.labels[5, 6, 7] == OUTDOOR.index_of("vegetation")
    assert (frame.grid.labels[9] == UNKNOWN).all()
    assert not frame.mask_lidar[9].any()
    assert frame.mask_camera.all()
    np.testing.assert_allclose(frame.grid.voxel_centers(np.array([100, 100, 2])), [0.2, 0.2, 0.0], atol=1e-9)


def test_occ3d_is_read_back_but_for_the_classes_it_lacks(tmp_path: Path) -> None:
    grid = grid_of(random_labels(occ3d.SHAPE))
    occ3d.write_occ3d(tmp_path / "labels.npz", grid)
    with np.load(tmp_path / "labels.npz", allow_pickle=False) as members:
        assert (members["semantics"] == 17)[grid.labels == 0].all()
        assert (members["mask_camera"] == (grid.labels != UNKNOWN)).all()
    back = occ3d.read_occ3d(tmp_path / "labels.npz").grid.labels
    lost = {"bicyclist": "bicycle", "motorcyclist": "motorcycle", "parking": "road", "trunk": "vegetation"}
    lost |= {"pole": "building", "traffic-sign": "building"}
    expected = np.arange(256, dtype=np.uint8)
    for name, becomes in lost.items():
        expected[OUTDOOR.index_of(name)] = OUTDOOR.index_of(becomes)
    np.testing.assert_array_equal(back, expected[grid.labels])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"semantics": None}, "lacks semantics"),
        ({"semantics": np.full(occ3d.SHAPE, 18, np.uint8)}, "label 18; Occ3D-nuScenes has 0 to 17"),
        ({"semantics": np.zeros((200, 200, 17), np.uint8)}, r"semantics has the shape \(200, 200, 17\)"),
        ({"semantics": np.zeros(occ3d.SHAPE)}, "semantics has dtype float64"),
        ({"mask_lidar": np.full(occ3d.SHAPE, {}, object)}, "mask_lidar is not a plain array"),
    ],
)
def test_a_wrong_occ3d_file_is_refused(changes: dict[str, np.ndarray | None], text: str, tmp_path: Path) -> None:
    save_occ3d(tmp_path / "labels.npz", **changes)
    with pytest.raises(ValueError, match=text):
        occ3d.read_occ3d(tmp_path / "labels.npz")

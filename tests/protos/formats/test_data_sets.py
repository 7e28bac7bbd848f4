"""Files of data sets: bit order by hand, ids, masks, axes, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from occscene.formats import occ3d, semantic_kitti
from occscene.formats.table import read_grid
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
    """A file as the data set has it, made with only numpy."""
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


def test_occ3d_waymo_s_classes_become_outdoor_ones(tmp_path: Path) -> None:
    """As the data set's README lists them; its loaders know 23 as free."""
    classes = np.full(occ3d.SHAPE, 23, np.uint8)
    classes[0, 0] = range(16)
    state = np.ones(occ3d.SHAPE, np.uint8)
    state[9] = 0
    np.savez_compressed(tmp_path / "000_04.npz", voxel_label=classes, origin_voxel_state=state, infov=state)
    grid = read_grid(tmp_path / "000_04.npz", "indoor", 0.1).grid
    names = ["unknown" if label == UNKNOWN else OUTDOOR.classes[label].name for label in grid.labels[0, 0]]
    assert names == [
        "unknown", "car", "person", "traffic-sign", "bicyclist", "traffic-sign", "pole", "other-ground", "bicycle",
        "motorcycle", "building", "vegetation", "trunk", "road", "sidewalk", "empty",
    ]  # fmt: skip
    assert (grid.labels[9] == UNKNOWN).all()
    assert (grid.labels[10] == 0).all()
    np.savez_compressed(tmp_path / "000.npz", voxel_label=np.zeros((1600, 1600, 64), np.uint8))
    with pytest.raises(ValueError, match=r"voxels of 0\.1 x 0\.1 x 0\.2 m; open the file of 0\.4 m"):
        read_grid(tmp_path / "000.npz", "indoor", 0.1)
    np.savez_compressed(tmp_path / "bad.npz", voxel_label=np.full(occ3d.SHAPE, 16, np.uint8))
    with pytest.raises(ValueError, match="has the label 16; Occ3D-Waymo has 0 to 15 and 23"):
        read_grid(tmp_path / "bad.npz", "indoor", 0.1)


def nuscenes_occupancy_volume(rows: np.ndarray) -> np.ndarray:
    """What OpenOccupancy's loader makes of a file: places `z y x` in a volume of 512 x 512 x 40, 0 is noise."""
    places, classes = rows[..., [2, 1, 0]], np.where(rows[..., -1] == 0, 255, rows[..., -1])
    volume = np.zeros((512, 512, 40), np.uint8)
    volume[places[:, 0], places[:, 1], places[:, 2]] = classes
    return volume


def test_nuscenes_occupancy_lies_as_its_loader_puts_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    places = np.unique(rng.integers(0, (40, 512, 512), (5000, 3)), axis=0)
    rows = np.column_stack([places, rng.integers(0, 17, len(places))])
    np.save(tmp_path / "lidar_token.npy", rows)
    grid = read_grid(tmp_path / "lidar_token.npy", "indoor", 0.1).grid
    volume = nuscenes_occupancy_volume(rows)
    assert (grid.voxel_size, grid.shape) == (0.2, (512, 512, 40))
    np.testing.assert_array_equal(grid.labels == 0, volume == 0)
    np.testing.assert_array_equal(grid.labels == UNKNOWN, volume == 255)
    assert (grid.labels[volume == 11] == OUTDOOR.index_of("road")).all()
    assert (grid.labels[volume == 16] == OUTDOOR.index_of("vegetation")).all()
    np.testing.assert_allclose(grid.voxel_centers(np.array([256, 256, 25])), [0.1, 0.1, 0.1], atol=1e-9)
    np.save(tmp_path / "velocity.npy", np.insert(rows.astype(np.float32), [3, 3, 3], 0.5, axis=1))
    np.testing.assert_array_equal(read_grid(tmp_path / "velocity.npy", "indoor", 0.1).grid.labels, grid.labels)


def test_surroundocc_is_told_by_its_axes(tmp_path: Path) -> None:
    rows = np.array([[199, 3, 2, 4], [0, 150, 15, 15], [60, 60, 0, 0]])
    np.save(tmp_path / "n015.pcd.bin.npy", rows)
    grid = read_grid(tmp_path / "n015.pcd.bin.npy", "indoor", 0.1).grid
    assert (grid.voxel_size, grid.shape) == (0.5, (200, 200, 16))
    assert OUTDOOR.classes[grid.labels[199, 3, 2]].name == "car"
    assert OUTDOOR.classes[grid.labels[0, 150, 15]].name == "building"
    assert grid.labels[60, 60, 0] == UNKNOWN
    for wrong, message in (
        ([[600, 600, 600, 1]], "a voxel outside"),
        ([[1, 2, 3, 17]], "classes 0 to 16; it has 1 and 17"),
        ([[-1, 2, 3, 1]], "places are from 0 on"),
        ([1, 2, 3], "rows of place and class have"),
    ):
        np.save(tmp_path / "wrong.npy", np.array(wrong))
        with pytest.raises(ValueError, match=message):
            read_grid(tmp_path / "wrong.npy", "indoor", 0.1)


SEG_CLASS_MAP = [0, 1, 2, 3, 4, 11, 5, 6, 7, 8, 8, 10, 10, 10, 11, 11, 9, 8, 11, 11, 11, 11, 11, 11, 11, 11, 11, 10, 10]
SEG_CLASS_MAP += [11, 8, 10, 11, 9, 11, 11, 11]


def nyu_block(block: np.ndarray) -> int:
    """What the loaders of SSCNet's users make of 4^3 voxels, written down again from their words."""
    flat = block.reshape(-1)
    empty, unknown = int((flat == 0).sum()), int((flat == 255).sum())
    if empty + unknown > 0.95 * 64:
        return 0 if empty > unknown else 255
    return int(np.bincount(flat[(flat > 0) & (flat < 255)]).argmax())


def save_nyu(path: Path, raw: np.ndarray, corner: tuple[float, float, float] = (1.5, -2.0, -0.05)) -> None:
    """Run lengths of a volume (240, 144, 240), as SSCNet stores them."""
    flat = raw.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    runs = np.column_stack([flat[starts], np.diff(np.append(starts, flat.size))]).astype("<u4")
    path.write_bytes(np.array(corner, "<f4").tobytes() + np.eye(4, dtype="<f4").tobytes() + runs.tobytes())


def test_nyu_is_read_as_papers_compare_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    raw = np.repeat(rng.choice([0, 0, 0, 255, *range(37)], (60, 36, 60, 16)).astype(np.uint8), 4, axis=3)
    raw = raw.reshape(60, 36, 60, 4, 4, 4).transpose(0, 3, 1, 4, 2, 5).reshape(240, 144, 240)
    raw[:40] = np.where(rng.random((40, 144, 240)) < 0.05, 7, rng.choice([0, 255], (40, 1, 1)))
    save_nyu(tmp_path / "NYU0001_0000.bin", raw)
    grid = read_grid(tmp_path / "NYU0001_0000.bin", "outdoor", 0.1).grid
    assert (grid.shape, grid.taxonomy, grid.voxel_size) == ((60, 60, 36), "indoor", 0.08)
    classes = np.append(np.array(SEG_CLASS_MAP + [255] * 219, np.uint8)[:256], [])[raw].astype(np.uint8)
    for x, up, y in rng.integers(0, (60, 36, 60), (3000, 3)):
        block = classes[4 * x : 4 * x + 4, 4 * up : 4 * up + 4, 4 * y : 4 * y + 4]
        assert grid.labels[x, y, up] == nyu_block(block)
    np.testing.assert_allclose(grid.world_from_grid[:3, 3], [1.5, -2.0, -0.05], atol=1e-6)
    np.savez(tmp_path / "NYU0001.npz", target_lr=grid.labels.transpose(0, 2, 1), rgb=np.zeros((3, 2, 2)))
    np.testing.assert_array_equal(read_grid(tmp_path / "NYU0001.npz", "outdoor", 0.1).grid.labels, grid.labels)


def test_what_is_no_nyu_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.bin"
    semantic_kitti.write_mask(path, np.zeros(semantic_kitti.SHAPE, bool))
    with pytest.raises(ValueError, match=r"SemanticKITTI is a mask: open the \.label file"):
        read_grid(path, "indoor", 0.1)
    head = bytes(76)
    for runs, message in (
        ([[0, 8294401]], "runs have 8294401 voxels; NYUv2 has 8294400"),
        ([[0, 2**32 - 1]] * 3, "runs have 12884901885 voxels"),
        ([[37, 8294400]], "has the class 37; NYUv2 has 0 to 36"),
    ):
        path.write_bytes(head + np.array(runs, "<u4").tobytes())
        with pytest.raises(ValueError, match=message):
            read_grid(path, "indoor", 0.1)
    np.savez(tmp_path / "a.npz", target_lr=np.full((60, 36, 60), 12, np.uint8))
    with pytest.raises(ValueError, match="target_lr has the class 12; taxonomy 'indoor' has 0 to 11"):
        read_grid(tmp_path / "a.npz", "indoor", 0.1)


def test_data_sets_files_cut_off_anywhere_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    np.save(tmp_path / "a.npy", np.column_stack([rng.integers(0, 16, (50, 3)), rng.integers(0, 17, 50)]))
    raw = np.zeros((240, 144, 240), np.uint8)
    raw[50:60, 20:40, 30:200] = 6
    save_nyu(tmp_path / "a.bin", raw)
    for suffix in (".npy", ".bin"):
        data = (tmp_path / f"a{suffix}").read_bytes()
        path = tmp_path / f"cut{suffix}"
        for size in range(0, len(data), max(1, len(data) // 100)):
            path.write_bytes(data[:size])
            with pytest.raises(ValueError, match=r"cut\."):
                read_grid(path, "indoor", 0.1)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (2**33, 4)})
    (tmp_path / "huge.npy").write_bytes(header.getvalue())
    with pytest.raises(ValueError, match="bytes; the limit is 134217728"):
        read_grid(tmp_path / "huge.npy", "indoor", 0.1)

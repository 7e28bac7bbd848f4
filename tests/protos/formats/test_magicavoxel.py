"""MagicaVoxel files against midvoxio, an independent reader, and by hand-made scenes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from midvoxio.models import default_palette as midvoxio_palette
from midvoxio.voxio import get_vox, vox_to_arr
from occscene.formats.magicavoxel import read_magicavoxel, write_magicavoxel
from occscene.formats.materials import MaterialGrid
from occscene.formats.table import read_grid
from occscene.formats.vox_file import default_palette, unpack_vox
from occscene.grid import UNKNOWN, SemanticGrid
from occscene.taxonomy import INDOOR, OUTDOOR

from tests.blender_addon.geometry.grids import grid_of, random_grids


def in_box(labels: np.ndarray) -> np.ndarray:
    """Labels without unknown ones."""
    return np.where(labels == UNKNOWN, 0, labels)


@pytest.mark.parametrize("shape", [(5, 4, 3), (300, 20, 9), (257, 260, 10), (1, 1, 512)])
def test_an_independent_reader_sees_the_same_voxels_and_colors(shape: tuple[int, int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, shape, np.uint8) * (rng.random(shape) < 0.3)
    labels[0, 0, 0] = labels[-1, -1, -1] = 1
    path = tmp_path / "grid.vox"
    write_magicavoxel(path, grid_of(labels))
    split = max(shape) > 256
    colors = vox_to_arr(str(path), -1 if split else 0)  # -1: all models as the scene graph joins them
    assert (len(get_vox(str(path)).voxels) > 1) == split
    np.testing.assert_array_equal(colors.shape[:3], shape)
    np.testing.assert_array_equal(colors[..., 3] > 0, labels > 0)
    expected = np.array([entry.color for entry in OUTDOOR.classes])[labels]
    np.testing.assert_array_equal(np.round(colors[..., :3] * 255)[labels > 0], expected[labels > 0])


def test_the_default_palette_is_magicavoxel_s() -> None:
    words = np.array(midvoxio_palette, "<u4").view(np.uint8).reshape(256, 4)
    np.testing.assert_array_equal(default_palette(), words[:, :3])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_grids(classes=19))
def test_what_is_written_is_read_back(tmp_path: Path, grid: SemanticGrid) -> None:
    path = tmp_path / "grid.vox"
    if not in_box(grid.labels).any():
        with pytest.raises(ValueError, match="nothing to write"):
            write_magicavoxel(path, grid)
        return
    write_magicavoxel(path, grid)
    back = read_grid(path, "outdoor", grid.voxel_size)
    np.testing.assert_array_equal(back.grid.labels, in_box(grid.labels))
    assert back.grid.voxel_size == grid.voxel_size
    assert all(item.class_name == item.material.class_name for item in back.materials)


def test_a_split_grid_is_read_back_in_its_place(tmp_path: Path) -> None:
    labels = np.zeros((513 // 2 + 40, 301, 3), np.uint8)
    labels[::7, ::5, 1], labels[0, 0, 0], labels[-1, -1, -1] = 4, 2, 3
    write_magicavoxel(tmp_path / "grid.vox", grid_of(labels, 0.5))
    back = read_grid(tmp_path / "grid.vox", "outdoor", 0.5).grid
    np.testing.assert_array_equal(back.labels, labels)
    np.testing.assert_allclose(back.world_from_grid[:3, 3], [-74, -75, 0])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sii", name, len(content), 0) + content


def text(value: str) -> bytes:
    return struct.pack("<i", len(value)) + value.encode()


def transform(node: int, child: int, hidden: bool = False, layer: int = 0, **frame: str) -> bytes:
    attributes = struct.pack("<i", 1) + text("_hidden") + text("1") if hidden else struct.pack("<i", 0)
    pairs = b"".join(text(f"_{key}") + text(value) for key, value in frame.items())
    body = struct.pack("<iiiii", child, -1, layer, 1, len(frame)) + pairs
    return chunk(b"nTRN", struct.pack("<i", node) + attributes + body)


def group(node: int, *children: int) -> bytes:
    return chunk(b"nGRP", struct.pack(f"<iii{len(children)}i", node, 0, len(children), *children))


def shape(node: int, model: int) -> bytes:
    return chunk(b"nSHP", struct.pack("<iiiii", node, 0, 1, model, 0))


def layer(number: int, **attributes: str) -> bytes:
    pairs = b"".join(text(f"_{key}") + text(value) for key, value in attributes.items())
    return chunk(b"LAYR", struct.pack("<ii", number, len(attributes)) + pairs + struct.pack("<i", -1))


def notes(*names: str) -> bytes:
    return chunk(b"NOTE", struct.pack("<i", len(names)) + b"".join(map(text, names)))


def vox(*chunks: bytes, size: tuple[int, int, int] = (3, 1, 1), colors: int = 256) -> bytes:
    """A file of one model: a row of three voxels of the palette's colours 1, 2 and 3."""
    voxels = bytes([0, 0, 0, 1, 1, 0, 0, 2, 2, 0, 0, 3])
    model = chunk(b"SIZE", struct.pack("<3i", *size)) + chunk(b"XYZI", struct.pack("<i", 3) + voxels)
    palette = np.zeros((colors, 4), np.uint8)
    palette[:3, :3] = [INDOOR.classes[label].color for label in (7, 2, 3)]
    content = model + b"".join(chunks) + chunk(b"RGBA", palette.tobytes())
    return b"VOX " + struct.pack("<i", 200) + struct.pack("<4sii", b"MAIN", 0, len(content)) + content


def read(data: bytes, tmp_path: Path) -> SemanticGrid:
    (tmp_path / "made.vox").write_bytes(data)
    return read_grid(tmp_path / "made.vox", "indoor", 0.1).grid


def materials(data: bytes, tmp_path: Path) -> MaterialGrid:
    (tmp_path / "made.vox").write_bytes(data)
    return read_magicavoxel(tmp_path / "made.vox", 0.1)


def test_a_foreign_palette_goes_to_the_nearest_classes(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(vox(), tmp_path).labels[:, 0, 0], [7, 2, 3])


def test_rotations_and_groups_move_models(tmp_path: Path) -> None:
    """The example of the format's description, R = [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], takes x to -z."""
    packed = (1 << 0) | (2 << 2) | (0 << 4) | (1 << 5) | (1 << 6)
    graph = [
        transform(0, 1, t="10 0 0"),
        group(1, 2, 4),
        transform(2, 3, t="0 0 5", r=str(packed)),
        shape(3, 0),
        transform(4, 5, hidden=True),
        shape(5, 0),
    ]
    grid = read(vox(*graph), tmp_path)
    np.testing.assert_array_equal(grid.labels.ravel(), [3, 2, 7])
    assert grid.shape == (1, 1, 3)
    np.testing.assert_allclose(grid.world_from_grid[:3, 3], [1.0, -0.1, 0.3])


def test_a_scene_shows_a_model_twice(tmp_path: Path) -> None:
    graph = [
        transform(0, 1),
        group(1, 2, 4),
        transform(2, 3, t="1 0 0"),
        shape(3, 0),
        transform(4, 5, t="1 4 0"),
        shape(5, 0),
    ]
    assert (read(vox(*graph), tmp_path).labels > 0).sum() == 6


def test_a_hidden_layer_hides_its_models(tmp_path: Path) -> None:
    graph = [
        transform(0, 1, layer=-1),
        group(1, 2, 4, 6),
        transform(2, 3, layer=3),
        shape(3, 0),
        transform(4, 5, layer=2, t="0 4 0"),
        shape(5, 0),
        transform(6, 7, layer=2, hidden=True, t="0 9 0"),
        shape(7, 0),
    ]
    assert read(vox(*graph, layer(2, name="plan", hidden="0"), layer(3, hidden="1")), tmp_path).shape == (3, 1, 1)
    assert read(vox(*graph, layer(3, hidden="0")), tmp_path).shape == (3, 5, 1)
    with pytest.raises(ValueError, match="no model is visible"):
        read(vox(*graph, layer(2, hidden="1"), layer(3, hidden="1")), tmp_path)


def test_of_overlapping_models_the_later_is_seen(tmp_path: Path) -> None:
    """The second is the row mirrored along x, in the same place."""
    turned = str((0 << 0) | (1 << 2) | (1 << 4))
    graph = [group(1, 2, 4), transform(2, 3), shape(3, 0), transform(4, 5, r=turned, t="1 0 0"), shape(5, 0)]
    np.testing.assert_array_equal(read(vox(transform(0, 1), *graph), tmp_path).labels.ravel(), [3, 2, 7])
    graph[0] = group(1, 4, 2)
    np.testing.assert_array_equal(read(vox(transform(0, 1), *graph), tmp_path).labels.ravel(), [7, 2, 3])


def test_notes_name_the_rows_as_they_are_shown(tmp_path: Path) -> None:
    named = materials(vox(notes("", "bed", "glass")), tmp_path)
    assert [item.name for item in named.materials] == ["", "", ""]
    order = bytes([*range(9, 17), *range(17, 25), 2, 3, *range(25, 31), 1, 4, 5, 6, 7, 8, *range(31, 256), 0, 0])[:256]
    moved = materials(vox(notes("", "bed", "glass", "armchair"), chunk(b"IMAP", order)), tmp_path)
    assert [(item.name, item.key.split()[0]) for item in moved.materials] == [
        ("glass", "#2ba02b"), ("glass", "#9ed8e5"), ("armchair", "#9366bc")
    ]  # fmt: skip
    back = read(vox(notes("", "bed", "glass", "armchair"), chunk(b"IMAP", order)), tmp_path)
    np.testing.assert_array_equal(
        back.labels.ravel(), [INDOOR.index_of(name) for name in ("chair", "window", "window")]
    )


def test_class_names_are_the_notes_of_the_palette(tmp_path: Path) -> None:
    """A color painted in a class's row is of the class, and the file names the rows for the artist."""
    write_magicavoxel(tmp_path / "room.vox", grid_of(np.array([[[1, 11]]], np.uint8), taxonomy="indoor"))
    data = (tmp_path / "room.vox").read_bytes()
    assert unpack_vox(data).notes[:11] == tuple(entry.name for entry in INDOOR.classes[1:])
    at = data.index(b"XYZI") + 12 + 4 + 3
    painted = data[:at] + bytes([data[at] + 7]) + data[at + 1 :]
    np.testing.assert_array_equal(read(painted, tmp_path).labels.ravel(), [1, 11])


def test_teardown_s_palette_has_255_colors_and_fixed_materials(tmp_path: Path) -> None:
    data = bytearray(vox(colors=255))
    at = data.index(b"XYZI") + 12 + 4
    data[at + 3], data[at + 7], data[at + 11] = 8, 57, 255
    read_ = materials(bytes(data), tmp_path)
    assert [item.name for item in read_.materials] == ["glass", "wood", ""]
    np.testing.assert_array_equal(read(bytes(data), tmp_path).labels.ravel()[:2], [4, 10])


def test_the_artist_s_choice_goes_before_the_guess(tmp_path: Path) -> None:
    (tmp_path / "made.vox").write_bytes(vox())
    palette = read_grid(tmp_path / "made.vox", "indoor", 0.1).palette
    chosen = {palette: {"#9366bc": "bed", "#2ba02b": "empty"}}
    back = read_grid(tmp_path / "made.vox", "indoor", 0.1, lambda name: chosen[name])
    np.testing.assert_array_equal(back.grid.labels.ravel(), [INDOOR.index_of("bed"), 0, 3])
    with pytest.raises(ValueError, match="class of #9366bc is 'table top'; it must be one of empty, ceiling, floor"):
        read_grid(tmp_path / "made.vox", "indoor", 0.1, lambda _: {"#9366bc": "table top"})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (vox(colors=254), "1024 bytes are announced where 1016 are left"),
        (vox(chunk(b"NOTE", struct.pack("<ii", 1, 2**30))), "cut off"),
        (vox(chunk(b"IMAP", bytes(255))), "256 bytes are announced"),
        (vox(chunk(b"LAYR", struct.pack("<ii", 0, 2**28))), "items are announced"),
        (b"", "4 bytes are announced where 0 are left"),
        (b"RIFF" + bytes(40), "does not begin with 'VOX '"),
        (vox()[:-700], "cut off"),
        (vox(size=(2, 1, 1)), r"voxel outside its size \(2, 1, 1\)"),
        (vox(size=(300, 1, 1)), "a side has 1 to 256"),
        (vox(size=(0, 1, 1)), "a side has 1 to 256"),
        (vox(transform(0, 1), shape(1, 4)), "shows model 4; the file has 1"),
        (vox(transform(0, 1, t="1 2"), shape(1, 0)), "moved by '1 2'"),
        (vox(transform(0, 1, r="5"), shape(1, 0)), "rotation is 5"),
        (vox(transform(0, 1), group(1, 1)), "scene graph is deeper"),
        (vox(transform(0, 1), *(group(i, *[i + 1] * 9) for i in range(1, 20))), "more than 16384 nodes"),
        (
            vox(
                transform(0, 1), group(1, 2, 4), transform(2, 3), shape(3, 0), transform(4, 5, t="900 0 0"), shape(5, 0)
            ),
            "903",
        ),
        (vox(transform(0, 1, hidden=True), shape(1, 0)), "no model is visible"),
        (vox(chunk(b"nGRP", struct.pack("<iii", 1, 0, 2**30))), "1073741824 items"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=text):
        read(data, tmp_path)


def test_a_file_without_graph_or_palette_is_read() -> None:
    content = chunk(b"SIZE", struct.pack("<3i", 1, 1, 1)) + chunk(b"XYZI", struct.pack("<i", 1) + bytes([0, 0, 0, 79]))
    scene = unpack_vox(b"VOX " + struct.pack("<i", 150) + struct.pack("<4sii", b"MAIN", 0, len(content)) + content)
    assert scene.models[0].voxels.tolist() == [[0, 0, 0, 79]]
    assert len(scene.placed) == 1

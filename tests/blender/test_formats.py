"""Grid files of other programs in Blender: volumes, and the classes that an artist gives to colors and blocks."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from occscene.formats.magicavoxel import write_magicavoxel
from occscene.formats.minecraft import write_schematic
from occscene.formats.nbt import write_nbt
from occscene.formats.table import READ_FORMATS, WRITE_FORMATS, read_grid
from occscene.formats.vdb import read_vdb, write_vdb
from occscene.grid import SemanticGrid, load_grid, save_grid
from occscene.taxonomy import INDOOR

from blender_addon.operators.command import main
from blender_addon.scene.grid_files import chosen_classes, remember_classes
from tests.blender_addon.geometry.grids import grid_of, random_grids

POSE = np.array([[0, -1, 0, 2.5], [1, 0, 0, -4.0], [0, 0, 1, 0.25], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def openvdb() -> object:
    bpy.utils.expose_bundled_modules()
    return pytest.importorskip("openvdb")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_grids(classes=19))
def test_volumes_are_read_back(openvdb: object, tmp_path: Path, grid: SemanticGrid) -> None:
    grid = SemanticGrid(grid.labels, grid.voxel_size, POSE, grid.taxonomy)
    write_vdb(tmp_path / "grid.vdb", grid)
    back = read_grid(tmp_path / "grid.vdb", "indoor", 9.0).grid
    np.testing.assert_array_equal(back.labels, grid.labels)
    np.testing.assert_allclose(back.world_from_grid, POSE)
    assert (back.voxel_size, back.taxonomy) == (grid.voxel_size, grid.taxonomy)


def test_blender_shows_the_fog_where_the_voxels_are(openvdb: object, tmp_path: Path) -> None:
    """Blender's own volume object, which draws a grid called density."""
    labels = np.zeros((8, 6, 4), np.uint8)
    labels[2:5, 1:3, 1:4] = 7
    grid = SemanticGrid(labels, 0.25, POSE, "indoor")
    write_vdb(tmp_path / "grid.vdb", grid)
    volume = bpy.data.volumes.new("grid")
    volume.filepath = str(tmp_path / "grid.vdb")
    assert volume.grids.load()
    assert {(item.name, item.data_type) for item in volume.grids} == {("class", "FLOAT"), ("density", "FLOAT")}
    obj = bpy.data.objects.new("grid", volume)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    corners = np.array([obj.matrix_world @ _vector(corner) for corner in obj.bound_box])
    centers = grid.voxel_centers(np.argwhere(labels))
    # Blender may round its box out to whole leaves, never in
    assert (corners.min(axis=0) <= centers.min(axis=0)).all()
    assert (corners.max(axis=0) >= centers.max(axis=0)).all()


def _vector(corner: object) -> object:
    from mathutils import Vector

    return Vector(corner)


def test_volumes_of_other_programs_are_materials(openvdb: object, tmp_path: Path) -> None:
    """A level set by OpenVDB itself: a ball of 2 m about (1, 2, 3)."""
    ball = openvdb.createLevelSetSphere(radius=2.0, center=(1, 2, 3), voxelSize=0.25)  # type: ignore[attr-defined]
    ball.name = "tree crown"
    openvdb.write(str(tmp_path / "ball.vdb"), [ball])  # type: ignore[attr-defined]
    read = read_grid(tmp_path / "ball.vdb", "outdoor", 9.0)
    assert [(item.material.key, item.class_name) for item in read.materials] == [("volume tree crown", "vegetation")]
    grid = read.grid
    distance = np.linalg.norm(grid.voxel_centers(np.moveaxis(np.indices(grid.shape), 0, -1)) - (1, 2, 3), axis=-1)
    clear = np.abs(distance - 2) > 0.01
    np.testing.assert_array_equal((grid.labels > 0)[clear], (distance < 2)[clear])


def test_wrong_volumes_are_refused(openvdb: object, tmp_path: Path) -> None:
    write_vdb(tmp_path / "whole.vdb", grid_of(np.ones((9, 9, 9), np.uint8)))
    data = (tmp_path / "whole.vdb").read_bytes()
    path = tmp_path / "cut.vdb"
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"cut\.vdb: "):
            read_vdb(path)
    ids = openvdb.Int32Grid(0)  # type: ignore[attr-defined]
    ids.name = "id"
    ids.copyFromArray(np.array([[[0, 3], [12, 0]]], np.int32))
    openvdb.write(str(path), [ids])  # type: ignore[attr-defined]
    labels = read_grid(path, "outdoor", 9.0)
    np.testing.assert_array_equal(labels.grid.labels, [[[0, 3], [12, 0]]])
    far = openvdb.Int32Grid(0)  # type: ignore[attr-defined]
    far.name = "id"
    accessor = far.getAccessor()
    accessor.setValueOn((0, 0, 0), 3)
    accessor.setValueOn((2**30, 0, 0), 3)
    openvdb.write(str(path), [far])  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="the volume has 1073741825 voxels along x"):
        read_vdb(path)
    stretched = openvdb.FloatGrid(0.0)  # type: ignore[attr-defined]
    stretched.name = "smoke"
    stretched.copyFromArray(np.ones((2, 2, 2), np.float32))
    stretched.transform = openvdb.createLinearTransform(np.diag([1.0, 1, 2, 1]).tolist())  # type: ignore[attr-defined]
    openvdb.write(str(path), [stretched])  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="'smoke' has no cubic voxels"):
        read_vdb(path)
    with pytest.raises(FileNotFoundError):
        read_vdb(tmp_path / "none.vdb")


def foreign_vox(path: Path) -> None:
    """Two colors that are none of a class's, without notes: brown and green."""
    write_magicavoxel(path, grid_of(np.array([[[2, 4]]], np.uint8), taxonomy="indoor"))
    data = bytearray(path.read_bytes())
    at = data.index(b"RGBA") + 12
    data[at + 4 * 8 : at + 4 * 8 + 3], data[at + 4 * 24 : at + 4 * 24 + 3] = bytes((160, 80, 40)), bytes((30, 200, 40))
    path.write_bytes(bytes(data).replace(b"NOTE", b"note"))


def classes_of(obj: bpy.types.Object) -> set[str]:
    values = {item.value for item in obj.data.attributes["occscene_class"].data}
    return {INDOOR.classes[value].name for value in values}


def test_colors_get_the_chosen_classes_and_the_scene_remembers(scene: bpy.types.Scene, tmp_path: Path) -> None:
    path = tmp_path / "props.vox"
    foreign_vox(path)
    palette = read_grid(path, "indoor", 0.1).palette
    bpy.ops.occscene.import_occupancy(filepath=str(path), classes="#a05028=table\n#1ec828=objs")
    assert classes_of(bpy.context.object) == {"table", "objs"}
    assert chosen_classes(scene, palette) == {}
    remember_classes(scene, palette, {"#a05028": "bed", "#1ec828": "empty"})
    remember_classes(scene, palette, {"#a05028": "chair"})
    bpy.ops.occscene.import_grid(filepath=str(path))
    assert classes_of(bpy.context.object) == {"chair"}
    scene.occscene.domain = "outdoor"
    assert chosen_classes(scene, palette) == {}
    for classes, text in (
        ("#a05028=tabel", "class of #a05028 is 'tabel'; it must be one of empty, car"),
        ("#a05029=car", "has no material '#a05029'; it has #a05028, #1ec828"),
        ("table", "classes has the line 'table'; a line must be KEY=CLASS"),
    ):
        with pytest.raises(RuntimeError, match=text):
            bpy.ops.occscene.import_occupancy(filepath=str(path), classes=classes)


def test_the_dialog_lists_materials_and_imports_what_it_shows(scene: bpy.types.Scene, tmp_path: Path) -> None:
    root = {
        "Width": np.int16(4), "Height": np.int16(1), "Length": np.int16(1),
        "BlockData": np.array([1, 1, 2, 0], np.uint8),
        "Palette": {"minecraft:air": 0, "minecraft:glass": 1, "mod:gizmo": 2},
    }  # fmt: skip
    path = tmp_path / "house.schem"
    path.write_bytes(write_nbt("Schematic", root))
    blank = {"name": "", "label": "", "voxels": "", "is_known": False, "has_color": False, "color": (0.0, 0.0, 0.0)}
    chosen = {"minecraft:glass": "empty", "mod:gizmo": "tvs"}
    rows = [blank | {"key": key, "choice": name} for key, name in chosen.items()]
    result = bpy.ops.occscene.choose_material_classes(filepath=str(path), palette="minecraft", rows=rows)
    assert result == {"FINISHED"}
    assert classes_of(bpy.context.object) == {"tvs"}
    assert chosen_classes(scene, "minecraft") == chosen


def test_unknown_taxonomies_and_labels_are_reported(scene: bpy.types.Scene, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    save_grid(path, SemanticGrid(np.ones((2, 2, 2), np.uint8), 0.1, np.eye(4), "my-classes"))
    with pytest.raises(RuntimeError, match="taxonomy is 'my-classes'; it must be one of indoor, outdoor"):
        bpy.ops.occscene.import_occupancy(filepath=str(path))
    save_grid(path, SemanticGrid(np.full((2, 2, 2), 40, np.uint8), 0.1, np.eye(4), "indoor"))
    with pytest.raises(RuntimeError, match="labels has the class 40; taxonomy 'indoor' has 0 to 11"):
        bpy.ops.occscene.import_occupancy(filepath=str(path))
    with pytest.raises(RuntimeError, match=r"house\.fbx is no grid file .* SemanticKITTI \(\.label\)"):
        bpy.ops.occscene.import_occupancy(filepath=str(tmp_path / "house.fbx"))


def test_the_command_and_the_menus_list_the_same_formats(
    scene: bpy.types.Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb, formats in (("voxelize", WRITE_FORMATS), ("import", READ_FORMATS)):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert all(item.suffix in said for item in formats)
    items = bpy.ops.occscene.export_grid.get_rna_type().properties["file_format"].enum_items
    assert [item.identifier for item in items] == [item.key for item in WRITE_FORMATS]
    for operator in ("import_grid", "import_occupancy"):
        glob = getattr(bpy.ops.occscene, operator).get_rna_type().properties["filter_glob"].default
        assert set(glob.split(";")) == {f"*{item.suffix}" for item in READ_FORMATS}


def test_the_command_imports_with_classes_and_writes_occ3d(scene: bpy.types.Scene, tmp_path: Path) -> None:
    write_schematic(tmp_path / "room.schem", grid_of(np.array([[[2, 7]]], np.uint8), taxonomy="indoor"))
    arguments = ["import", str(tmp_path / "room.schem"), "--save", str(tmp_path / "a.blend")]
    assert main([*arguments, "--class", "minecraft:purple_wool=bed"]) == 0
    assert classes_of(bpy.context.object) == {"floor", "bed"}
    assert main([*arguments, "--class", "minecraft:stone=bed"]) == 1
    scene.occscene.domain = "outdoor"
    bpy.ops.mesh.primitive_cube_add(size=8)
    bpy.context.object.occscene.class_name = "building"
    empty = bpy.data.objects.new("volume", None)
    scene.collection.objects.link(empty)
    from occscene.grid import GridVolume

    from blender_addon.scene.volume import set_volume

    set_volume(scene, GridVolume((200, 200, 16), 0.4, np.eye(4)))
    assert main(["voxelize", "--output", str(tmp_path / "labels.npz"), "--format", "occ3d"]) == 0
    with np.load(tmp_path / "labels.npz") as members:
        assert set(members) == {"semantics", "mask_lidar", "mask_camera"}
    assert main(["voxelize", "--output", str(tmp_path / "own.npz")]) == 0
    expected = load_grid(tmp_path / "own.npz").labels
    np.testing.assert_array_equal(read_grid(tmp_path / "labels.npz", "indoor", 0.1).grid.labels, expected)

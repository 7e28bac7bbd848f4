"""Layouts to Blender objects and back, in every unit: the same boxes, the same grid, cameras in the room."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from occscene.layout import PART_KINDS, Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.part_shapes import WALLS, part_shape
from occscene.placed_layout import PlacedLayout, load_layout, moved, placed_to_json, room_pose
from occscene.rigid import invert_rigid
from occscene.volumes import default_volume

from blender_addon.geometry.layout_boxes import layout_grid
from blender_addon.operators import command
from blender_addon.operators.blockouts import add_blockout
from blender_addon.operators.voxelizing import voxelized_blockout
from blender_addon.scene.collect import collect_blockout
from blender_addon.scene.given import given_objects
from blender_addon.scene.layout_objects import add_detail
from blender_addon.scene.volume import set_volume
from tests.blender.build_scenes import add_box, add_camera, add_collection
from tests.blender.compose_server import ROOM
from tests.blender.test_units import UNITS, set_unit


def turned(x: float, y: float, z: float, angle: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = x, y, z
    return pose


def assert_same_objects(actual: tuple[LayoutObject, ...], expected: tuple[LayoutObject, ...]) -> None:
    assert [obj.name for obj in actual] == [obj.name for obj in expected]
    for one, other in zip(actual, expected, strict=True):
        assert one.class_name == other.class_name
        np.testing.assert_allclose(one.center, other.center, rtol=0, atol=1e-5)
        np.testing.assert_allclose(one.size, other.size, rtol=0, atol=1e-5)
        assert abs((one.turn - other.turn + np.pi) % (2 * np.pi) - np.pi) < 1e-5
        assert (one.color is None) == (other.color is None)
        if one.color is not None and other.color is not None:
            np.testing.assert_allclose(one.color, other.color, rtol=0, atol=1e-6)


@pytest.mark.parametrize("unit", UNITS)
def test_a_layout_comes_back(scene: bpy.types.Scene, unit: str) -> None:
    set_unit(scene, unit)
    placed = PlacedLayout(ROOM, turned(3.0, -7.5, 1.25, 0.6))
    objects = add_blockout(bpy.context, placed)
    assert {tuple(obj.scale) for obj in objects} == {(1.0, 1.0, 1.0)}
    given = given_objects(bpy.context)
    count = len(ROOM.objects)
    in_order = tuple(given.layout.objects[given.sources.index(obj.name)] for obj in objects)
    assert_same_objects(in_order[:count], placed.objects_in(np.eye(4)))
    assert [obj.class_name for obj in in_order[count:]] == ["floor", "ceiling", *["wall"] * 4]


@pytest.mark.parametrize("unit", ["metres", "millimetres", "feet"])
def test_an_imported_blockout_gives_the_layouts_grid(scene: bpy.types.Scene, unit: str, tmp_path: Path) -> None:
    """Voxel by voxel the server's own, but for what lies on a border between voxels in single precision."""
    from occscene_server.geometry.layout_grid import layout_grid as servers_grid

    set_unit(scene, unit)
    volume = default_volume("indoor")
    placed = PlacedLayout(ROOM, room_pose(volume))
    (tmp_path / "layout.json").write_text(json.dumps(placed_to_json(placed)))
    set_volume(scene, volume)
    assert bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json")) == {"FINISHED"}
    grid = voxelized_blockout(bpy.context).grid
    expected = servers_grid(ROOM, volume)
    assert (grid.labels > 0).sum() > 10_000
    assert (grid.labels != expected.labels).mean() < 0.002
    assert (grid.labels != layout_grid(placed, volume).labels).mean() < 0.002
    hints = {item.name: item.hint for item in grid.objects}
    np.testing.assert_allclose(hints["sofa"], (0.5, 0.02, 0.03), atol=1e-6)
    assert hints["chair"] is None


@pytest.mark.parametrize("unit", ["metres", "feet"])
def test_cameras_stand_in_the_rooms_corners_unless_one_is_there(
    scene: bpy.types.Scene, unit: str, tmp_path: Path
) -> None:
    meters = set_unit(scene, unit)
    placed = PlacedLayout(ROOM, turned(20.0, 5.0, 0.0, 1.0))
    (tmp_path / "layout.json").write_text(json.dumps(placed_to_json(placed)))
    add_camera("outside", (0.0, 0.0, 1.5))
    bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json"))
    made = [obj for obj in scene.objects if obj.name.startswith("Corner")]
    assert len(made) == 4
    room_from_world = invert_rigid(placed.world_from_layout)
    corners = set()
    for obj in made:
        x, y, z = room_from_world[:3, :3] @ (np.array(obj.location) * meters) + room_from_world[:3, 3]
        assert abs(x) < 1.8
        assert abs(y) < 1.6
        assert 1.0 < z < 2.0
        assert abs(x) > 0.5
        assert abs(y) > 0.3
        corners.add((x > 0, y > 0))
    assert len(corners) == 4
    assert scene.occscene.volume is not None
    bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json"))
    assert len([obj for obj in scene.objects if obj.type == "CAMERA"]) == 5


def test_one_undo_takes_an_import_back(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    (tmp_path / "layout.json").write_text(json.dumps(placed_to_json(PlacedLayout(ROOM))))
    add_box("mine")
    for step in ("opened", "before"):
        bpy.ops.ed.undo_push(message=step)
    bpy.ops.occscene.import_blockout("EXEC_DEFAULT", True, filepath=str(tmp_path / "layout.json"))
    assert len(bpy.data.objects) > 10
    bpy.ops.ed.undo()
    assert [obj.name for obj in bpy.data.objects] == ["mine"]
    assert not bpy.data.collections


def test_what_an_artist_has_becomes_boxes(scene: bpy.types.Scene) -> None:
    """Not made by this extension: scaled, mirrored, lying, modified, instanced, flat, with Blender's numbers."""
    scaled = add_box("Sofa", (1, 1, 1), (1, 2, 0.4))
    scaled.scale, scaled.rotation_euler.z = (2.0, 0.9, 0.8), 0.5
    mirrored = add_box("Chair.001", (0.5, 0.4, 0.9), (-2, 0, 0.45))
    mirrored.scale, mirrored.rotation_euler.z = (-1.0, 1.0, 1.0), 1.0
    lying = add_box("table", (1.5, 0.7, 0.8), (0, -2, 0.35))  # modelled with y up
    lying.rotation_euler = (np.pi / 2, 0.0, 0.3)
    doubled = add_box("bed", (1, 2, 0.5), (5, 0, 0.25))
    array = doubled.modifiers.new("array", "ARRAY")
    array.count, array.relative_offset_displace = 2, (1.0, 0.0, 0.0)
    add_box("floor", (4, 4, 0), (0, 0, 0))
    asset = add_collection("asset")
    for x in (-0.4, 0.4):
        add_box("leg", (0.2, 0.2, 1.0), (x, 0, 0.5), asset)
    instancer = bpy.data.objects.new("cupboard.012", None)
    instancer.instance_type, instancer.instance_collection = "COLLECTION", asset
    instancer.location, instancer.rotation_euler.z = (0, 5, 0), np.pi / 2
    scene.collection.objects.link(instancer)
    instancer.occscene.class_name = "furn"
    bpy.ops.occscene.guess_classes()
    given = given_objects(bpy.context)
    actual = dict(zip(given.sources, given.layout.objects, strict=True))
    expected = {
        "Sofa": ((1, 2, 0.4), (2.0, 0.9, 0.8), 0.5),
        "Chair.001": ((-2, 0, 0.45), (0.5, 0.4, 0.9), 1.0),
        "table": ((0, -2, 0.35), (1.5, 0.8, 0.7), 0.3),
        "bed": ((5.5, 0, 0.25), (2, 2, 0.5), 0.0),
        "floor": ((0, 0, 0), (4, 4, 1e-4), 0.0),
        "cupboard.012": ((0, 5, 0.5), (1.0, 0.2, 1.0), np.pi / 2),
    }
    assert actual.keys() == expected.keys()
    for name, (center, size, turn) in expected.items():
        np.testing.assert_allclose(actual[name].center, center, rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(actual[name].size, size, rtol=0, atol=1e-5, err_msg=name)
        assert abs(actual[name].turn - turn) < 1e-5, name
    assert {actual["Chair.001"].name, actual["cupboard.012"].name} == {"Chair", "cupboard"}


@pytest.mark.parametrize("kind", PART_KINDS)
def test_parts_stand_where_they_are_said_to(scene: bpy.types.Scene, kind: str) -> None:
    set_unit(scene, "feet")
    part = LayoutPart(kind, (0.3, -0.2, 0.1), (0.8, 0.3, 0.5), (0.9, 0.1, 0.3, -0.2), taper=0.5)
    box = add_box("chair")
    add_detail(scene, box, LayoutObject("chair", "chair", (2.0, 1.0, 0.5), (1.2, 1.1, 1.0), 0.7, parts=(part,)))
    bpy.context.view_layer.update()
    detail = scene.objects["chair Detail"]
    rotation = np.array(Quaternion(part.rotation).normalized().to_matrix())
    own = part_shape(kind, np.array(part.size), part.taper)[0] @ rotation.T + part.center
    cosine, sine = np.cos(0.7), np.sin(0.7)
    expected = own @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]]) + (2.0, 1.0, 0.5)
    places = np.array([detail.matrix_world @ vertex.co for vertex in detail.data.vertices]) * 0.3048
    np.testing.assert_allclose(places, expected, atol=1e-5)
    ends = [face for face in detail.data.polygons if face.loop_total > 4]
    assert not any(face.use_smooth for face in ends)
    assert all(
        face.use_smooth == (kind not in ("box", *WALLS)) for face in detail.data.polygons if face.loop_total == 4
    )


def test_a_facades_panes_frames_and_door_have_materials_of_their_own(scene: bpy.types.Scene) -> None:
    parts = (
        LayoutPart("box", (0, -1, 0), (6.0, 6.0, 6.0), material="brick"),
        LayoutPart("facade", (0, 2.1, 0), (6.0, 0.2, 6.0), material="brick"),
        LayoutPart("box", (0, 0, 3.5), (6.0, 6.0, 1.0), material="roof_tiles", role=1),
    )
    box = add_box("house", (6, 6, 8))
    detail = add_detail(scene, box, LayoutObject("house", "building", (0, 0, 4), (6, 6, 8), 0.0, parts=parts))
    names = [material.name.split()[-1] for material in detail.data.materials]
    assert sorted(names) == sorted(["brick", "door", "pane", "frame", "roof_tiles"])
    faces = [names[face.material_index] for face in detail.data.polygons]
    assert faces.count("door") == 6
    assert faces.count("pane") == 6 * 3


def test_tyres_and_panes_of_a_red_car_are_not_red(scene: bpy.types.Scene) -> None:
    parts = (
        LayoutPart("rounded box", (0, 0, -0.1), (1.8, 4.4, 0.8), material="car_paint"),
        LayoutPart("rounded box", (0, 0, 0.5), (1.6, 2.0, 0.5), material="gloss", role=1),
        LayoutPart("rod", (0.8, 1.3, -0.4), (0.6, 0.6, 0.2), material="rubber", role=2),
        LayoutPart("rod", (0.8, 1.3, -0.4), (0.3, 0.3, 0.22), material="metal", role=3),
    )
    for class_name, pane in (("car", True), ("cabinet", False)):
        obj = LayoutObject("it", class_name, (0, 0, 0.7), (1.8, 4.4, 1.4), 0.0, color=(0.6, 0.02, 0.02), parts=parts)
        detail = add_detail(scene, add_box("it", (1.8, 4.4, 1.4)), obj)
        paint, gloss, tyre, rim = (tuple(material.diffuse_color)[:3] for material in detail.data.materials)
        assert paint == pytest.approx((0.6, 0.02, 0.02))
        assert max(tyre) < 0.05
        assert (max(gloss) < 0.1) == pane, "of a cabinet what is glossy is lacquer"
        assert rim == pytest.approx((0.4, 0.4, 0.42))


@pytest.mark.parametrize("unit", ["metres", "millimetres", "feet"])
def test_detail_takes_the_boxs_place_and_nothing_is_sent_twice(scene: bpy.types.Scene, unit: str) -> None:
    meters = set_unit(scene, unit)
    holder = bpy.data.objects.new("holder", None)
    scene.collection.objects.link(holder)
    holder.location = (1 / meters, 0, 0)
    box = add_box("sofa", (2 / meters, 0.9 / meters, 0.8 / meters), (0, 1 / meters, 0.4 / meters))
    box.parent, box.rotation_euler.z, box.scale = holder, 0.7, (1.5, 1.0, 1.0)
    box.occscene.class_name, box.occscene.use_hint, box.color = "sofa", True, (0.2, 0.3, 0.4, 1)
    (obj,) = given_objects(bpy.context).layout.objects
    parts = (
        LayoutPart("box", (0, 0, -0.2), (3.0, 0.9, 0.4)),
        LayoutPart("rounded box", (0, 0, 0.2), (3.0, 0.9, 0.4), material="wood", role=3),
    )
    detail = add_detail(scene, box, LayoutObject("sofa", "sofa", obj.center, obj.size, obj.turn, "", obj.color, parts))
    (actual,) = given_objects(bpy.context).layout.objects
    np.testing.assert_allclose(actual.corners, obj.corners, atol=1e-4)
    assert actual.color == obj.color
    assert actual.name == "sofa"
    assert [item.name for item in collect_blockout(bpy.context).objects] == [detail.name]
    assert detail.parent is box
    assert len(detail.data.materials) == 2
    holder.location.x += 2 / meters
    assert abs(given_objects(bpy.context).layout.objects[0].center[0] - obj.center[0] - 2) < 1e-4


def test_a_layout_of_another_domain_does_not_take_classes_away(scene: bpy.types.Scene, tmp_path: Path) -> None:
    street = Layout("outdoor", None, (LayoutObject("car", "car", (0, 0, 0.75), (1.8, 4.3, 1.5)),))
    (tmp_path / "layout.json").write_text(json.dumps(placed_to_json(PlacedLayout(street))))
    sofa = add_box("sofa")
    sofa.occscene.class_name = "sofa"
    with pytest.raises(RuntimeError, match="1 objects of this scene have indoor classes"):
        bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json"))
    bpy.data.objects.remove(sofa)
    assert bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json")) == {"FINISHED"}
    assert scene.occscene.domain == "outdoor"
    assert scene.objects["car"].occscene.class_name == "car"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"world_from_layout": [[1, 0], [0, 1]]}, "four rows of four numbers"),
        ({"world_from_layout": "here"}, "four rows of four numbers"),
        ({"version": 9}, "version is 9"),
        ({"objects": [{"name": "x", "class": "sofa", "center": [0, 0, 0], "size": [1, -1, 1]}]}, r"objects\[0\].size"),
    ],
)
def test_a_wrong_file_is_named(scene: bpy.types.Scene, tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "layout.json"
    path.write_text(json.dumps(placed_to_json(PlacedLayout(ROOM)) | change))
    with pytest.raises(RuntimeError, match=said):
        bpy.ops.occscene.import_blockout(filepath=str(path))
    assert not scene.objects


def test_the_command_imports_a_layout(scene: bpy.types.Scene, tmp_path: Path) -> None:
    placed = PlacedLayout(ROOM, turned(1.0, 2.0, 0.5, -0.4))
    (tmp_path / "layout.json").write_text(json.dumps(placed_to_json(placed)))
    again = load_layout(tmp_path / "layout.json")
    assert again.layout == placed.layout
    np.testing.assert_array_equal(again.world_from_layout, placed.world_from_layout)
    assert command.main(["import", str(tmp_path / "layout.json"), "--save", str(tmp_path / "room.blend")]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "room.blend"))
    sofa = bpy.data.objects["sofa"]
    expected = moved(ROOM.objects[0], placed.world_from_layout)
    np.testing.assert_allclose(sofa.location, np.array(expected.center) - (0, 0, 0.4), atol=1e-5)
    assert {child.name for child in bpy.context.scene.collection.children} == {"OccScene Blockout"}


def test_a_room_without_objects_is_a_room(scene: bpy.types.Scene) -> None:
    add_blockout(bpy.context, PlacedLayout(Layout("indoor", LayoutRoom((3, 3, 2.5)), ())))
    assert len(given_objects(bpy.context).layout.objects) == 6

"""The voxelised blockout: equal to the geometry module's, shown as statistics, stale when the scene has changed."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from occscene.grid import GridVolume, load_grid
from occscene.taxonomy import INDOOR, OUTDOOR

from blender_addon.geometry.missing import Absence
from blender_addon.geometry.surface import culled_quads
from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from blender_addon.scene import grid_view
from blender_addon.scene.collect import collect_blockout
from blender_addon.scene.volume import grid_volume
from tests.blender.build_scenes import add_box, add_camera


@pytest.fixture
def sofa(scene: bpy.types.Scene) -> bpy.types.Object:
    """A tagged sofa in a volume, its grid shown."""
    box = add_box("sofa", (2, 0.9, 0.8), (0.1, 0.2, 0.4))
    box.occscene.class_name = "sofa"
    add_camera("camera")
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.show_grid()
    bpy.context.view_layer.update()
    return box


def test_equal_to_the_geometry_module_on_the_same_triangles(scene: bpy.types.Scene, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    triangles = []
    for number in range(4):
        box = add_box(f"box {number}", tuple(rng.uniform(0.3, 1.5, 3)), tuple(rng.uniform(-1, 1, 3)))
        box.rotation_euler = rng.uniform(0, 6, 3)
        box.occscene.class_name = INDOOR.classes[number + 3].name
        bpy.context.view_layer.update()
        box.data.calc_loop_triangles()
        local = np.array([[box.data.vertices[i].co for i in face.vertices] for face in box.data.loop_triangles])
        matrix = np.array(box.matrix_world)
        triangles.append(local @ matrix[:3, :3].T + matrix[:3, 3])
    bpy.ops.occscene.fit_volume()
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    objects = [TriangleObject(f"box {number}", number + 3, item) for number, item in enumerate(triangles)]
    expected = voxelize(objects, grid_volume(scene), INDOOR)
    written = load_grid(tmp_path / "grid.npz")
    np.testing.assert_array_equal(written.labels, expected.labels)
    np.testing.assert_array_equal(written.instances, expected.instances)
    assert [item.name for item in written.objects] == [item.name for item in objects]


def test_the_volume_is_an_empty_drawn_as_the_grids_box(scene: bpy.types.Scene, sofa: bpy.types.Object) -> None:
    volume = scene.occscene.volume
    assert (volume.type, volume.empty_display_type) == ("EMPTY", "CUBE")
    corners = np.array([volume.matrix_world @ Vector([sign * volume.empty_display_size] * 3) for sign in (-1, 1)])
    grid: GridVolume = grid_volume(scene)
    np.testing.assert_allclose(corners[0], grid.world_from_grid[:3, 3], atol=1e-5)
    np.testing.assert_allclose(corners[1] - corners[0], np.array(grid.shape) * 0.08, atol=1e-5)


@pytest.mark.parametrize("thickness", [0.0, 0.05, 0.3])
def test_the_floors_voxels_end_where_the_floor_does(scene: bpy.types.Scene, thickness: float) -> None:
    floor = add_box("floor", (3, 3, thickness), (0, 0, 1.23 - thickness / 2))
    sofa = add_box("sofa", (2, 0.9, 0.8), (0, 0, 1.63))
    floor.occscene.class_name, sofa.occscene.class_name = "floor", "sofa"
    bpy.ops.occscene.fit_volume()
    volume = grid_volume(scene)
    labels = voxelize(collect_blockout(bpy.context).objects, volume, INDOOR).labels
    filled = np.flatnonzero((labels == INDOOR.index_of("floor")).any((0, 1)))
    bottom = volume.world_from_grid[2, 3]
    assert bottom + (filled.max() + 1) * volume.voxel_size == pytest.approx(1.235, abs=1e-4)
    assert bottom <= 1.23 - thickness + 1e-4


@pytest.mark.parametrize("slope", [0.0, 0.04])
def test_a_streets_volume_begins_below_its_road(scene: bpy.types.Scene, slope: float) -> None:
    scene.occscene.domain = "outdoor"
    road = add_box("road", (8, 48, 0.2), (0, 0, 2.9))
    house = add_box("house", (10, 8, 12), (10, 0, 6))  # its foundations are 3 m below the road
    road.rotation_euler.x = np.arctan(slope)
    road.occscene.class_name, house.occscene.class_name = "road", "building"
    bpy.ops.occscene.fit_volume(mode="PRESET", domain="outdoor")
    volume = grid_volume(scene)
    lowest = 3.0 - 24 * slope
    assert volume.world_from_grid[2, 3] == pytest.approx(lowest - 0.2 + 0.0125, abs=0.02)
    labels = voxelize(collect_blockout(bpy.context).objects, volume, OUTDOOR).labels
    assert (labels == OUTDOOR.index_of("road")).any(axis=2).sum() > 0.95 * 40 * 240


def test_the_volume_ahead_of_a_camera_lies_as_semantic_kittis(scene: bpy.types.Scene) -> None:
    scene.occscene.domain = "outdoor"
    with pytest.raises(RuntimeError, match="no active camera"):
        bpy.ops.occscene.fit_volume(mode="AHEAD", domain="outdoor")
    camera = add_camera("car")
    camera.location, camera.rotation_euler = (2.0, 3.0, 1.65), (np.radians(85), 0.0, 0.0)  # along +y, a little down
    scene.camera = camera
    bpy.ops.occscene.fit_volume(mode="AHEAD", domain="outdoor")
    volume = grid_volume(scene)
    assert volume.shape == (256, 256, 32)
    np.testing.assert_allclose(volume.world_from_grid[:3, 0], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(volume.world_from_grid[:3, 3], [2 + 25.6, 3 - 0.27, 1.65 - 1.92], atol=1e-4)
    camera.rotation_euler = (0.0, 0.0, 0.0)
    with pytest.raises(RuntimeError, match="straight up or down"):
        bpy.ops.occscene.fit_volume(mode="AHEAD", domain="outdoor")


def test_presets_need_no_objects(scene: bpy.types.Scene) -> None:
    bpy.ops.occscene.fit_volume(mode="PRESET", domain="outdoor")
    assert grid_volume(scene).shape == (256, 256, 32)
    assert scene.occscene.voxel_size == pytest.approx(0.2)
    with pytest.raises(RuntimeError, match="no visible object has a class"):
        bpy.ops.occscene.fit_volume(mode="TIGHT")


def test_stats_say_voxels_memory_and_classes(scene: bpy.types.Scene, sofa: bpy.types.Object) -> None:
    add_box("unknown")
    bpy.ops.occscene.show_grid(action="REFRESH")
    stats = grid_view.shown_stats(scene)
    assert stats is not None
    assert stats.shape == (25, 12, 10)
    assert stats.nbytes == 25 * 12 * 10 * 3
    assert stats.class_voxels == (("sofa", stats.filled),)
    assert (stats.objects, stats.untagged) == (1, ("unknown",))


def test_show_grid_toggles_and_leaves_nothing_in_the_scene(scene: bpy.types.Scene, sofa: bpy.types.Object) -> None:
    names = {obj.name for obj in scene.objects}
    assert names == {"sofa", "camera", scene.occscene.volume.name}
    bpy.ops.occscene.show_grid()
    assert grid_view.shown_stats(scene) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda scene: setattr(scene.objects["sofa"], "location", (1, 0, 0)),
        lambda scene: (
            setattr(scene.objects["sofa"].data.vertices[0], "co", (9, 0, 0)) or scene.objects["sofa"].data.update()
        ),
        lambda scene: setattr(scene.objects["sofa"].occscene, "class_name", "bed"),
        lambda scene: setattr(scene.occscene, "voxel_size", 0.1),
        lambda scene: setattr(scene.occscene.volume, "location", (1, 0, 0)),
        lambda scene: setattr(scene.occscene, "domain", "outdoor"),
        lambda scene: bpy.data.objects.remove(scene.objects["sofa"]),
        lambda scene: setattr(scene.objects["sofa"], "hide_render", True),
    ],
    ids=["moved", "edited", "class", "voxel size", "volume", "domain", "deleted", "hidden"],
)
def test_stale_when_the_scene_has_changed(scene: bpy.types.Scene, sofa: bpy.types.Object, change: object) -> None:
    assert not grid_view.is_stale(scene)
    change(scene)  # type: ignore[operator]
    bpy.context.view_layer.update()
    assert grid_view.is_stale(scene)


def test_not_stale_by_what_is_not_in_it(scene: bpy.types.Scene, sofa: bpy.types.Object, tmp_path: Path) -> None:
    sofa.hide_set(True)
    bpy.ops.occscene.show_grid(action="REFRESH")
    scene.objects["camera"].location = (5, 5, 5)
    scene.occscene.volume.name = "box"
    bpy.context.view_layer.update()
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))  # shows what is hidden for a moment
    bpy.context.view_layer.update()
    assert not grid_view.is_stale(scene)


def test_a_loaded_file_shows_no_grid(scene: bpy.types.Scene, sofa: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert grid_view.shown_stats(bpy.context.scene) is None


def test_what_is_drawn_is_the_surface_in_class_colors(
    scene: bpy.types.Scene, sofa: bpy.types.Object, tmp_path: Path
) -> None:
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    grid = load_grid(tmp_path / "grid.npz")
    positions, colors = grid_view.face_arrays(grid)
    surface = culled_quads(grid)
    assert positions.shape == (len(surface.quads), 4, 3)
    low = positions.reshape(-1, 3).min(axis=0)
    np.testing.assert_allclose(low, (-0.9, -0.25, 0.0), atol=1e-5)
    top = positions[..., 2].min(axis=1) > 0.79
    purest = np.array(INDOOR.classes[7].color) / 255
    np.testing.assert_allclose(colors[top][..., :3].max(axis=(0, 1)), purest, atol=1e-6)


def test_what_the_viewport_hides_is_drawn_translucent_and_named(
    scene: bpy.types.Scene, sofa: bpy.types.Object, tmp_path: Path
) -> None:
    table = add_box("table", (0.4, 0.4, 0.8), (-0.5, 0.2, 0.4))
    table.occscene.class_name = "table"
    bpy.ops.occscene.show_grid(action="REFRESH")
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    everything = load_grid(tmp_path / "grid.npz")
    table.hide_set(True)
    bpy.ops.occscene.show_grid(action="REFRESH")
    stats, view = grid_view.shown_stats(scene), grid_view._view
    assert stats is not None
    assert stats.hidden == ("table",)
    assert stats.filled == np.count_nonzero(everything.labels)
    table_color = np.array(INDOOR.classes[INDOOR.index_of("table")].color) / 255
    np.testing.assert_allclose(view.veiled.colors[..., :3].max(axis=(0, 1)), table_color, atol=1e-6)
    volumes = [_enclosed(faces.corners) / everything.voxel_size**3 for faces in (view.shown, view.veiled)]
    tables = np.count_nonzero(everything.labels == INDOOR.index_of("table"))
    assert volumes == pytest.approx([stats.filled - tables, tables], rel=1e-3)


def _enclosed(corners: np.ndarray) -> float:
    """The volume that faces enclose, positive if they face outwards."""
    a, b, c, d = (corners[:, number].astype(np.float64) for number in range(4))
    return float((np.einsum("ij,ij->", a, np.cross(b, c)) + np.einsum("ij,ij->", a, np.cross(c, d))) / 6)


def test_a_body_taken_for_a_room_is_named(scene: bpy.types.Scene) -> None:
    room = add_box("room", (4, 4, 2.5), (0, 0, 1.25))
    room.occscene.class_name = "wall"
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    for fill, rooms in (("AUTOMATIC", ("room",)), ("SOLID", ()), ("SURFACE", ())):
        room.occscene.fill = fill
        bpy.ops.occscene.show_grid(action="REFRESH")
        stats = grid_view.shown_stats(scene)
        assert stats is not None
        assert stats.rooms == rooms


def test_what_has_no_voxel_is_named_with_its_reason(scene: bpy.types.Scene, tmp_path: Path) -> None:
    for name, size, place in (
        ("room", (4, 4, 2.5), (0, 0, 1.25)),
        ("lamp", (0.2, 0.2, 0.2), (9, 0, 1)),
        ("crate", (1, 1, 1), (0, 0, 0.5)),
        ("ball", (0.5, 0.5, 0.5), (0, 0, 0.5)),
    ):
        add_box(name, size, place).occscene.class_name = "wall" if name == "room" else "furn"
    loose = bpy.data.meshes.new("edge")
    loose.from_pydata([(0, 0, 0), (1, 0, 0)], [(0, 1)], [])
    scene.collection.objects.link(bpy.data.objects.new("edge", loose))
    bpy.data.objects["edge"].occscene.class_name = "objs"
    bpy.data.objects["lamp"].hide_render = True
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.data.objects["lamp"].hide_render = False
    bpy.data.objects["crate"].occscene.overlap = 1
    bpy.ops.occscene.show_grid(action="REFRESH")
    stats = grid_view.shown_stats(scene)
    assert stats is not None
    assert dict(stats.absent) == {
        "edge": Absence.NO_FACES,
        "lamp": Absence.OUTSIDE,
        "ball": Absence.COVERED,
    }
    bpy.data.objects["ball"].occscene.overlap = 2
    bpy.ops.occscene.show_grid(action="REFRESH")
    stats = grid_view.shown_stats(scene)
    assert stats is not None
    assert "ball" not in stats.absent
    for name in ("room", "lamp", "crate", "ball"):
        bpy.data.objects.remove(bpy.data.objects[name])
    with pytest.raises(RuntimeError, match=r"no voxel of 'edge' \(no faces\): give them thickness"):
        bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))


def test_a_camera_in_something_filled_is_named(scene: bpy.types.Scene) -> None:
    room = add_box("room", (4, 4, 2.5), (0, 0, 1.25))
    room.occscene.class_name, room.occscene.fill = "wall", "SOLID"
    add_camera("inside", (0, 0, 1.2))
    add_camera("outside", (0, -4, 1.2))
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    bpy.ops.occscene.show_grid()
    stats = grid_view.shown_stats(scene)
    assert stats is not None
    (camera,) = stats.standing
    assert (camera.camera, camera.class_name, camera.object_name, camera.is_buried) == ("inside", "wall", "room", True)


def test_too_large_a_scene_says_which_voxels_fit(scene: bpy.types.Scene) -> None:
    """The way out works: with that voxel size it is a volume."""
    add_box("floor", (45.1, 45.1, 0.2))
    bpy.ops.occscene.guess_classes()
    with pytest.raises(RuntimeError, match=r"564 x 564 x 3 voxels of 8 cm.*set Voxel Size to 8\.9 cm or more"):
        bpy.ops.occscene.fit_volume(mode="TIGHT")
    scene.occscene.voxel_size = 0.089
    assert bpy.ops.occscene.fit_volume(mode="TIGHT") == {"FINISHED"}
    add_box("wall", (0.2, 45.1, 30.0)).occscene.class_name = "wall"
    with pytest.raises(RuntimeError, match=r"33,554,432 in all: set Voxel Size to 13 cm or more"):
        bpy.ops.occscene.fit_volume(mode="TIGHT")
    scene.occscene.voxel_size = 0.13
    assert bpy.ops.occscene.fit_volume(mode="TIGHT") == {"FINISHED"}

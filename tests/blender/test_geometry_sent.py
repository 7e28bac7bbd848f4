"""The triangles and the words of a blockout, from Blender's meshes to what the server has stored."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from occscene.client import SceneClient
from occscene.codec import grid_from_message
from occscene.grid import SemanticGrid, load_grid
from occscene.mesh import TriangleMesh, load_mesh
from occscene.mesh_codec import mesh_from_message, mesh_to_message
from occscene.rig import default_rig
from occscene.taxonomy import INDOOR
from occscene.v1 import job_pb2

from blender_addon.bridge import requests
from blender_addon.bridge.messages import Message
from blender_addon.jobs import events
from blender_addon.jobs.request import Request
from blender_addon.operators import command
from blender_addon.operators.voxelizing import voxelized_blockout
from blender_addon.properties.settings import SceneSettings
from blender_addon.scene.grid_view import shown_stats
from tests.blender.build_scenes import add_box, add_material


def sent_mesh() -> TriangleMesh:
    mesh = voxelized_blockout(bpy.context).sent_mesh
    assert mesh is not None
    return mesh


def volume_of(mesh: TriangleMesh, number: int) -> float:
    """Signed volume that an object's triangles enclose; positive where they face outwards."""
    corners = mesh.vertices[mesh.triangles[mesh.object_ids == number]]
    return float(np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def stored_task(server: str, job_id: str) -> job_pb2.GenerateScene:
    """What the server keeps of a request."""
    with SceneClient(server) as client:
        return client.request(job_id).generate_scene


def fitted() -> bpy.types.Scene:
    bpy.ops.occscene.fit_volume()
    return bpy.context.scene


def test_a_mesh_is_what_blender_shows() -> None:
    """Modifiers, a turned and mirrored object, an instance: welded, facing outwards, in world metres."""
    sofa = add_box("sofa", (2, 0.9, 0.8), (0.3, 1, 0.4))
    sofa.modifiers.new("bevel", "BEVEL").segments = 3
    table = add_box("table", (1.4, 0.8, 0.7), (-1, -1, 0.35))
    table.rotation_euler.z, table.scale.x = 0.5, -1.0
    library = bpy.data.collections.new("library")
    add_box("chair", (0.5, 0.5, 0.9), (0, 0, 0.45), collection=library).occscene.class_name = "chair"
    empty = bpy.data.objects.new("seat", None)
    empty.instance_type, empty.instance_collection, empty.location = "COLLECTION", library, (1.2, -0.7, 0)
    bpy.context.scene.collection.objects.link(empty)
    bpy.ops.occscene.guess_classes()
    fitted()
    voxelized = voxelized_blockout(bpy.context)
    mesh = voxelized.sent_mesh
    assert mesh is not None
    numbers = {item.name: item.id for item in voxelized.grid.objects}
    assert set(numbers) == {"sofa", "table", "seat/chair"}
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = sofa.evaluated_get(graph).to_mesh()
    evaluated.calc_loop_triangles()
    assert (mesh.object_ids == numbers["sofa"]).sum() == len(evaluated.loop_triangles) > 100
    of_object = mesh.object_vertices()
    world = [sofa.matrix_world @ vertex.co for vertex in evaluated.vertices]
    np.testing.assert_allclose(sorted(of_object[numbers["sofa"]].tolist()), sorted(map(list, world)), atol=1e-5)
    for name, obj in (("table", table), ("seat/chair", library.objects["chair"])):
        pose = obj.matrix_world if name == "table" else Matrix.Translation((1.2, -0.7, 0)) @ obj.matrix_world
        corners = sorted(list(pose @ vertex.co) for vertex in obj.data.vertices)
        np.testing.assert_allclose(sorted(of_object[numbers[name]].tolist()), corners, atol=1e-5)
    assert volume_of(mesh, numbers["table"]) == pytest.approx(1.4 * 0.8 * 0.7, rel=1e-4)
    assert volume_of(mesh, numbers["seat/chair"]) == pytest.approx(0.5 * 0.5 * 0.9, rel=1e-4)
    labels = dict(zip(mesh.object_ids.tolist(), mesh.labels.tolist(), strict=True))
    assert {name: INDOOR.classes[labels[number]].name for name, number in numbers.items()} == {
        "sofa": "sofa",
        "table": "table",
        "seat/chair": "chair",
    }


def test_faces_of_several_classes_lie_where_they_are_seen() -> None:
    """A window's face in a wall: voxels have it half a voxel deep, the mesh in the wall's side, and only once."""
    wall = add_box("wall", (2, 0.4, 2), (0, 0, 1))
    add_material(wall, "plaster", "wall")
    add_material(wall, "glass", "window")
    wall.data.polygons[2].material_index = 1  # looks along -y
    fitted()
    mesh = sent_mesh()
    glass = mesh.labels == INDOOR.index_of("window")
    assert (glass.sum(), len(mesh.triangles)) == (2, 12)
    np.testing.assert_allclose(mesh.vertices[mesh.triangles[glass]][..., 1], -0.2, atol=1e-6)
    assert len(set(mesh.object_ids.tolist())) == 2
    assert len(np.unique(np.sort(mesh.triangles, axis=1), axis=0)) == 12


def test_real_meshes_arrive_and_are_small() -> None:
    """A hundred thousand triangles of curved and modelled objects."""
    for number in range(7):
        bpy.ops.mesh.primitive_monkey_add(location=(number % 3 - 1, number // 3 - 1, 0.6), size=0.8)
        monkey = bpy.context.object
        monkey.rotation_euler = (0.1 * number, 0.2, number)
        monkey.modifiers.new("round", "SUBSURF").levels = 2
        monkey.occscene.class_name = "objs"
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=96, radius=0.5, location=(1, 1, 0.5))
    bpy.context.object.occscene.class_name = "furn"
    fitted()
    voxelized = voxelized_blockout(bpy.context)
    mesh, grid = voxelized.sent_mesh, voxelized.grid
    assert mesh is not None
    assert len(mesh.triangles) > 100_000
    message = mesh_to_message(mesh, grid.volume)
    assert message.ByteSize() < 400_000
    back = mesh_from_message(message, grid.volume, INDOOR, [item.id for item in grid.objects])
    np.testing.assert_array_equal(back.triangles, mesh.triangles)
    np.testing.assert_array_equal(back.object_ids, mesh.object_ids)
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=1e-4)
    assert np.linalg.norm(back.vertices - mesh.vertices, axis=1).max() < 1.1e-4


def test_mesh_and_words_reach_the_server(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    blockout.objects["sofa"].occscene.prompt = "a red velvet sofa"
    blockout.objects["sofa"].rotation_euler.z = 0.4
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server, steps=1)
    result = blockout.occscene.results[0]
    task = stored_task(server, result.job_id)
    grid = grid_from_message(task.grid)
    assert {item.name: item.prompt for item in grid.objects} == {"floor": "", "sofa": "a red velvet sofa"}
    mesh = mesh_from_message(task.mesh, grid.volume, INDOOR, [item.id for item in grid.objects])
    number = next(item.id for item in grid.objects if item.name == "sofa")
    sofa = blockout.objects["sofa"]
    corners = sorted(list(sofa.matrix_world @ vertex.co) for vertex in sofa.data.vertices)
    np.testing.assert_allclose(sorted(mesh.object_vertices()[number].tolist()), corners, atol=1e-4)
    kept = load_mesh(tmp_path / "blockout.npz")
    assert kept is not None
    np.testing.assert_allclose(kept.vertices, mesh.vertices, atol=1e-4)
    assert load_grid(tmp_path / "blockout.npz").objects == grid.objects
    assert result.message == ""


@pytest.mark.parametrize("by", ["scene", "argument", "command"])
def test_geometry_is_kept_back_where_the_artist_says_so(
    by: str, blockout: bpy.types.Scene, server: str, tmp_path: Path
) -> None:
    if by == "command":
        arguments = ["--output", str(tmp_path), "--server", server, "--steps", "1", "--no-send-geometry"]
        assert command.main(["generate", *arguments]) == 0
    else:
        given = {"send_geometry": False} if by == "argument" else {}
        blockout.occscene.send_geometry = by != "scene"
        bpy.ops.occscene.generate(directory=str(tmp_path), server=server, steps=1, **given)
    result = blockout.occscene.results[0]
    assert not stored_task(server, result.job_id).HasField("mesh")
    assert load_mesh(tmp_path / "blockout.npz") is None
    blockout.occscene.send_geometry = True
    bpy.ops.occscene.reload_settings(result=result.name)
    assert not blockout.occscene.send_geometry


def test_voxelize_writes_mesh_and_words(blockout: bpy.types.Scene, tmp_path: Path) -> None:
    blockout.objects["sofa"].occscene.prompt = "ein grünes Sofa"
    path = tmp_path / "grid.npz"
    assert command.main(["voxelize", "--output", str(path)]) == 0
    mesh = load_mesh(path)
    assert mesh is not None
    assert len(mesh.triangles) == 24
    assert [item.prompt for item in load_grid(path).objects] == ["", "ein grünes Sofa"]
    assert command.main(["voxelize", "--output", str(path), "--no-send-geometry"]) == 0
    assert load_mesh(path) is None
    blockout.occscene.send_geometry = False
    assert command.main(["voxelize", "--output", str(path), "--send-geometry"]) == 0
    assert load_mesh(path) is not None


def test_too_many_triangles_are_dropped_and_reported(
    blockout: bpy.types.Scene,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("occscene.mesh.MAX_MESH_TRIANGLES", 23)  # the blockout has 24
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server, steps=1)
    assert "Warning: the blockout has 24 triangles with 16 vertices, more than" in capfd.readouterr().out
    assert not stored_task(server, blockout.occscene.results[0].job_id).HasField("mesh")
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    assert "Warning: the blockout has 24 triangles" in capfd.readouterr().out
    assert load_mesh(tmp_path / "grid.npz") is None
    bpy.ops.occscene.show_grid()
    stats = shown_stats(blockout)
    assert stats is not None
    assert (stats.triangles, stats.is_mesh_sent) == (24, False)


def test_a_mesh_that_makes_a_message_too_large_is_left_out(
    blockout: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.bridge.cameras_head import cameras_head
    from blender_addon.bridge.grid_body import grid_body, grid_head
    from blender_addon.bridge.mesh_body import mesh_body, mesh_head

    voxelized = voxelized_blockout(bpy.context)
    mesh = voxelized.sent_mesh
    assert mesh is not None
    head = {
        "grid": grid_head(voxelized.grid),
        "mesh": mesh_head(mesh),
        "cameras": cameras_head(default_rig(voxelized.grid.volume)),
        **{"volume": None, "taxonomy": "", "request_id": "", "previews": False, "start_views": [], "image_bytes": []},
        "settings": SceneSettings().sent().to_json(),
    }
    body = grid_body(voxelized.grid) + mesh_body(mesh)
    whole, note = requests.generate_request(head, body)
    assert whole.generate_scene.HasField("mesh")
    assert note == ""
    monkeypatch.setattr(requests, "MAX_MESSAGE_BYTES", whole.ByteSize() - 1)
    smaller, note = requests.generate_request(head, body)
    assert not smaller.generate_scene.HasField("mesh")
    assert smaller.generate_scene.grid == whole.generate_scene.grid
    assert "too large to be sent" in note


def test_what_the_bridge_omitted_is_reported_with_the_result(scene: bpy.types.Scene, tmp_path: Path) -> None:
    request = Request("an-id", "BLOCKOUT", SceneSettings(), (), str(tmp_path), "2026-01-01T00:00:00")
    record = events.Record(request, "localhost:1", scene.session_uid)
    for head in (
        {"event": "accepted", "job_id": "a job", "note": "The geometry was too large to be sent."},
        {"event": "started", "device": "cpu"},
        {"event": "succeeded", "seconds": 1.0},
    ):
        events.apply(record, Message(head))
    assert scene.occscene.results["an-id"].message == "The geometry was too large to be sent."


def words_of(grid: SemanticGrid) -> dict[str, str]:
    return {item.name: item.prompt for item in grid.objects}


def test_words_go_to_all_selected_in_one_step(blockout: bpy.types.Scene) -> None:
    chairs = [add_box(f"chair {number}", (0.4, 0.4, 0.4), (number - 1, -1, 0.2)) for number in range(3)]
    bpy.ops.object.select_all(action="DESELECT")
    for chair in chairs[:2]:
        chair.select_set(True)
        chair.occscene.class_name = "chair"
    chairs[2].occscene.class_name = "chair"
    bpy.context.view_layer.objects.active = chairs[0]
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    blockout.occscene.selected_words = "a blue chair"
    bpy.ops.ed.undo_push(message="words")
    assert blockout.occscene.selected_words == "a blue chair"
    assert words_of(voxelized_blockout(bpy.context).grid) == {
        "floor": "",
        "sofa": "",
        "chair 0": "a blue chair",
        "chair 1": "a blue chair",
        "chair 2": "",
    }
    bpy.ops.ed.undo()
    objects = bpy.context.scene.objects
    assert [objects[f"chair {number}"].occscene.prompt for number in range(3)] == ["", "", ""]


def test_words_of_instances_are_their_own_else_their_instancers() -> None:
    library = bpy.data.collections.new("library")
    lamp, vase = (add_box(name, (0.3, 0.3, 0.3), collection=library) for name in ("lamp", "vase"))
    lamp.occscene.class_name = vase.occscene.class_name = "objs"
    lamp.occscene.prompt = "a brass lamp"
    for x, words in ((0.0, ""), (1.0, "a clay object")):
        empty = bpy.data.objects.new(f"set {x:g}", None)
        empty.instance_type, empty.instance_collection, empty.location.x = "COLLECTION", library, x
        empty.occscene.prompt = words
        bpy.context.scene.collection.objects.link(empty)
    vase.location.z = 1.0
    fitted()
    assert words_of(voxelized_blockout(bpy.context).grid) == {
        "set 0/lamp": "a brass lamp",
        "set 0/vase": "",
        "set 1/lamp": "a brass lamp",
        "set 1/vase": "a clay object",
    }


def test_linked_objects_take_no_words_here(scene: bpy.types.Scene, tmp_path: Path) -> None:
    shelf = add_box("shelf", (1, 0.4, 1))
    shelf.occscene.class_name, shelf.occscene.prompt = "furn", "a white shelf"
    library = str(tmp_path / "library.blend")
    bpy.data.libraries.write(library, {shelf})
    bpy.data.objects.remove(shelf)
    with bpy.data.libraries.load(library, link=True) as (_, loaded):
        loaded.objects = ["shelf"]
    (linked,) = loaded.objects
    scene.collection.objects.link(linked)
    own = add_box("box", (0.4, 0.4, 0.4), (0, 1, 0))
    own.occscene.class_name = "table"
    for obj in (linked, own):
        obj.select_set(True)
    scene.occscene.selected_words = "a table"
    assert scene.occscene.selected_words == "a table"
    fitted()
    assert words_of(voxelized_blockout(bpy.context).grid) == {"shelf": "a white shelf", "box": "a table"}


def test_units_do_not_matter(blockout: bpy.types.Scene) -> None:
    before = sent_mesh()
    blockout.unit_settings.scale_length = 0.01
    for obj in blockout.objects:
        obj.location *= 100.0
        obj.scale *= 100.0
    bpy.context.view_layer.update()
    bpy.ops.occscene.fit_volume()
    np.testing.assert_allclose(sent_mesh().vertices, before.vertices, atol=1e-4)

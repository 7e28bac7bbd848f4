"""What is collected is what Cycles renders, of instances above all."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
import pytest

from blender_addon.scene.collect import collect_blockout
from tests.blender.build_scenes import add_box, add_collection, exclude

Cells = set[tuple[int, int]]

CELL = 2.0
"""Units from one place where a box may stand to the next; boxes are half as wide."""

SIDE = 8
"""Places along x and y, from -SIDE / 2 on."""


def rendered_cells(scene: bpy.types.Scene) -> Cells:
    """The places where Cycles shows something, seen from above."""
    camera = bpy.data.objects.new("above", bpy.data.cameras.new("above"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", CELL * SIDE
    camera.location = (-CELL / 2, -CELL / 2, 50)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 1, False, "CPU"
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = SIDE * 5
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = bpy.app.tempdir + "rendered.png"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    alpha = np.array(image.pixels[:]).reshape(SIDE * 5, SIDE * 5, 4)[2::5, 2::5, 3]
    bpy.data.images.remove(image)
    bpy.data.objects.remove(camera)
    return {(int(x) - SIDE // 2, int(y) - SIDE // 2) for y, x in np.argwhere(alpha > 0.5)}


def collected_cells() -> Cells:
    """The places where something is collected."""
    bpy.context.view_layer.update()
    triangles = np.concatenate(
        [np.zeros((0, 3, 3)), *(item.triangles for item in collect_blockout(bpy.context).objects)]
    )
    places = np.rint(triangles.mean(axis=1)[:, :2] / CELL).astype(int)
    return {(int(x), int(y)) for x, y in places}


def box(name: str, x: int, y: int, collection: bpy.types.Collection | None = None) -> bpy.types.Object:
    """A tagged box on a place."""
    obj = add_box(name, location=(CELL * x, CELL * y, 0), collection=collection)
    obj.occscene.class_name = "objs"
    return obj


def instancer(
    collection: bpy.types.Collection, x: int, y: int, into: bpy.types.Collection | None = None
) -> bpy.types.Object:
    """A collection instance moved by (x, y) places."""
    empty = bpy.data.objects.new("instancer", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    empty.location = (CELL * x, CELL * y, 0)
    (into or bpy.context.scene.collection).objects.link(empty)
    return empty


def scatter(
    source: bpy.types.Object | bpy.types.Collection,
    x: int,
    y: int,
    into: bpy.types.Collection | None = None,
    realize: bool = False,
) -> bpy.types.Object:
    """An object whose nodes put an object or a collection on one point, (x, y) places from it."""
    kind = "Object" if isinstance(source, bpy.types.Object) else "Collection"
    tree = bpy.data.node_groups.new("scatter", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    end = tree.nodes.new("NodeGroupOutput")
    points, info = tree.nodes.new("GeometryNodePoints"), tree.nodes.new(f"GeometryNode{kind}Info")
    on_points = tree.nodes.new("GeometryNodeInstanceOnPoints")
    info.inputs[kind].default_value = source
    if kind == "Object":
        info.inputs["As Instance"].default_value = True
    points.inputs["Position"].default_value = (CELL * x, CELL * y, 0)
    tree.links.new(points.outputs[0], on_points.inputs["Points"])
    tree.links.new(info.outputs["Geometry" if kind == "Object" else 0], on_points.inputs["Instance"])
    last = on_points
    if realize:
        last = tree.nodes.new("GeometryNodeRealizeInstances")
        tree.links.new(on_points.outputs[0], last.inputs[0])
    tree.links.new(last.outputs[0], end.inputs[0])
    mesh = bpy.data.meshes.new("plane")
    obj = bpy.data.objects.new("plane", mesh)
    obj.occscene.class_name = "objs"
    (into or bpy.context.scene.collection).objects.link(obj)
    obj.modifiers.new("nodes", "NODES").node_group = tree
    return obj


def small_square() -> bpy.types.Mesh:
    """A square of a quarter of a place."""
    mesh = bpy.data.meshes.new("host")
    side = CELL / 8
    mesh.from_pydata([(-side, -side, 0), (side, -side, 0), (side, side, 0), (-side, side, 0)], [], [(0, 1, 2, 3)])
    return mesh


def plain() -> None:
    box("shown", 0, 0)
    box("disabled", 1, 0).hide_render = True
    box("hidden", 2, 0).hide_set(True)
    box("disabled in viewports", 3, 0).hide_viewport = True
    group = add_collection(linked=True)
    box("in", 0, 1, group)
    group.hide_viewport = True
    unused = add_collection("excluded", linked=True)
    box("excluded", 1, 1, unused)
    exclude(unused)


def nodes_object() -> None:
    source = box("source", 3, 3)
    source.hide_render = True
    scatter(source, 0, 0)
    scatter(source, 1, 0, realize=True)


def nodes_object_excluded() -> None:
    unused = add_collection(linked=True)
    source = box("source", 0, 3, unused)
    exclude(unused)
    scatter(source, 0, 0)


def nodes_collection() -> None:
    unused = add_collection(linked=True)
    box("kept", 0, 0, unused)
    box("disabled", 1, 0, unused).hide_render = True
    box("disabled in viewports", 2, 0, unused).hide_viewport = True
    exclude(unused)
    scatter(unused, 0, 1)


def nodes_collection_disabled() -> None:
    group = add_collection(linked=True)
    box("kept", 0, 0, group)
    group.hide_render = True
    scatter(group, 0, 1)


def collection_members() -> None:
    group = add_collection()
    box("kept", 0, 0, group)
    box("disabled", 1, 0, group).hide_render = True
    box("disabled in viewports", 2, 0, group).hide_viewport = True
    inner = add_collection("inner")
    group.children.link(inner)
    box("deep", -1, 0, inner)
    inner.hide_render = True
    other = add_collection("other")
    group.children.link(other)
    box("other", -2, 0, other)
    other.hide_viewport = True
    instancer(group, 0, 1)


def collection_disabled() -> None:
    group = add_collection(linked=True)
    box("kept", 0, 0, group)
    group.hide_render = True
    instancer(group, 0, 1)


def collection_excluded() -> None:
    group = add_collection(linked=True)
    box("kept", 0, 0, group)
    exclude(group)
    instancer(group, 0, 1)


def scatter_asset() -> None:
    """A collection with its own scatter and the prototype, disabled in renders, in it."""
    group = add_collection()
    source = box("source", 3, 0, group)
    source.hide_render = True
    scatter(source, 0, 0, group)
    instancer(group, 0, 1)


def nested_collections() -> None:
    inner = add_collection("inner")
    box("kept", 0, 0, inner)
    box("disabled", 1, 0, inner).hide_render = True
    outer = add_collection("outer")
    instancer(inner, 0, 1, outer)
    instancer(inner, 0, 2, outer).hide_render = True
    instancer(outer, -1, 0)


def nodes_of_hidden_instancer() -> None:
    inner = add_collection("inner")
    box("kept", 0, 0, inner)
    hidden = instancer(inner, 0, 3)
    hidden.hide_render = True
    scatter(hidden, 0, -2)


def _children(kind: str) -> tuple[bpy.types.Object, bpy.types.Object]:
    mesh = small_square() if kind == "FACES" else bpy.data.meshes.new("host")
    if kind == "VERTS":
        mesh.from_pydata([(0, 0, 0)], [], [])
    host = bpy.data.objects.new("host", mesh)
    host.occscene.class_name = "wall"
    bpy.context.scene.collection.objects.link(host)
    host.instance_type = kind
    host.location = (CELL, CELL, 0)
    child = box("child", 1, 0)
    child.parent = host
    return host, child


def vertices() -> None:
    _children("VERTS")


def vertices_of_disabled() -> None:
    _children("VERTS")[1].hide_render = True


def vertices_of_unseen() -> None:
    _children("VERTS")[1].hide_viewport = True


def faces() -> None:
    _children("FACES")


def faces_of_disabled() -> None:
    _children("FACES")[1].hide_render = True


def faces_with_their_instancer() -> None:
    host, _ = _children("FACES")
    host.show_instancer_for_render, host.show_instancer_for_viewport = True, False


def faces_without_their_instancer() -> None:
    host, _ = _children("FACES")
    host.show_instancer_for_render, host.show_instancer_for_viewport = False, True


def _particles(collection: bpy.types.Collection | None, source: bpy.types.Object | None) -> bpy.types.Object:
    host = bpy.data.objects.new("host", small_square())
    host.occscene.class_name = "objs"
    bpy.context.scene.collection.objects.link(host)
    host.location = (-CELL, -CELL, 0)
    host.modifiers.new("particles", "PARTICLE_SYSTEM")
    settings = host.particle_systems[0].settings
    settings.type, settings.count, settings.hair_length, settings.particle_size = "HAIR", 1, 1.0, 1.0
    settings.use_advanced_hair = True
    settings.render_type = "COLLECTION" if collection else "OBJECT"
    if collection:
        settings.instance_collection = collection
        settings.use_whole_collection = True
    else:
        settings.instance_object = source
    settings.use_scale_instance = True
    host.show_instancer_for_render = host.show_instancer_for_viewport = False
    return host


def particles() -> None:
    _particles(None, box("source", 3, 3))


def particles_of_disabled() -> None:
    source = box("source", 3, 3)
    source.hide_render = True
    _particles(None, source)


def particles_of_excluded() -> None:
    unused = add_collection(linked=True)
    source = box("source", 3, 3, unused)
    exclude(unused)
    _particles(None, source)


def particles_of_a_collection() -> None:
    group = add_collection(linked=True)
    box("a", 0, 0, group)
    box("b", 1, 0, group).hide_render = True
    box("c", 0, 1, group).hide_viewport = True
    exclude(group)
    _particles(group, None)


CASES: list[Callable[[], None]] = [
    plain,
    nodes_object,
    nodes_object_excluded,
    nodes_collection,
    nodes_collection_disabled,
    collection_members,
    collection_disabled,
    collection_excluded,
    scatter_asset,
    nested_collections,
    nodes_of_hidden_instancer,
    vertices,
    vertices_of_disabled,
    vertices_of_unseen,
    faces,
    faces_of_disabled,
    faces_with_their_instancer,
    faces_without_their_instancer,
    particles,
    particles_of_disabled,
    particles_of_excluded,
    particles_of_a_collection,
]


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_collected_is_what_cycles_renders(scene: bpy.types.Scene, build: Callable[[], None]) -> None:
    build()
    box("control", -3, -3)
    before = flags()
    collected = collected_cells()
    assert flags() == before
    rendered = rendered_cells(scene)
    assert collected == rendered
    assert (-3, -3) in rendered


def test_what_is_hidden_for_a_moment_stays_selected_and_active(scene: bpy.types.Scene) -> None:
    group = add_collection(linked=True)
    source = box("source", 3, 0, group)
    instancer(group, 0, 1)
    source.hide_render = True
    source.select_set(True)
    bpy.context.view_layer.objects.active = source
    assert collected_cells() == set()
    assert source.select_get()
    assert bpy.context.object == source


def flags() -> list[object]:
    """All that says what is visible."""
    objects = [
        (obj.name, obj.hide_viewport, obj.hide_render, obj.show_instancer_for_viewport, obj.visible_get())
        for obj in bpy.data.objects
    ]
    return [*objects, *((group.name, group.hide_viewport, group.hide_render) for group in bpy.data.collections)]

"""What surfaces are made of: known from the studio's meshes and from parts, on the way to every pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import LayoutObject, LayoutPart
from occscene.mesh import TriangleMesh
from occscene.taxonomy import OUTDOOR

from occscene_server.data.scene_mesh import SceneMeshes, read_meshes, write_meshes
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.materials import LEAVES, MATERIALS, material_rows
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import mesh_with_parts, with_classes_of
from occscene_server.studio.materials import KINDS
from occscene_server.studio.scene_meshes import item_meshes
from occscene_server.studio.streets.street import build_street
from tests.occscene_server.geometry.random_scenes import looking_at

CAR, BUILDING, VEGETATION = (OUTDOOR.index_of(name) for name in ("car", "building", "vegetation"))


def _box(number: int, label: int, size: float = 4.0) -> TriangleMesh:
    """A tetrahedron that stands for an object's box."""
    vertices = np.array([[10.0, 10, 1], [10 + size, 10, 1], [10, 10 + size, 1], [10, 10, 1 + size]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return TriangleMesh(vertices, triangles, np.full(4, label, np.uint8), np.full(4, number, np.uint16))


def _grid(*objects: GridObject) -> SemanticGrid:
    labels = np.zeros((100, 100, 32), np.uint8)
    return SemanticGrid(labels, 0.2, np.eye(4), "outdoor", labels.astype(np.uint16), objects)


def test_all_materials_of_the_studio_have_a_row() -> None:
    of_parts = {"hair", "trousers", "lit_pane", *(name for name in MATERIALS if name.startswith("sign_"))}
    assert set(KINDS) == set(MATERIALS[1:]) - of_parts
    assert MATERIALS[0] == ""
    assert material_rows(["wood", "no such", "pane"]).tolist() == [MATERIALS.index("wood"), 0, MATERIALS.index("pane")]


def test_a_street_knows_what_it_is_made_of_and_keeps_it_on_disk(tmp_path: Path) -> None:
    street = build_street(3)
    meshes = item_meshes(street.items, OUTDOOR)
    assert meshes.true.materials is not None
    assert meshes.blockout.materials is None
    assert (meshes.true.materials > 0).all()
    item = next(index for index, item in enumerate(street.items) if item.class_name == "car")
    shown = {MATERIALS[row] for row in np.unique(meshes.true.materials[meshes.true.object_ids == item + 1]).tolist()}
    assert shown >= {"car_paint", "gloss", "rubber", "metal", "lamp"}
    write_meshes(tmp_path, meshes)
    read = read_meshes(tmp_path)
    assert read.true.materials is not None
    np.testing.assert_array_equal(read.true.materials, meshes.true.materials)
    assert read.blockout.materials is None


def test_files_without_materials_are_read(tmp_path: Path) -> None:
    box = _box(1, CAR)
    write_meshes(tmp_path, SceneMeshes(box, box))
    assert read_meshes(tmp_path).true.materials is None


def test_parts_bring_their_materials_and_walls_those_of_their_windows() -> None:
    car = LayoutObject("car", "car", (12.0, 12.0, 2.0), (2.0, 4.0, 1.5), 0.0, parts=(
        LayoutPart("box", (0.0, 0.0, -0.3), (2.0, 4.0, 0.9), material="car_paint"),
        LayoutPart("rounded box", (0.0, 0.0, 0.4), (1.6, 2.0, 0.6), material="gloss"),
    ))  # fmt: skip
    house = LayoutObject("house", "building", (12.0, 12.0, 4.0), (9.0, 8.0, 6.0), 0.0, parts=(
        LayoutPart("facade", (0.0, 3.9, 0.0), (9.0, 0.22, 6.0), material="render"),
    ))  # fmt: skip
    boxes = [_box(1, CAR), _box(2, BUILDING), _box(3, CAR)]
    mesh = TriangleMesh(
        np.concatenate([box.vertices for box in boxes]),
        np.concatenate([box.triangles + 4 * index for index, box in enumerate(boxes)]),
        np.concatenate([box.labels for box in boxes]),
        np.concatenate([box.object_ids for box in boxes]),
    )
    grid = _grid(*(GridObject(number, "x") for number in (1, 2, 3)))
    made = mesh_with_parts(mesh, grid, {1: car, 2: house})
    assert made.materials is not None

    def of(number: int) -> set[str]:
        assert made.materials is not None
        return {MATERIALS[row] for row in np.unique(made.materials[made.object_ids == number]).tolist()}

    assert of(1) == {"car_paint", "gloss"}
    assert {"render", "painted"} < of(2) <= {"render", "pane", "lit_pane", "painted"}
    assert of(3) == {""}, "a box has none"
    upper = made.vertices[made.triangles].mean(1)[:, 2] > 2.2
    of_car = made.object_ids == 1
    assert set(made.materials[of_car & upper].tolist()) == {MATERIALS.index("gloss")}
    # panes lie behind the frames around them
    panes = (made.object_ids == 2) & np.isin(made.materials, material_rows(["pane", "lit_pane"]))
    frames = (made.object_ids == 2) & (made.materials == MATERIALS.index("painted"))
    front = made.vertices[made.triangles][..., 1]
    assert front[panes].max() < front[frames].max()
    joined = with_classes_of(mesh_with_parts(mesh, grid, {}), made, [BUILDING])
    assert joined.materials is not None
    np.testing.assert_array_equal(joined.materials[joined.labels == BUILDING], made.materials[made.object_ids == 2])
    assert not joined.materials[joined.labels == CAR].any()


def test_people_wear_trousers_below_their_jackets_and_have_hair() -> None:
    def of(class_name: str) -> list[str]:
        who = LayoutObject("x", class_name, (12.0, 12.0, 1.0), (0.6, 0.5, 1.8), 0.0, parts=(
            LayoutPart("box", (0.0, 0.0, -0.5), (0.2, 0.2, 0.8), material="cloth", role=1),
            LayoutPart("box", (0.0, 0.0, 0.3), (0.4, 0.3, 0.6), material="cloth", role=0),
            LayoutPart("box", (0.3, 0.0, -0.1), (0.1, 0.1, 0.6), material="cloth", role=0),
            LayoutPart("box", (0.0, 0.0, 0.8), (0.2, 0.2, 0.2), material="rough", role=2),
        ))  # fmt: skip
        mesh = mesh_with_parts(_box(1, OUTDOOR.index_of(class_name)), _grid(GridObject(1, "x")), {1: who})
        assert mesh.materials is not None
        return [MATERIALS[row] for row in mesh.materials[::12].tolist()]

    for class_name in ("person", "bicyclist"):
        assert of(class_name) == ["trousers", "cloth", "cloth", "hair"]
    assert of("fence") == ["cloth", "cloth", "cloth", "rough"]


def test_pixels_see_materials_and_leaves() -> None:
    tree, car = _box(1, VEGETATION, 5.0), _box(2, CAR)
    gloss = np.full(4, MATERIALS.index("gloss"), np.uint8)
    seen = {}
    for mesh in (tree, TriangleMesh(car.vertices, car.triangles, car.labels, car.object_ids, materials=gloss)):
        grid = _grid(GridObject(1, "tree"), GridObject(2, "car"))
        camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, looking_at((18.0, 18.0, 6.0), (11.0, 11.0, 2.0)))
        buffer = mesh_gbuffer([RayScene(mesh, grid)], CameraTensors.from_cameras([[camera]]), (64, 64))
        hit = buffer.depth.isfinite()
        assert not buffer.materials[~hit].any()
        seen[int(buffer.labels.max())] = set(buffer.materials[hit].tolist())
    assert seen == {VEGETATION: {0, LEAVES}, CAR: {MATERIALS.index("gloss")}}

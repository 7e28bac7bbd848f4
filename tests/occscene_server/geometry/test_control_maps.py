"""Control maps follow the conventions that ControlNets were trained with, to the byte."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.rigid import Float64Array
from occscene.taxonomy import INDOOR, OUTDOOR

from occscene_server.geometry.ade20k import ADE20K, ade20k_class
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.control_maps import MAPS, control_maps, depth_map, legend
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from tests.occscene_server.geometry.random_scenes import looking_at

FLOOR, WALL, SOFA, FURNITURE, OBJECTS = (INDOOR.index_of(name) for name in ("floor", "wall", "sofa", "furn", "objs"))
OBJECT_LIST = (GridObject(3, "Sofa.001"), GridObject(8, "Curtain"), GridObject(9, "gadget"), GridObject(20, "wall"))


def _turned() -> Float64Array:
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]]
    pose[:3, 3] = (40.0, -3.0, 1.0)
    return pose


def _room() -> tuple[SemanticGrid, list[PinholeCamera]]:
    """A floor, a wall at its far side, a sofa, a curtain and an object without a known name; a turned grid."""
    labels, ids = np.zeros((20, 20, 12), np.uint8), np.zeros((20, 20, 12), np.uint16)
    labels[:, :, 0] = FLOOR
    labels[:, 19], ids[:, 19] = WALL, 20
    for row, (name, part) in enumerate(
        {SOFA: np.s_[4:9, 12:16, 1:5], OBJECTS: np.s_[12:14, 16:18, 1:10], 255: np.s_[15:18, 8:11, 1:4]}.items()
    ):
        labels[part], ids[part] = OBJECTS if name == 255 else name, (3, 8, 9)[row]
    grid = SemanticGrid(labels, 0.2, _turned(), "indoor", ids, OBJECT_LIST)
    poses = [looking_at((2.0, 0.3, 1.6), (2.0, 3.8, 0.7)), looking_at((3.6, 0.5, 1.9), (1.0, 3.5, 0.4))]
    return grid, [
        PinholeCamera(str(index), 96, 64, 75.0, 70.0, 48.0, 32.0, grid.world_from_grid @ pose)
        for index, pose in enumerate(poses)
    ]


def _maps(grid: SemanticGrid, cameras: list[PinholeCamera]) -> dict[str, torch.Tensor]:
    tensors = CameraTensors.from_cameras([cameras])
    buffer = scene_gbuffer(GridTensors.from_grids([grid]), (), tensors, (cameras[0].height, cameras[0].width))
    return control_maps(MAPS, buffer, grid, tensors)


def _colors(maps: torch.Tensor) -> set[tuple[int, ...]]:
    pixels = maps.movedim(1, -1).reshape(-1, 3) * 255
    assert torch.equal(pixels, pixels.round())
    return {tuple(map(int, row)) for row in pixels.unique(dim=0).tolist()}


def test_classes_have_the_benchmarks_colors_and_no_others() -> None:
    grid, cameras = _room()
    colors = _colors(_maps(grid, cameras)["ade20k"])
    assert colors == {(80, 50, 50), (120, 120, 120), (11, 102, 255), (255, 51, 7), (0, 0, 0)}


@pytest.mark.parametrize(
    ("index", "name", "color"),
    [
        (1, "wall", (120, 120, 120)), (8, "bed", (204, 5, 255)), (45, "chest of drawers", (6, 51, 255)),
        (65, "coffee table", (0, 255, 112)), (90, "television receiver", (0, 255, 194)), (98, "ottoman", (255, 153, 0)),
        (126, "pot", (245, 0, 255)), (136, "vase", (0, 255, 204)), (149, "clock", (102, 255, 0)),
        (150, "flag", (92, 0, 255)),
    ],
)  # fmt: skip
def test_the_table_is_the_published_one(index: int, name: str, color: tuple[int, int, int]) -> None:
    assert (ADE20K.classes[index].name, ADE20K.classes[index].color) == (name, color)


def test_two_classes_of_the_table_share_a_color() -> None:
    colors = [entry.color for entry in ADE20K.classes]
    assert len(colors) == 151
    shared = [entry.name for entry in ADE20K.classes if colors.count(entry.color) > 1]
    assert shared == ["road", "skyscraper"]


@pytest.mark.parametrize(
    ("label", "name", "expected"),
    [
        ("wall", "Door.002", "door"), ("wall", "north wall", "wall"), ("floor", "Rug", "rug"),
        ("sofa", "Box.003", "sofa"),
        ("table", "CoffeeTable", "coffee table"), ("chair", "Cube", "chair"), ("furn", "oak wardrobe", "wardrobe"),
        ("furn", "Cube.001", "cabinet"), ("objs", "wall lamp", "lamp"), ("objs", "Cube", "empty"),
        ("tvs", "TV", "television receiver"), ("chair", "armchair", "armchair"), ("window", "Window", "windowpane"),
    ],
)  # fmt: skip
def test_a_name_decides_where_it_does_not_contradict_the_class(label: str, name: str, expected: str) -> None:
    assert ADE20K.classes[ade20k_class("indoor", INDOOR.index_of(label), name)].name == expected


def test_every_class_but_vague_ones_has_a_color_of_its_own_kind() -> None:
    for taxonomy in (INDOOR, OUTDOOR):
        black = [entry.name for entry in taxonomy.classes if not ade20k_class(taxonomy.name, entry.index)]
        assert black == (["empty", "objs"] if taxonomy is INDOOR else ["empty"])


def test_normals_face_in_blue_lie_in_green_and_look_left_in_red() -> None:
    grid, cameras = _room()
    facing, _ = _maps(grid, cameras)["normal"]
    torch.testing.assert_close(facing[:, 11, 48], torch.tensor([0.5, 0.5, 1.0]), atol=0.15, rtol=0)  # wall ahead
    assert facing[:, 59, 48].argmax() == 1  # the floor, from above
    level = [PinholeCamera("c", 96, 64, 75.0, 70.0, 48.0, 32.0, grid.world_from_grid @ looking_at(*line))
             for line in (((2.0, 0.3, 1.0), (2.0, 3.8, 1.0)), ((3.8, 2.9, 1.0), (0.0, 3.3, 1.0)))]  # fmt: skip
    straight, aside = _maps(grid, level)["normal"]
    torch.testing.assert_close(straight[:, 14, 48], torch.tensor([0.5, 0.5, 1.0]), atol=1e-6, rtol=0)
    assert (aside[0] > 0.9).any()  # the wall to the right, which looks to the left of the image
    assert not (aside[0] < 0.4).any()
    up = PinholeCamera("c", 96, 64, 75.0, 70.0, 48.0, 32.0, grid.world_from_grid @ looking_at((2, 2, 2), (2, 2.5, 5)))
    assert (_maps(grid, [up])["normal"] == 0.5).all()  # nothing is seen


def test_depth_is_near_white_between_its_percentiles() -> None:
    depth = torch.cat([torch.linspace(1, 5, 10_000), torch.full((100,), torch.inf)]).view(1, 100, 101)
    drawn = depth_map(depth)
    assert drawn.shape == (1, 3, 100, 101)
    flat = drawn[0, 0].flatten()
    near = 1 / depth[torch.isfinite(depth)].double().numpy()
    low, high = np.percentile(near, (1, 99))
    np.testing.assert_allclose(flat[:10_000], np.clip((near - low) / (high - low), 0, 1), atol=1e-5)
    assert (flat[:10_000].diff() <= 0).all()
    assert flat[0] == 1
    assert flat[9_999] == 0
    assert (flat[10_000:] == 0).all()


def test_a_view_of_one_depth_is_white_and_an_empty_one_black() -> None:
    depth = torch.stack([torch.full((4, 5), 3.0), torch.full((4, 5), torch.inf)])
    depth[0, 0] = torch.inf
    drawn = depth_map(depth)
    assert (drawn[0, :, 1:] == 1).all()
    assert (drawn[0, :, 0] == 0).all()
    assert (drawn[1] == 0).all()


def test_instances_have_the_same_color_in_all_views_and_differ() -> None:
    grid, cameras = _room()
    maps = _maps(grid, cameras)["instances"]
    first, second = _colors(maps[:1]), _colors(maps[1:])
    assert first == second
    assert len(first) == 6  # sofa, curtain, gadget, wall, floor, nothing
    many = [GridObject(number, "sofa") for number in range(1, 200)]
    labels, ids = np.zeros((200, 1, 1), np.uint8), np.zeros((200, 1, 1), np.uint16)
    labels[1:], ids[1:, 0, 0] = SOFA, np.arange(1, 200)
    row = SemanticGrid(labels, 0.1, np.eye(4), "indoor", ids, tuple(many))
    side = PinholeCamera("c", 800, 64, 400.0, 400.0, 400.0, 32.0, looking_at((10.0, -11.0, 0.05), (10.0, 0.0, 0.05)))
    assert len(_colors(_maps(row, [side])["instances"])) > 190


def test_the_legend_names_what_is_seen() -> None:
    grid, cameras = _room()
    tensors = CameraTensors.from_cameras([cameras])
    buffer = scene_gbuffer(GridTensors.from_grids([grid]), (), tensors, (64, 96))
    named = legend(buffer, grid)
    assert named["ade20k"] == {
        "floor": [80, 50, 50], "wall": [120, 120, 120], "sofa": [11, 102, 255], "curtain": [255, 51, 7],
        "unknown": [0, 0, 0],
    }  # fmt: skip
    assert set(named["instances"]) == {"floor", "wall", "3 Sofa.001", "8 Curtain", "9 gadget"}


def test_an_outdoor_ray_that_leaves_sees_the_sky() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[:, :, 0] = OUTDOOR.index_of("road")
    grid = SemanticGrid(labels, 1.0, np.eye(4), "outdoor")
    camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, looking_at((-2.0, 4.0, 3.0), (8.0, 4.0, 3.0)))
    assert _colors(_maps(grid, [camera])["ade20k"]) == {(6, 230, 230), (140, 140, 140)}

"""The bundled model of streets: shadows where the sun's rays end, tyres black on a red bus, in drafts and in views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.part_shapes import part_shape, triangulated
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume

from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.materials import MATERIALS
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.geometry.tints import TINTS
from occscene_server.pipelines import guided_decoding
from occscene_server.pipelines.guided_decoding import scene_words
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.weights import bundled_models
from tests.occscene_server.geometry.random_scenes import looking_at

pytestmark = pytest.mark.weights

BOXES = (
    ("road", (0.0, 0.0, -0.1), (40.0, 40.0, 0.2), "asphalt"),
    ("tower", (0.0, 0.0, 3.0), (3.0, 3.0, 6.0), "render"),
    ("red bus", (9.0, -6.0, 1.6), (9.0, 2.4, 2.2), "car_paint"),
    ("red bus", (9.0, -6.0, 0.25), (9.0, 2.3, 0.5), "rubber"),
)
"""Names, middles, sizes and materials; the last two are one object."""
CLASSES = {"road": "road", "tower": "building", "red bus": "other-vehicle"}
SUN = {"sun_elevation": 45.0, "sun_azimuth": 270.0}


@pytest.fixture(scope="module")
def streets() -> OccScenePipeline:
    pipeline = OccScenePipeline.from_pretrained(str(bundled_models()["outdoor"]))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def scene() -> tuple[SemanticGrid, TriangleMesh, list[PinholeCamera]]:
    volume = default_volume("outdoor")
    labels, instances = np.zeros(volume.shape, np.uint8), np.zeros(volume.shape, np.uint16)
    vertices, triangles, classes, ids, materials = [], [], [], [], []
    names = list(CLASSES)
    for number, (name, center, size, material) in enumerate(BOXES):
        corners, faces = part_shape("box", np.array(size))
        vertices.append(corners + center)
        triangles.append(triangulated(faces) + 8 * number)
        label, own = OUTDOOR.index_of(CLASSES[name]), names.index(name) + 1
        classes.append(np.full(12, label, np.uint8))
        ids.append(np.full(12, own, np.uint16))
        materials.append(np.full(12, MATERIALS.index(material), np.uint8))
        low, high = (
            np.rint((np.array(center) + side * np.array(size) / 2 - volume.world_from_grid[:3, 3]) / volume.voxel_size)
            for side in (-1, 1)
        )
        place = tuple(slice(max(0, int(a)), max(1, int(b))) for a, b in zip(low, high, strict=True))
        labels[place], instances[place] = label, own
    objects = tuple(GridObject(index + 1, name) for index, name in enumerate(names))
    grid = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, "outdoor", instances, objects)
    mesh = TriangleMesh(
        np.concatenate(vertices), np.concatenate(triangles), np.concatenate(classes), np.concatenate(ids),
        materials=np.concatenate(materials),
    )  # fmt: skip
    pose = looking_at((4.0, -22.0, 12.0), (4.0, 0.0, 0.0))
    return grid, mesh, [PinholeCamera("c", 192, 192, 180.0, 180.0, 96.0, 96.0, pose)]


def seen(camera: PinholeCamera, *points: tuple[float, float, float]) -> list[tuple[int, int]]:
    """Rows and columns of the pixels that show points of the world."""
    places = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(camera.world_from_camera).T
    x = camera.fx * places[:, 0] / places[:, 2] + camera.cx
    y = camera.fy * places[:, 1] / places[:, 2] + camera.cy
    return [(int(row), int(column)) for row, column in zip(y, x, strict=True)]


def light_at(view: np.ndarray, place: tuple[int, int]) -> float:
    """Linear luminance of the 5 x 5 pixels about a place."""
    row, column = place
    square = torch.from_numpy(view[row - 2 : row + 3, column - 2 : column + 3].astype(np.float32) / 255)
    return float(linear_from_srgb(square).mean())


def test_the_tower_throws_its_shadow_to_the_east(streets: OccScenePipeline) -> None:
    grid, mesh, cameras = scene()
    east, west = seen(cameras[0], (4.0, 0.3, 0.0), (-4.0, 0.3, 0.0))

    def shade(**call: object) -> float:
        """Light in the west of the tower over that in its east."""
        view = streets("an asphalt road", cameras, grid, meshes=mesh, seed=2, num_inference_steps=4, **call).images[0]
        return light_at(view, west) / light_at(view, east)

    assert shade() == pytest.approx(1, abs=0.2)
    assert shade(**SUN) > 2
    assert shade(**SUN | {"sun_azimuth": 90.0}) < 0.5
    assert shade(**SUN | {"sun_azimuth": 0.0}) == pytest.approx(1, abs=0.2)


def test_sunlight_of_start_views_is_not_laid_on_twice(streets: OccScenePipeline) -> None:
    grid, mesh, cameras = scene()
    call = {"meshes": mesh, "seed": 2, "num_inference_steps": 4, **SUN}
    first = streets("an asphalt road", cameras, grid, **call).images
    for strength in (0.0, 0.3):
        again = streets("an asphalt road", cameras, grid, start=first, strength=strength, **call).images
        assert np.abs(again.astype(int) - first).mean() < 6


def test_tyres_are_black_whatever_the_color_of_their_bus(streets: OccScenePipeline) -> None:
    grid, mesh, cameras = scene()
    body, wheels = seen(cameras[0], (9.0, -7.2, 1.9), (9.0, -7.15, 0.25))
    view = streets.draw_draft("a red bus on an asphalt road", cameras, grid, meshes=mesh, seed=2).images[0]
    red = view[body[0] - 2 : body[0] + 3, body[1] - 2 : body[1] + 3].reshape(-1, 3).mean(0)
    black = view[wheels[0] - 1 : wheels[0] + 2, wheels[1] - 2 : wheels[1] + 3].reshape(-1, 3).mean(0)
    assert red[0] > 1.5 * red[1:].max()
    assert black.max() < 75
    assert np.ptp(black) < 30


def test_tables_of_streets_with_many_names_stay_small(
    streets: OccScenePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guided_decoding, "_MOST_TINTED", 2)
    grid, _, _ = scene()
    names = ["bus", "house", "bus", "car", "house"]
    crowded = replace(grid, objects=tuple(GridObject(number, name) for number, name in enumerate(names, 1)))
    words = scene_words("a street", crowded)
    assert words.names == names
    placed = GridTensors.from_grids([crowded])
    told = guided_decoding.object_tables(streets.text_encoder, streets.tokenizer, placed, [words], torch.tensor([1]))
    bus = len(names) + 1
    house = bus + len(TINTS)
    assert told.tinted[0].tolist() == [0, bus, house, bus, 0, house]
    assert len(told.table.hints) == house + len(TINTS)
    torch.testing.assert_close(told.table.hints[bus:house, :3], TINTS)
    assert not told.table.colors[bus:].any(), "words of objects say nothing of tints"

"""Crops of a street with a sun: where its light falls, what latents are of, and how tyres are called."""

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
from torch import Tensor

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, scene_folder, write_scene
from occscene_server.data.scene_mesh import SceneMeshes
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.materials import MATERIALS
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import bytes_from_images, images_from_bytes
from occscene_server.geometry.tints import TINTS, tint_rows
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.sun_shading import sun_factors, sunlit
from occscene_server.training.decoder_crops import DecoderRoom, gather, whole_view
from occscene_server.training.phrasebook import Phrasebook
from occscene_server.training.surface_kinds import SurfaceKinds
from tests.occscene_server.geometry.random_scenes import looking_at

SIDE = 64
SUN = (-0.6, 0.0, 0.8)
ROAD, CAR = OUTDOOR.index_of("road"), OUTDOOR.index_of("car")
RUBBER, PAINT = MATERIALS.index("rubber"), MATERIALS.index("car_paint")
Boxes = list[tuple[tuple[float, float, float], tuple[float, float, float], int, int, int]]


def mesh(boxes: Boxes) -> TriangleMesh:
    """Boxes of middles, sizes, classes, ids and materials."""
    parts = [part_shape("box", np.array(size)) for _, size, *_ in boxes]
    return TriangleMesh(
        np.concatenate([corners + box[0] for (corners, _), box in zip(parts, boxes, strict=True)]),
        np.concatenate([triangulated(faces) + 8 * number for number, (_, faces) in enumerate(parts)]),
        np.repeat([box[2] for box in boxes], 12).astype(np.uint8),
        np.repeat([box[3] for box in boxes], 12).astype(np.uint16),
        materials=np.repeat([box[4] for box in boxes], 12).astype(np.uint8),
    )


def street() -> RenderedScene:
    """A gray road with a car's body on its wheels; its blockout is twice as high, and so would be its shadow."""
    road = ((0.0, 0.0, -0.1), (12.0, 12.0, 0.2), ROAD, 1, 0)
    body, wheels = (
        ((0.0, 0.0, 0.9), (3.0, 1.6, 0.8), CAR, 2, PAINT),
        ((0.0, 0.0, 0.25), (2.8, 1.5, 0.5), CAR, 2, RUBBER),
    )
    meshes = SceneMeshes(mesh([road, body, wheels]), mesh([road, ((0.0, 0.0, 1.3), (3.0, 1.6, 2.6), CAR, 2, 0)]))
    labels = np.zeros((60, 60, 16), np.uint8)
    labels[:, :, 0] = ROAD
    instances = (labels == ROAD).astype(np.uint16)
    labels[22:38, 26:34, 1:14], instances[22:38, 26:34, 1:14] = CAR, 2
    pose = np.eye(4)
    pose[:3, 3] = (-6, -6, -0.2)
    objects = (GridObject(1, "road", (0.1, 0.1, 0.1)), GridObject(2, "car", (0.6, 0.02, 0.02)))
    grid = SemanticGrid(labels, 0.2, pose, "outdoor", instances, objects)
    camera = PinholeCamera("c", SIDE, SIDE, 60.0, 60.0, 32.0, 32.0, looking_at((0.0, -8.0, 4.0), (0.0, 0.0, 0.5)))
    items = tuple(
        {"id": number, "name": name, "class": name, "phrase": phrase, "share": 0.3}
        for number, name, phrase in ((1, "road", "an asphalt road"), (2, "car", "a red car"))
    )
    info = SceneInfo(2, "outdoor", "a street", "", "", "clear day", "", "", items, SUN)
    seen = mesh_gbuffer([RayScene(meshes.true, grid)], CameraTensors.from_cameras([[camera]]), (SIDE, SIDE))
    views = np.full((1, SIDE, SIDE, 3), 120, np.uint8)
    shown = seen.objects[0].numpy().astype(np.uint16)
    return RenderedScene(info, grid, grid, (camera,), views, shown, meshes)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[DecoderRoom, list[Tensor], Phrasebook]:
    """The street as training has it, and the views that its latents are of."""
    folder = tmp_path_factory.mktemp("street")
    write_scene(folder, street())
    info = read_scene(scene_folder(folder, 2)).info
    encoded: list[Tensor] = []

    def encode(views: Tensor) -> Tensor:
        encoded.append(views)
        return torch.zeros(1, 4, SIDE // 8, SIDE // 8)

    kinds = SurfaceKinds.of_scenes([info])
    book = Phrasebook(
        folder / "text", ["light", "a street", "road", "car", "an asphalt road", "a red car"], *load_minilm()
    )
    return DecoderRoom(scene_folder(folder, 2), kinds, encode, None, None), encoded, book


def test_shadows_are_those_of_the_view_whatever_it_is_drawn_from(
    scene: tuple[DecoderRoom, list[Tensor], Phrasebook],
) -> None:
    room, _, _ = scene
    light = {source: room.buffer(whole_view(room, 0, source)).sunlight for source in ("true", "boxes", "voxels")}
    assert torch.equal(light["true"], light["boxes"])
    assert light["true"][0, 0, 1].max() > 0.7
    own = RayScene(street().meshes.blockout, street().blockout, np.array(SUN))
    higher = mesh_gbuffer([own], room.cameras, (SIDE, SIDE)).sunlight
    assert not torch.equal(higher, light["true"]), "a box twice as high throws another shadow"
    assert not light["voxels"].any()
    dark = room.buffer(replace(whole_view(room, 0, "boxes"), sunlit=False)).sunlight
    assert not dark.any()


def test_latents_are_of_views_without_sunlight(scene: tuple[DecoderRoom, list[Tensor], Phrasebook]) -> None:
    room, encoded, _ = scene
    (views,) = encoded
    assert views.dtype == torch.uint8
    buffer = mesh_gbuffer(
        [RayScene(street().meshes.true, street().blockout, np.array(SUN))], room.cameras, (SIDE, SIDE)
    )
    again = bytes_from_images(sunlit(images_from_bytes(views), sun_factors(buffer, [np.array(SUN)], "outdoor")[0]))
    assert int((again.int() - room.views.int()).abs().max()) <= 4
    lit = buffer.sunlight[0, 0, 1] > 0.5
    road = buffer.labels[0, 0] == ROAD
    shade = road & (buffer.sunlight[0, 0, 1] == 0)
    assert shade.sum() > 20
    assert views[0][shade].float().mean() > 1.2 * views[0][road & lit].float().mean(), "shade was brighter without sun"


def test_tyres_are_told_by_their_tint_and_the_body_by_its_hint(
    scene: tuple[DecoderRoom, list[Tensor], Phrasebook],
) -> None:
    room, _, book = scene
    batch = gather([room], [whole_view(room, 0, "true")], book, len(OUTDOOR), np.random.default_rng(0))
    materials, rows = batch.materials[0], batch.rows[0] // len(OUTDOOR)
    tyre, body = (rows[materials == material].unique() for material in (RUBBER, PAINT))
    assert len(tyre) == len(body) == 1
    tint = TINTS[int(tint_rows(torch.tensor([RUBBER]), torch.tensor([2]))[0]) - 1]
    torch.testing.assert_close(batch.table.hints[tyre[0]], torch.tensor([*tint.tolist(), 1.0]))
    assert batch.table.hints[body[0], 0] > 0.5
    assert batch.table.colors[body[0], 3] == 1, "its phrase names a color"
    assert not batch.table.colors[tyre[0]].any()
    torch.testing.assert_close(batch.table.names[tyre[0]], batch.table.names[body[0]])
    lit = batch.light[0, 1]
    assert float(lit.max()) > 1.2
    assert float(lit.min()) < 0.7

"""Stored rooms as G-buffers: what Cycles saw, with the words and colours that belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR

pytest.importorskip("bpy")

from occscene_server.data.dataset import RenderedScene, write_scene
from occscene_server.geometry.solids import Solids
from occscene_server.studio.cycles import RenderSettings
from occscene_server.studio.indoor import build_room
from occscene_server.studio.render_scene import render_indoor_scene
from occscene_server.studio.scene_grids import item_classes
from occscene_server.training.scene_buffers import SceneBuffers, Source, read_scene_buffers

pytestmark = [pytest.mark.blender, pytest.mark.slow]
SEED = 5
SIZE = (96, 96)


@pytest.fixture(scope="module")
def scene() -> RenderedScene:
    return render_indoor_scene(SEED, side=96, settings=RenderSettings(samples=1), semantics=True)


@pytest.fixture(scope="module")
def folder(scene: RenderedScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("rooms"), scene)


def _items(buffers: SceneBuffers, scene: RenderedScene) -> np.ndarray:
    """(views, h, w) the item that each pixel shows."""
    ids = np.array([0, *(obj.id for obj in scene.blockout.objects)])
    items: np.ndarray = ids[buffers.maps.objects[0].numpy()]
    return items


def test_the_true_mesh_shows_what_was_rendered(scene: RenderedScene, folder: Path) -> None:
    buffers = read_scene_buffers(folder, "true", SIZE)
    assert scene.items is not None
    items = _items(buffers, scene)
    assert (items == scene.items).mean() > 0.998
    np.testing.assert_array_equal(buffers.maps.labels[0].numpy(), item_classes(build_room(SEED).items, INDOOR)[items])


@pytest.mark.parametrize("source", ["true", "blockout", "voxels"])
def test_every_source_shows_the_same_rows(scene: RenderedScene, folder: Path, source: Source) -> None:
    buffers = read_scene_buffers(folder, source, SIZE)
    assert scene.items is not None
    assert buffers.maps.labels.shape == (1, len(scene.cameras), *SIZE)
    assert (_items(buffers, scene) == scene.items).mean() > 0.5
    room = build_room(SEED)
    assert len(buffers.phrases) == len(buffers.hints) == len(room.items) + 1
    assert buffers.phrases[0] == ""
    for item in scene.info.items:
        assert buffers.phrases[int(item["id"])] == item["phrase"]
    for row, item in enumerate(room.items, 1):
        if item.blockout:
            np.testing.assert_allclose(buffers.hints[row, :3], item.color, atol=1e-6)


def test_what_no_view_shows_has_its_name_and_the_class_of_its_name(folder: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "scene_000005"
    hidden.mkdir()
    for path in folder.iterdir():
        (hidden / path.name).write_bytes(path.read_bytes())
    facts = json.loads((hidden / "scene.json").read_text(encoding="utf-8"))
    gone = next(item for item in facts["items"] if item["class"] not in ("objs", "wall", "floor"))
    facts["items"] = [item for item in facts["items"] if item["id"] != gone["id"]]
    (hidden / "scene.json").write_text(json.dumps(facts), encoding="utf-8")
    buffers = read_scene_buffers(hidden, "true", SIZE)
    row = int(gone["id"])
    assert buffers.phrases[row] == gone["name"].rstrip(" 0123456789")
    seen = buffers.maps.objects == row
    assert seen.any()
    assert (buffers.maps.labels[seen] == INDOOR.index_of(gone["class"])).all()


def test_parts_take_the_place_of_their_box_alone(scene: RenderedScene, folder: Path) -> None:
    item = next(item for item in scene.info.items if item["class"] in ("sofa", "bed", "table", "furn", "chair"))
    row = int(item["id"])

    def half_as_high(grid: SemanticGrid, mesh: TriangleMesh) -> Mapping[int, LayoutObject]:
        own = mesh.vertices[mesh.triangles[mesh.object_ids == row]].reshape(-1, 3)
        low, high = own.min(0), own.max(0)
        size = high - low
        solids = Solids(
            np.zeros(1, np.int64), np.array([[0, 0, -size[2] / 4]]), np.array([[size[0], size[1], size[2] / 2]]),
            np.eye(3)[None], np.ones(1), ("wood",), np.zeros(1, np.int64),
        )  # fmt: skip
        middle = (low + high) / 2
        return {row: LayoutObject("a", str(item["class"]), tuple(middle), tuple(size), parts=solids.layout_parts())}

    boxes = read_scene_buffers(folder, "blockout", SIZE).maps
    parts = read_scene_buffers(folder, "parts", SIZE, half_as_high).maps
    assert 0 < (parts.objects == row).sum() < (boxes.objects == row).sum()
    elsewhere = (boxes.objects != row) & (parts.objects != row)
    for name in ("labels", "objects", "depth"):
        assert torch.equal(getattr(boxes, name)[elsewhere], getattr(parts, name)[elsewhere])
    torch.testing.assert_close(
        boxes.surface.movedim(2, 4)[elsewhere], parts.surface.movedim(2, 4)[elsewhere], atol=1e-4, rtol=0
    )

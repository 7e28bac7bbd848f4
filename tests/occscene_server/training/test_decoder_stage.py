"""Training the guided decoder on tiny rooms: what a batch holds, and a run that is killed and resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.mesh import TriangleMesh
from safetensors.torch import load_file
from typer.testing import CliRunner

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, scene_folder, write_scene
from occscene_server.data.scene_mesh import SceneMeshes
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.materials import MATERIALS
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.guided_decoding import SceneWords, decode_guided, object_tables
from occscene_server.training.cli import train_app
from occscene_server.training.decoder_crops import SOURCES, gather, random_crop, whole_view
from occscene_server.training.decoder_rooms import DecoderRooms, read_rooms
from occscene_server.training.decoder_stage import initial_decoder
from occscene_server.training.decoder_views import draw
from occscene_server.training.prefetch import Prefetched
from occscene_server.training.surface_kinds import NOTHING, SurfaceKinds
from occscene_server.weights import default_parts_prior
from tests.occscene_server.training.test_chain import SIDE, tiny_scene

pytestmark = pytest.mark.weights

OPTIONS = ("--batch", "2", "--crop", "32")


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([[(low, high)[bit >> axis & 1][axis] for axis in range(3)] for bit in range(8)])
    sides = ((0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6))
    return corners, np.array([(a, b, c) for a, b, c, d in sides] + [(a, c, d) for a, b, c, d in sides])


def room(seed: int) -> RenderedScene:
    """`tiny_scene` with meshes: a wall and a sofa, whose true mesh is lower than its box."""
    scene = tiny_scene(seed)

    def mesh(height: float) -> TriangleMesh:
        vertices, triangles, ids = [], [], []
        for number, extent in ((1, ((0.4, 1.2, 0.2), (1.0, 1.8, height))), (2, ((0.0, 2.2, 0.0), (2.4, 2.4, 1.6)))):
            corners, faces = box(*extent)
            triangles.append(faces + 8 * len(vertices))
            vertices.append(corners)
            ids.append(np.full(len(faces), number, np.uint16))
        numbers = np.concatenate(ids)
        return TriangleMesh(
            np.concatenate(vertices), np.concatenate(triangles), np.where(numbers == 1, 7, 3).astype(np.uint8), numbers
        )

    meshes = SceneMeshes(mesh(0.6), mesh(0.9))
    seen = mesh_gbuffer(
        [RayScene(meshes.true, scene.blockout)], CameraTensors.from_cameras([scene.cameras]), (SIDE, SIDE)
    )
    return replace(scene, meshes=meshes, items=seen.objects[0].numpy().astype(np.uint16))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    for seed in (1, 2, 3, 4):  # the first is held out
        write_scene(folder / "data", room(seed))
    torch.manual_seed(0)
    SceneAutoencoder((8, 8, 8), 1, 4, (0.0,) * 4, (1.0,) * 4).save_pretrained(folder / "vae")
    return folder


@pytest.fixture(scope="module")
def rooms(root: Path) -> DecoderRooms:
    return read_rooms(root / "data", "train", root / "vae", default_parts_prior(), root / "texts", None)


def train(root: Path, command: str, name: str, *more: str) -> dict[str, object]:
    arguments = ["--data", str(root / "data"), "--output", str(root / name), "--vae", str(root / "vae"), *OPTIONS]
    result = CliRunner().invoke(train_app, [command, *arguments, *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return torch.load(root / name / "checkpoint.pt", weights_only=True)


def flat(state: dict[str, torch.Tensor]) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in state.items()}


@pytest.mark.slow
def test_runs_stopped_after_every_step_are_the_same(root: Path) -> None:
    regression = ("decoder", "regression", "--steps", "2", "--widths", "8,8,16,16")
    train(root, *regression, "--max-minutes", "1e-9")
    assert train(root, *regression)["step"] == 2
    options = ("--initial", str(root / "regression" / "decoder"), "--steps", "2")
    whole = train(root, "decoder-adversarial", "whole", *options)
    for step in (1, 2):
        cut = train(root, "decoder-adversarial", "cut", *options, "--max-minutes", "1e-9")
        assert cut["step"] == step
    assert flat(cut["model"]) == flat(whole["model"])
    assert any("discriminator" in name for name in cut["model"])
    rows = [json.loads(line) for line in (root / "cut" / "log.jsonl").read_text().splitlines()]
    assert {"l1", "pull", "told_apart"} <= set(next(row for row in rows if "pull" in row))
    assert (root / "cut" / "sheet.webp").stat().st_size > 1000
    assert GuidedDecoder.from_pretrained(root / "cut" / "decoder").config.latent_channels == 4
    train(root, "decoder-adversarial", "mixed", *options, "--keep", "0.25")
    before, after, mixed = (
        flat(load_file(root / name / "decoder" / "diffusion_pytorch_model.safetensors"))
        for name in ("regression", "whole", "mixed")
    )
    for name, values in mixed.items():
        np.testing.assert_allclose(values, 0.25 * np.array(before[name]) + 0.75 * np.array(after[name]), atol=1e-6)
    assert any(values != after[name] for name, values in mixed.items())


def test_a_decoder_that_knows_of_no_materials_goes_on_with_all(tmp_path: Path, rooms: DecoderRooms) -> None:
    torch.manual_seed(0)
    before = GuidedDecoder(rooms.classes, 4, (8, 8, 16, 16)).eval()
    before.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["materials"]  # as files of before
    (tmp_path / "config.json").write_text(json.dumps(config))
    after = initial_decoder(tmp_path, rooms.classes)
    assert after.config.materials == len(MATERIALS)
    assert after.made_of is not None
    assert after.made_of.weight.requires_grad
    crop = whole_view(rooms.room(0), 0, "true")
    batch = gather([rooms.room(0)], [crop], rooms.book, rooms.classes, np.random.default_rng(0))
    batch = replace(batch, materials=torch.full_like(batch.rows, 5))
    with torch.no_grad():
        assert torch.equal(draw(before, batch), draw(after, batch))
        after.made_of.weight[5] = 1.0
        assert not torch.equal(draw(before, batch), draw(after, batch))


def test_a_crop_is_a_cut_of_the_whole_view(rooms: DecoderRooms) -> None:
    one = rooms.room(0)
    whole = whole_view(one, 1, "true", 0.0)
    crop = replace(whole, top=16, left=24, side=32)
    square = (slice(16, 48), slice(24, 56))
    for name in ("labels", "objects", "depth", "footprint", "normal"):
        maps = getattr(one.buffer(whole), name)
        torch.testing.assert_close(getattr(one.buffer(crop), name), maps[..., *square], atol=1e-5, rtol=1e-5)
    assert (one.buffer(whole).objects[0, 0] == one.grids.hints.new_tensor(read_scene(rooms.folders[0]).items[1])).all()


def test_boxes_and_voxels_show_another_shape_beside_the_same_view(rooms: DecoderRooms) -> None:
    one = rooms.room(0)
    sofa = {
        source: (one.buffer(whole_view(one, 0, source)).objects == 1).sum() for source in ("true", "boxes", "voxels")
    }
    assert 0 < sofa["true"] < sofa["boxes"]
    assert sofa["voxels"] > 0


def test_parts_are_drawn_once_and_read_again(rooms: DecoderRooms, root: Path) -> None:
    seen = [rooms.room(0).buffer(whole_view(rooms.room(0), 0, "parts")).depth for _ in range(2)]
    assert torch.equal(*seen)
    stored = root / "texts" / "parts" / f"{rooms.folders[0].name}.json"
    stored.write_text(json.dumps({"ids": [], "layout": json.loads(stored.read_text())["layout"] | {"objects": []}}))
    one = rooms.room(0)
    assert torch.equal(one.buffer(whole_view(one, 0, "parts")).depth, one.buffer(whole_view(one, 0, "boxes")).depth)
    stored.unlink()


def test_latents_of_the_denoiser_are_taken_where_they_are(
    rooms: DecoderRooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, rng = rooms.room(0), np.random.default_rng(0)
    assert one.denoised is None
    assert not any(random_crop(one, 32, rng).denoised for _ in range(50))
    file = np.zeros((len(rooms), *one.latents.shape), np.float16)
    file[0] = 7
    np.save(tmp_path / "train.npy", file)
    monkeypatch.setattr(rooms, "denoised", tmp_path / "train.npy")
    one = rooms.room(0)
    assert rooms.room(1).denoised is None
    crops = [random_crop(one, 32, rng) for _ in range(1000)]
    assert np.mean([crop.denoised for crop in crops]) == pytest.approx(0.6, abs=0.05)
    assert all(not crop.level for crop in crops)
    crop = next(crop for crop in crops if crop.denoised and crop.level is not None)
    batch = gather([one], [crop], rooms.book, rooms.classes, rng)
    assert (batch.latents == 7).all()
    assert batch.given.item() == 1


def test_crops_show_the_kind_that_they_are_drawn_for(rooms: DecoderRooms) -> None:
    one, rng = rooms.room(0), np.random.default_rng(0)
    assert one.shown
    for kind in one.shown:
        for _ in range(50):
            crop = random_crop(one, 32, rng, kind)
            assert crop.top % 8 == crop.left % 8 == 0
            assert 0 <= min(crop.top, crop.left) <= max(crop.top, crop.left) <= SIDE - 32
            assert (one.kinds[crop.view, crop.top : crop.top + 32, crop.left : crop.left + 32] == kind).any()


def test_batches_come_in_the_order_of_steps_from_any_step_on() -> None:
    batches = Prefetched(lambda step: (step, torch.full((3,), step)))
    assert [batches(step)[0] for step in (4, 5, 6, 2, 3)] == [4, 5, 6, 2, 3]
    assert torch.equal(batches(4)[1], torch.full((3,), 4))


def test_what_a_step_sees_depends_on_seed_and_step_alone(rooms: DecoderRooms, root: Path) -> None:
    again = read_rooms(root / "data", "train", root / "vae", default_parts_prior(), root / "texts", None)
    rooms.batch(4, 2, 32, 0)
    one, two, other = rooms.batch(5, 2, 32, 0), again.batch(5, 2, 32, 0), again.batch(6, 2, 32, 0)
    for name in ("features", "rows", "latents", "level", "given", "views", "kinds"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    assert torch.equal(one.table.texts.states, two.table.texts.states)
    assert not torch.equal(one.features, other.features)


def test_hints_phrases_and_latents_are_dropped_as_often_as_said(rooms: DecoderRooms) -> None:
    one, rng = rooms.room(0), np.random.default_rng(0)
    crops = [random_crop(one, 32, rng) for _ in range(2000)]
    assert np.mean([crop.level is None for crop in crops]) == pytest.approx(0.45, abs=0.04)
    assert np.mean([float(crop.hinted.float().mean()) for crop in crops]) == pytest.approx(0.75 * 0.7, abs=0.04)
    assert np.mean([float(crop.described.float().mean()) for crop in crops]) == pytest.approx(0.9 * 0.85, abs=0.04)
    shares = {source: np.mean([crop.source == source for crop in crops]) for source, _ in SOURCES}
    assert shares == pytest.approx({"true": 0.45, "parts": 0.35, "boxes": 0.1, "voxels": 0.1}, abs=0.04)
    assert all(crop.top % 8 == crop.left % 8 == 0 and crop.top + 32 <= SIDE for crop in crops)


def test_kinds_are_things_and_what_they_are_made_of() -> None:
    def info(*items: tuple[str, str, str, float]) -> SceneInfo:
        facts = tuple({"id": 1, "name": n, "class": c, "phrase": p, "share": s} for n, c, p, s in items)
        return SceneInfo(1, "indoor", "", "", "", "", "", "", facts)

    infos = [
        info(("east wall", "wall", "beige stone walls", 0.5), ("floor", "floor", "oak plank floor", 0.4)),
        info(("north wall", "wall", "white painted walls", 0.4), ("stool 2", "chair", "a red velvet stool", 0.0005)),
        info(("pouf", "chair", "a blue knitted pouf", 0.001)),
    ]
    kinds = SurfaceKinds.of_scenes(infos)
    assert kinds.names == (NOTHING, "chair", "floor: plank", "wall: painted", "wall: stone")
    assert kinds.names[kinds.row(infos[1].items[1])] == "chair"
    assert kinds.row({"id": 1, "name": "piano", "class": "furn", "phrase": "", "share": 0.1}) == 0
    weights = kinds.weights(infos)
    assert len(weights) == len(kinds.names) + 1
    assert float(weights[kinds.names.index("chair")]) > float(weights[kinds.names.index("wall: stone")]) > 0


def test_decoded_scenes_are_views_of_any_size_that_hear_each_object(root: Path) -> None:
    torch.manual_seed(0)
    decoder = GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16).eval()
    scene = read_scene(scene_folder(root / "data", 2))
    grids, cameras = GridTensors.from_grids([scene.blockout]), CameraTensors.from_cameras([scene.cameras])
    rays = RayScene(room(2).meshes.true, scene.blockout)

    def decoded(
        size: tuple[int, int], *phrases: str, seed: int = 0, latents: torch.Tensor | None = None
    ) -> torch.Tensor:
        words = SceneWords("a red sofa before white walls", ["Sofa.001", "wall"], phrases)
        seeds = torch.tensor([seed])
        objects = object_tables(*load_minilm(), grids, [words], seeds)
        views = []
        for view in range(cameras.views):
            one = cameras.selected(torch.tensor([[view]]))
            buffer, encoded = mesh_gbuffer([rays], one, size), None if latents is None else latents[:, view]
            views.append(decode_guided(decoder, objects, buffer, one, grids.volume, seeds, encoded))
        return torch.stack(views, 1)

    views = decoded((48, 80), "a red sofa", "")
    assert views.shape == (1, 2, 3, 48, 80)
    assert float(views.abs().max()) <= 1
    assert torch.equal(views, decoded((48, 80), "a red sofa", ""))
    assert not torch.equal(views, decoded((48, 80), "a red sofa", "", seed=1))
    assert not torch.equal(views, decoded((48, 80), "a red sofa", "", latents=torch.randn(1, 2, 4, 6, 10)))
    other = decoded((48, 80), "a blue sofa", "")
    assert not torch.equal(views, other)
    assert decoded((70, 33), "", "").shape == (1, 2, 3, 70, 33)

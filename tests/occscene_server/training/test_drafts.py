"""Drafts on disk: made once, whole or not at all, and the room that they show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

from occscene_server.data.dataset import read_scene, scene_folder, write_scene
from occscene_server.data.scenes import SceneSet
from occscene_server.geometry.cameras import pixel_rays
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.training import joint_stage
from occscene_server.training.cli import train_app
from occscene_server.training.drafted_rooms import DraftedRooms, fit_drafts
from occscene_server.training.drafts import SAMPLED, Drafter, room_file, room_files
from occscene_server.training.generated_views import generate_views
from tests.occscene_server.training.test_decoder_stage import room

pytestmark = [pytest.mark.slow, pytest.mark.weights]

DRAFTS = 2


def tiny_decoder(seed: int = 0) -> GuidedDecoder:
    torch.manual_seed(seed)
    decoder = GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16)
    for parameter in decoder.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return decoder


@pytest.fixture(scope="module")
def drafter() -> Drafter:
    torch.manual_seed(0)
    vae = SceneAutoencoder((8, 8, 8), 1, 4, (0.0,) * 4, (1.0,) * 4)
    priors = ScenePriors.bundled("indoor")
    assert priors is not None
    return Drafter(tiny_decoder(), vae, priors, *load_minilm())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drafter: Drafter) -> Path:
    """Rooms 0 (test), 1 (validation), 2 and 3, and their drafts."""
    folder = tmp_path_factory.mktemp("drafts")
    for seed in range(4):
        write_scene(folder / "data", room(seed))
    drafter.make(folder / "data", folder / "drafts", DRAFTS)
    return folder


@pytest.fixture(scope="module")
def rooms(root: Path) -> DraftedRooms:
    return DraftedRooms(root / "drafts", "train", 12, torch.ones(4), *load_minilm(), levels=2)


@pytest.fixture(scope="module")
def model() -> OccSceneDenoiser:
    torch.manual_seed(0)
    return OccSceneDenoiser(
        latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=()
    ).eval()


def test_drafts_are_made_once_and_of_no_test_room(root: Path, drafter: Drafter, tmp_path: Path) -> None:
    files = {path.name: path for path in (root / "drafts").glob("room_*")}
    assert set(files) == {f"room_{seed:06d}.npz" for seed in (1, 2, 3)}
    stamps = {name: path.stat().st_mtime_ns for name, path in files.items()}
    whole = room_file(root / "drafts", 2).read_bytes()
    room_file(root / "drafts", 2).unlink()
    (root / "drafts" / "room_000002.partial.npz").write_bytes(whole[:99])  # as a kill leaves it
    drafter.make(root / "data", root / "drafts", DRAFTS)
    assert room_file(root / "drafts", 3).stat().st_mtime_ns == stamps["room_000003.npz"]
    with np.load(room_file(root / "drafts", 2)) as again, np.load(_file(tmp_path, whole)) as first:
        assert set(again.files) == set(first.files)
        for name in first.files:
            np.testing.assert_array_equal(again[name], first[name], err_msg=name)


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "room.npz"
    path.write_bytes(content)
    return path


def test_drafts_of_other_networks_are_not_mixed(root: Path, drafter: Drafter) -> None:
    other = Drafter(tiny_decoder(5), drafter.vae, drafter.priors, drafter.encoder, drafter.tokenizer)
    with pytest.raises(ValueError, match=r"was made with other decoder; give another folder"):
        other.make(root / "data", root / "drafts", DRAFTS)
    with pytest.raises(ValueError, match=r"was made with other drafts;"):
        drafter.make(root / "data", root / "drafts", 3)


def test_what_is_drafted_varies_as_said(root: Path, drafter: Drafter) -> None:
    scene, folder = room(2), scene_folder(root / "data", 2)
    drawn = [drafter.drawn_room(scene, folder, np.random.default_rng(seed)) for seed in range(120)]
    shares = {source: np.mean([one.source == source for one in drawn]) for source in ("parts", "voxels", "true")}
    assert shares == pytest.approx({"parts": 0.5, "voxels": 0.1, "true": 0.2}, abs=0.1)
    hinted = np.mean([[obj.hint is not None for obj in one.grid.objects] for one in drawn])
    described = np.mean([[obj.prompt != "" for obj in one.grid.objects] for one in drawn])
    assert (hinted, described) == pytest.approx((0.6 * 0.7, 0.7 * 0.85), abs=0.08)
    assert all((one.mesh is None) == (one.source == "voxels") for one in drawn)
    assert len({one.prompt for one in drawn}) == 3


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("draft", [0, 1])
def test_maps_cameras_and_grids_show_one_room(rooms: DraftedRooms, draft: int, turns: int) -> None:
    """Where a pixel's ray meets a surface there is a voxel of its class, mirrored and turned or not."""
    read = rooms.read(0)
    batch = rooms.gathered([read], [draft], turns, [True])
    volume = batch.shown.volume
    points = (batch.gbuffer.points / volume.voxel_size[0].float()).movedim(2, -1)[0]
    points = points + torch.tensor(volume.shape) / 2
    _, rays = pixel_rays(batch.cameras, volume, (32, 32))
    inside = points + 0.3 * F.normalize(rays[0], dim=-1)  # a little behind the surface
    place = inside.floor().long()
    seen = torch.isfinite(batch.gbuffer.depth[0])
    for axis, side in enumerate(volume.shape):
        seen &= (place[..., axis] >= 0) & (place[..., axis] < side)
    x, y, z = place[seen].unbind(-1)
    sofa_or_wall = batch.gbuffer.labels[0][seen]
    agreement = (batch.shown.labels[0, x, y, z] == sofa_or_wall).float()
    assert len(agreement) > 100
    assert agreement.mean() > 0.8
    # the faces that are seen look towards the camera
    normals = torch.zeros(8, 3)
    normals[range(6), [0, 0, 1, 1, 2, 2]] = torch.tensor([-1.0, 1.0] * 3)
    facing = (normals[batch.gbuffer.face[0]] * rays[0]).sum(-1)[torch.isfinite(batch.gbuffer.depth[0])]
    assert (facing < 0).float().mean() > 0.98


def test_a_mirrored_draft_stands_beside_mirrored_views(root: Path, rooms: DraftedRooms, drafter: Drafter) -> None:
    read = rooms.read(0)
    plain, flipped = (rooms.gathered([read], [draft], 0, [True]) for draft in (0, 1))
    views = torch.from_numpy(read_scene(scene_folder(root / "data", 2)).views)
    pixels = views.movedim(-1, 1).float() / 127.5 - 1
    sides = pixels, pixels.flip(3)
    with torch.no_grad():
        wanted = [drafter.vae.normalize(drafter.vae.encode(side).latent_dist.mode()) for side in sides]
    for batch, latents in zip((plain, flipped), wanted, strict=True):
        correlation = torch.corrcoef(torch.stack([batch.latents.flatten(), latents.flatten()]))[0, 1]
        assert correlation > 0.999
    assert torch.equal(flipped.occupancy.labels, plain.occupancy.labels.flip(1))


def test_a_step_depends_on_its_generator_only(rooms: DraftedRooms, model: OccSceneDenoiser) -> None:
    with torch.no_grad():
        one, two, other = (rooms.corrupted(model, [0, 1], np.random.default_rng(seed)) for seed in (4, 4, 5))
    for name in ("noisy", "velocity", "level", "text", "prior"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    assert torch.equal(one.condition.features, two.condition.features)
    assert not torch.equal(one.noisy, other.noisy)


def test_levels_of_a_room_share_its_condition(rooms: DraftedRooms, model: OccSceneDenoiser) -> None:
    with torch.no_grad():
        sample = rooms.corrupted(model, [0, 1], np.random.default_rng(0))
    assert sample.noisy.shape[0] == 4
    assert len(sample.level.unique()) == 4
    for values in (sample.condition.features, sample.prior, sample.text, sample.occupancy.labels):
        assert torch.equal(values[0::2], values[1::2])
    clean = sample.noisy - sample.level[:, None, None, None, None] * sample.velocity
    torch.testing.assert_close(clean[0::2], clean[1::2], atol=1e-4, rtol=0)
    assert not torch.equal(sample.velocity[0], sample.velocity[1])
    noise = clean + sample.velocity
    assert float(noise.var()) == pytest.approx(1, abs=0.1)


def test_where_occupancy_is_dropped_there_is_no_draft(
    rooms: DraftedRooms, model: OccSceneDenoiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from occscene_server.training import drafted_rooms

    monkeypatch.setattr(drafted_rooms, "OCCUPANCY_DROPOUT", 1.0)
    with torch.no_grad():
        sample = rooms.corrupted(model, [0], np.random.default_rng(0))
        absent = model.encode_absence(sample.occupancy, sample.cameras, (8, 8))
    assert not sample.prior.any()
    torch.testing.assert_close(sample.condition.features, absent.features)


def test_drafts_are_fitted_channel_by_channel(rooms: DraftedRooms, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((2, 2, 4, 16, 16)).astype(np.float32)
    gains, deviations = np.array([0.3, 0.6, 1.0, 1.4]), np.array([1.0, 0.5, 0.2, 0.1])
    noise = rng.standard_normal(latents.shape) * deviations[:, None, None]
    drafts = (latents - noise) / gains[:, None, None]
    monkeypatch.setattr(rooms, "read", lambda _: {"latents": latents, "drafts": drafts})
    fitted, left = fit_drafts(rooms)
    wanted = 1 + deviations**2  # of latents - noise, whose correlation with the latents is what is fitted
    np.testing.assert_allclose(fitted, gains / wanted, rtol=0.1)
    np.testing.assert_allclose(left, 1 - 1 / wanted, atol=0.06)


@pytest.fixture(scope="module")
def chain(root: Path, drafter: Drafter) -> Path:
    """Drafts, a denoiser in one run and in two, the joint stage and a bundle, each by its command."""
    drafter.vae.save_pretrained(root / "model/vae")
    drafter.decoder.save_pretrained(root / "model/guided_decoder")
    torch.manual_seed(0)
    OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8).save_pretrained(root / "model/perception")
    vae, decoder = ("--vae", str(root / "model/vae")), ("--decoder", str(root / "model/guided_decoder"))
    run(root, "drafts", "drafts", *vae, *decoder, "--layouts", "1")
    options = (*vae, *decoder, "--drafts", str(root / "drafts"), "--steps", "2", "--batch", "2", "--widths", "32,32,64")
    run(root, "denoiser", "whole", *options)
    for _ in range(2):
        run(root, "denoiser", "cut", *options, "--max-minutes", "1e-9")
    networks = ("--denoiser", str(root / "whole/denoiser"), "--perception", str(root / "model/perception"))
    drafts = ("--drafts", str(root / "drafts"))
    run(root, "joint", "joint", *vae, *decoder, *drafts, *networks, "--steps", "2", "--batch", "1")
    trained = ("--denoiser", str(root / "joint/denoiser"), "--perception", str(root / "joint/perception"))
    run(root, "bundle", "bundle", *vae, *trained, "--guided-decoder", str(root / "model/guided_decoder"))
    return root


def run(root: Path, stage: str, output: str, *options: str) -> None:
    data = () if stage == "bundle" else ("--data", str(root / "data"))
    arguments = [stage, *data, "--output", str(root / output), *options]
    result = CliRunner().invoke(train_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_a_sampled_room_is_drafted_from_its_layout(chain: Path) -> None:
    (path,) = room_files(chain / "drafts", "train", SAMPLED)
    assert path.name == "layout_000002.npz"
    rooms = DraftedRooms(chain / "drafts", "train", 12, torch.ones(4), *load_minilm(), kind=SAMPLED)
    batch = rooms.batch([0], np.random.default_rng(0))
    assert torch.equal(batch.latents, batch.drafts)
    assert torch.equal(batch.shown.labels, batch.occupancy.labels)  # parts, where the blockout has boxes
    seen = batch.gbuffer.labels.unique().tolist()
    assert {2, 3} <= set(seen)  # it has a floor and walls
    assert batch.gbuffer.depth.shape == (1, 2, 32, 32)


def test_sampled_rooms_teach_perception_only(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, plain = [], joint_stage.joint_loss
    monkeypatch.setattr(joint_stage, "SAMPLED_SHARE", 1.0)
    monkeypatch.setattr(joint_stage, "joint_loss", lambda *a, **k: (losses.append(k["is_rendered"]), plain(*a, **k))[1])
    run(
        chain, "joint", "joint_of_layouts", "--vae", str(chain / "model/vae"),
        "--decoder", str(chain / "model/guided_decoder"), "--drafts", str(chain / "drafts"),
        "--denoiser", str(chain / "whole/denoiser"), "--perception", str(chain / "model/perception"),
        "--steps", "1", "--batch", "1",
    )  # fmt: skip
    assert losses == [False]
    row = json.loads((chain / "joint_of_layouts/log.jsonl").read_text().splitlines()[0])
    assert row["loss"] == pytest.approx(joint_stage.PERCEPTION_WEIGHT * row["perception"], rel=1e-3)


def test_a_denoiser_that_is_given_drafts_resumes_exactly(chain: Path) -> None:
    whole, cut = (torch.load(chain / name / "checkpoint.pt", weights_only=True) for name in ("whole", "cut"))
    assert cut["step"] == 2
    for name, value in whole["model"].items():
        assert torch.equal(cut["model"][name], value), name
    losses = [
        [json.loads(line).get("loss") for line in (chain / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "cut")
    ]
    assert [loss for loss in losses[0] if loss] == [loss for loss in losses[1] if loss]
    denoiser = OccSceneDenoiser.from_pretrained(chain / "whole/denoiser")
    assert denoiser.takes_draft
    gains, left = fit_drafts(DraftedRooms(chain / "drafts", "train", 12, torch.ones(4), *load_minilm()))
    torch.testing.assert_close(denoiser.draft_gains, gains)
    torch.testing.assert_close(denoiser.draft_variances, left)


def test_the_bundle_of_the_joint_stage_generates_from_drafts(chain: Path) -> None:
    before = OccSceneDenoiser.from_pretrained(chain / "whole/denoiser").state_dict()
    after = OccSceneDenoiser.from_pretrained(chain / "joint/denoiser").state_dict()
    assert any((before[name] != after[name]).any() for name in before)
    pipeline = OccScenePipeline.from_pretrained(str(chain / "bundle"))
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.denoiser.takes_draft
    scene = read_scene(scene_folder(chain / "data", 3))
    made = pipeline("a red sofa", scene.cameras, scene.blockout, num_inference_steps=2)
    assert made.images.shape == scene.views.shape
    generated = generate_views(pipeline, chain / "data", SceneSet(chain / "data", "train"), 1, chain / "generated")
    assert generated.shape == (1, *scene.views.shape)


@pytest.mark.parametrize("given", [True, False])
def test_weights_are_continued_as_they_began(chain: Path, tmp_path: Path, given: bool) -> None:
    vae = ("--vae", str(chain / "model/vae"))
    initial = chain / "whole/denoiser"
    if given:
        initial = tmp_path / "denoiser"
        OccSceneDenoiser(
            4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(16, 16, 16)
        ).save_pretrained(initial)
        vae += ("--decoder", str(chain / "model/guided_decoder"), "--drafts", str(chain / "drafts"))
    arguments = ["denoiser", "--data", str(chain / "data"), "--output", str(tmp_path / "out"), *vae]
    result = CliRunner().invoke(train_app, [*arguments, "--initial", str(initial)])
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", "").split())
    assert ("omit --decoder" if given else "give --decoder") in said

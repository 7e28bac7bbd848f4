"""The guided decoder in the pipeline: views of any size from what was generated at one, and drafts without a step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.mesh import TriangleMesh
from occscene.placed_layout import PlacedLayout
from occscene.rig import room_rig
from occscene.volumes import default_volume

from occscene_server.engine.model_info import describe
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.fusion import carve
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.pipelines import guided_decoding, guided_views, scene_perception
from occscene_server.pipelines.guided_decoding import object_tables, scene_words
from occscene_server.pipelines.guided_views import Sensor
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.scene_inputs import SceneInputs
from occscene_server.pipelines.text_to_scene import LayoutDraft

SOFA_MESH = TriangleMesh(
    np.array([[0.8, 1.0, 0.2], [1.6, 1.0, 0.2], [1.2, 1.0, 1.4]]),
    np.array([[0, 1, 2]]),
    np.array([7], np.uint8),
    np.array([1], np.uint16),
)


@pytest.fixture
def drafting(guided: OccScenePipeline) -> OccScenePipeline:
    """With a denoiser that is given the decoder's drafts."""
    torch.manual_seed(2)
    denoiser = OccSceneDenoiser(
        latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=()
    ).eval()
    pipeline = OccScenePipeline(**(guided.components | {"denoiser": denoiser}))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def cameras(count: int = 1, width: int = 64, height: int = 64, focal: float = 50.0) -> list[PinholeCamera]:
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks along +y
    pose[:3, 3] = (0.8, 0.1, 1.0)
    return [PinholeCamera(f"view{i}", width, height, focal, focal, width / 2, height / 2, pose) for i in range(count)]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 72), (100, 161), (65, 64), (1024, 64)])
def test_views_have_any_size_and_the_same_seed_the_same_bytes(
    guided: OccScenePipeline, grid: SemanticGrid, width: int, height: int
) -> None:
    def views(seed: int = 3) -> np.ndarray:
        asked = cameras(1, width, height, 0.8 * width)
        return guided("a red sofa", asked, grid, num_inference_steps=2, seed=seed, meshes=SOFA_MESH).images

    first = views()
    assert first.shape == (1, height, width, 3)
    np.testing.assert_array_equal(first, views())
    assert (first != views(4)).any()
    assert first.std() > 1


def test_what_is_denoised_does_not_depend_on_the_size(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    def denoised(side: int) -> torch.Tensor:
        asked = cameras(2, side, side, 0.8 * side)
        return guided("a red sofa", asked, grid, num_inference_steps=2, output_type="latent").images

    small = denoised(64)
    assert small.shape == (2, 4, 8, 8)
    torch.testing.assert_close(denoised(192), small, atol=1e-3, rtol=0)
    assert guided.sensor(512, 512) == Sensor((64, 64), (64, 64), 64 / 512)
    assert guided.sensor(288, 512) == Sensor((64, 64), (36, 64), 64 / 512)
    assert guided.sensor(1024, 64) == Sensor((64, 32), (64, 4), 64 / 1024)


def test_the_true_rule_is_256_pixels_along_the_longer_side(pipe: OccScenePipeline, decoding: OccScenePipeline) -> None:
    assert decoding.sensor(512, 512).size == (256, 256)
    assert decoding.sensor(768, 1024).picture == (192, 256)
    assert decoding.sensor(64, 64).scale == 4
    assert pipe.sensor(512, 512) == Sensor((512, 512), (512, 512), 1.0)


@pytest.mark.slow
def test_a_larger_view_is_its_draft_with_what_latents_change(
    guided: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change of each pixel lies within that of the small view; a smaller view is the small one shrunk."""
    monkeypatch.setattr(guided_views, "SENSOR_SIDE", 128)
    latents = torch.randn(1, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))

    def drawn(side: int, draft: bool = False) -> torch.Tensor:
        asked = cameras(1, side, side, 0.8 * side)
        if draft:
            made = guided.draw_draft("a sofa", asked, grid, meshes=SOFA_MESH)
        else:
            made = guided("a sofa", asked, grid, num_inference_steps=1, latents=latents, meshes=SOFA_MESH)
        return torch.from_numpy(made.images[0]).movedim(-1, 0).float()

    own, change = drawn(128), drawn(128) - drawn(128, draft=True)
    assert change.std() > 1
    large = drawn(384) - drawn(384, draft=True)
    assert (large <= change.amax((1, 2))[:, None, None] + 2).all()
    assert (large >= change.amin((1, 2))[:, None, None] - 2).all()
    means = torch.nn.functional.avg_pool2d(large, 3)
    assert torch.corrcoef(torch.stack([means.flatten(), change.flatten()]))[0, 1] > 0.9
    small = torch.nn.functional.interpolate(own[None], (64, 64), mode="bilinear", antialias=True)[0]
    torch.testing.assert_close(drawn(64), small, atol=1, rtol=0)


def test_views_hang_on_latents_shapes_words_and_hints(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    latents = [torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]

    def views(
        prompt: str = "a sofa", own: str = "", hint: bool = True, meshes: object = None, noise: int = 0
    ) -> np.ndarray:
        sofa = GridObject(1, "sofa", (0.8, 0.1, 0.1) if hint else None, own)
        placed = replace(grid, objects=(sofa,))
        options = {"num_inference_steps": 2, "latents": latents[noise], "meshes": meshes}
        return guided(prompt, cameras(), placed, **options).images

    first = views()
    for other in (
        views(own="a teal velvet sofa"), views(hint=False), views(meshes=SOFA_MESH), views(noise=1), views("a bed")
    ):  # fmt: skip
        assert (first != other).any()


def test_the_denoiser_is_shown_what_the_decoder_draws(
    guided: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of a mesh take the place of carving, scene by scene."""
    shown, carved, draw = [], [], guided.denoiser.gbuffer_features
    monkeypatch.setattr(
        guided.denoiser, "gbuffer_features", lambda *a: (shown.append([s is not None for s in a[3]]), draw(*a))[1]
    )
    monkeypatch.setattr(scene_perception, "carve", lambda *a: (carved.append(1), carve(*a))[1])
    for meshes in ([SOFA_MESH, SOFA_MESH], [None, SOFA_MESH]):
        guided(["a sofa"] * 2, cameras(), grid, num_inference_steps=2, meshes=meshes)
    assert shown == [[True, True], [False, True], [False, True]]  # twice where carving comes between
    assert carved == [1]


def test_without_a_decoder_nothing_changes(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    worded = replace(grid, objects=(replace(grid.objects[0], prompt="a teal sofa"),))
    plain = pipe("a sofa", cameras(), grid, num_inference_steps=2).images
    np.testing.assert_array_equal(
        pipe("a sofa", cameras(), worded, num_inference_steps=2, meshes=SOFA_MESH).images, plain
    )
    with pytest.raises(ValueError, match="no guided decoder"):
        pipe.draw_draft("a sofa", cameras(), grid)


def test_a_model_says_whether_it_draws_drafts(pipe: OccScenePipeline, guided: OccScenePipeline) -> None:
    assert describe("crisp", guided).drafts
    assert not describe("compact", pipe).drafts


def test_the_decoder_is_saved_and_loaded(
    guided: OccScenePipeline, pipe: OccScenePipeline, grid: SemanticGrid, tmp_path: Path
) -> None:
    guided.save_pretrained(tmp_path / "guided")
    loaded = OccScenePipeline.from_pretrained(str(tmp_path / "guided"))
    np.testing.assert_array_equal(
        loaded.draw_draft("a sofa", cameras(), grid).images, guided.draw_draft("a sofa", cameras(), grid).images
    )
    pipe.save_pretrained(tmp_path / "plain")
    assert OccScenePipeline.from_pretrained(str(tmp_path / "plain")).guided_decoder is None


def test_a_draft_takes_no_step_and_perceives_nothing(
    guided: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    for name in ("denoiser", "perception", "vae"):
        network = getattr(guided, name)
        for method in ("forward", "encode_condition", "gbuffer_features", "decode"):
            if hasattr(network, method):
                monkeypatch.setattr(network, method, lambda *a, name=name, **k: used.append(name))
    finer = replace(grid, labels=np.where(grid.labels == 7, 0, grid.labels), instances=np.zeros_like(grid.instances))
    for size in ((64, 64), (65, 130), (256, 256)):
        made = guided.draw_draft("a sofa", cameras(2, *size), grid, finer=finer, meshes=SOFA_MESH, seed=2)
        assert made.images.shape == (2, size[1], size[0], 3)
        np.testing.assert_array_equal(made.images[0], made.images[1])  # the cameras stand in one place
        np.testing.assert_array_equal(made.grid.labels, finer.labels)
    again = guided.draw_draft("a sofa", cameras(2, *size), grid, finer=finer, meshes=SOFA_MESH, seed=2)
    np.testing.assert_array_equal(made.images, again.images)
    assert not used


def test_a_scene_of_many_is_drafted_as_alone(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    """One of them from triangles, the other from voxels."""
    other = SemanticGrid(grid.labels[::-1].copy(), 0.2, np.eye(4), "indoor")
    prompts = ["a red sofa", "a green room"]
    both = guided.draw_draft(prompts, cameras(2), [grid, other], meshes=[SOFA_MESH, None], seed=2**40).images
    for index, (placed, mesh) in enumerate([(grid, SOFA_MESH), (other, None)]):
        alone = guided.draw_draft(prompts[index], cameras(2), placed, meshes=mesh, seed=2**40 + index).images
        assert np.abs(both[index].astype(int) - alone).max() <= 2


def test_a_layout_is_drafted_from_its_parts(guided: OccScenePipeline) -> None:
    volume = default_volume("indoor")
    leg = LayoutPart("box", (0.0, 0.0, -0.05), (0.1, 0.1, 0.7))
    table = LayoutObject("table", "table", (0.0, 1.0, 0.4), (1.2, 0.8, 0.8), turn=0.4, color_word="oak", parts=(leg,))
    pose = np.eye(4)
    pose[:3, :2] = [[0.0, -1.0], [1.0, 0.0], [0.0, 0.0]]
    placed = PlacedLayout(Layout("indoor", LayoutRoom((3.5, 3.5, 2.4), wall_color="teal"), (table,)), pose)
    draft = LayoutDraft(placed, volume)
    # triangles and voxels of one layout show the same, but for the edges
    seen_by = CameraTensors.from_cameras([room_rig(placed, 3, 64, 64)])
    exact = mesh_gbuffer([RayScene(draft.mesh, draft.boxes)], seen_by, (64, 64))
    voxels = voxel_gbuffer(GridTensors.from_grids([draft.grid]), seen_by, (64, 64))
    assert (exact.labels == voxels.labels).float().mean() > 0.95
    assert (exact.objects == voxels.objects).float().mean() > 0.9
    assert {item.name: item.prompt for item in draft.boxes.objects}["south wall"] == "teal south wall"
    assert draft.boxes.objects[-1].prompt == "oak table"
    made = guided.draw_draft("a room", room_rig(placed, 3, 64, 64), drafts=[draft])
    assert made.images.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(made.grid.labels, draft.grid.labels)
    full = guided(
        "a room",
        room_rig(placed, 2, 96, 64),
        volume=volume,
        drafts=[LayoutDraft(placed, volume)],
        num_inference_steps=2,
    )
    assert full.images.shape == (2, 64, 96, 3)


def test_text_to_scene_without_a_layout_has_a_decoder_too(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    made = guided("a red sofa", cameras(2, 128, 96), volume=grid.volume, num_inference_steps=2)
    assert made.images.shape == (2, 96, 128, 3)
    assert made.grid.shape == grid.shape
    with pytest.raises(ValueError, match="neither grid nor drafts"):
        guided.draw_draft("a red sofa", cameras())


def test_previews_are_halves_of_what_is_denoised(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    shapes = []

    def callback(pipeline: OccScenePipeline, index: int, timestep: torch.Tensor, tensors: dict) -> dict:
        shapes.append(pipeline.preview(tensors["denoised"]).shape)
        return {}

    guided("a sofa", cameras(1, 512, 288), grid, num_inference_steps=4, callback_on_step_end=callback)
    assert shapes == [(1, 18, 32, 3)]


def test_words_of_too_many_objects_are_those_of_the_largest(
    guided: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guided_decoding, "MOST_TOLD", 3)
    labels, instances = np.zeros_like(grid.labels), np.zeros_like(grid.instances)
    for number in range(1, 8):
        labels[number, : 2 * number, 0], instances[number, : 2 * number, 0] = 7, number
    objects = tuple(GridObject(number, f"object {number}", prompt=f"object of kind {number}") for number in range(1, 8))
    crowded = replace(grid, labels=labels, instances=instances, objects=objects)
    seeds = torch.tensor([0])
    placed = GridTensors.from_grids([crowded])
    words = object_tables(guided.text_encoder, guided.tokenizer, placed, [scene_words("", crowded)], seeds)
    assert len(words.table.hints) == 4
    assert words.rows[0, [7, 6, 5]].tolist() == [1, 2, 3]
    assert words.rows[0, :5].unique().tolist() == [0]


def test_meshes_and_words_are_placed_by_scene(grid: SemanticGrid) -> None:
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]), np.array([7], np.uint8), np.array([1], np.uint16))
    worded = replace(grid, objects=(replace(grid.objects[0], prompt="a red sofa"),))

    def gathered(grids: Any, meshes: Any) -> SceneInputs:
        return SceneInputs.gather(2, cameras(1), grids, grid.volume, "indoor", "indoor", meshes=meshes)

    scenes = gathered([worded, grid], [mesh, None]).placed(torch.device("cpu"), exact=True)
    assert [None if shape is None else len(shape) for shape in scenes.shapes] == [1, None]
    assert list(scenes.tables) == [worded, grid]
    assert [len(shape) for shape in gathered(grid, mesh).placed(torch.device("cpu"), exact=True).shapes if shape] == [
        1,
        1,
    ]
    assert list(gathered(None, None).placed(torch.device("cpu"), exact=True).shapes) == [None, None]
    assert not gathered(grid, mesh).placed(torch.device("cpu")).shapes
    with pytest.raises(ValueError, match="meshes has 1 entries for 2 prompts"):
        gathered(grid, [mesh])
    with pytest.raises(ValueError, match="meshes is given without a grid"):
        gathered(None, mesh)


def test_a_mesh_changes_no_view_without_a_guided_decoder(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]), np.array([7], np.uint8), np.array([1], np.uint16))
    views = [pipe("a sofa", cameras(1), grid, num_inference_steps=2, meshes=given).images for given in (None, mesh)]
    np.testing.assert_array_equal(views[0], views[1])


def test_the_denoiser_is_given_the_encoded_draft(
    drafting: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very view that a draft of this size is, in the passes with and without the prompt; else nothing."""
    given, forward = [], drafting.denoiser.forward
    monkeypatch.setattr(drafting.denoiser, "forward", lambda *a: (given.append(a[5]), forward(*a))[1])
    output = drafting("a sofa", cameras(), grid, meshes=SOFA_MESH, num_inference_steps=2, seed=7)
    assert len(given) == 2
    assert torch.equal(given[0], given[1])
    prompted, plain, nothing = given[0]
    assert torch.equal(prompted, plain)
    assert not nothing.any()
    draft = drafting.draw_draft("a sofa", cameras(), grid, meshes=SOFA_MESH, seed=7).images
    pixels = torch.from_numpy(draft).movedim(-1, 1) / 127.5 - 1
    wanted = drafting.vae.normalize(drafting.vae.encode(pixels).latent_dist.mode())
    torch.testing.assert_close(prompted, wanted, atol=0.1, rtol=0)  # in bfloat16, of rounded pixels
    assert torch.corrcoef(torch.stack([prompted.flatten(), wanted.flatten()]))[0, 1] > 0.999
    again = drafting("a sofa", cameras(), grid, meshes=SOFA_MESH, num_inference_steps=2, seed=7)
    np.testing.assert_array_equal(again.images, output.images)
    other = drafting("a sofa", cameras(), grid, meshes=SOFA_MESH, num_inference_steps=2, seed=8)
    assert (other.images != output.images).any()


@pytest.mark.slow
def test_noise_lies_on_what_is_shown(drafting: OccScenePipeline, grid: SemanticGrid) -> None:
    """Two cameras in one place begin with the same noise where they see something; a draft of text only does not."""
    begun: list[torch.Tensor] = []

    def views(placed: SemanticGrid | None, **options: Any) -> torch.Tensor:
        step, begun[:] = drafting.scheduler.step, []

        def stepped(prediction: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor, **more: Any) -> Any:
            begun.append(sample)
            return step(prediction, timestep, sample, **more)

        drafting.scheduler.step = stepped
        try:
            drafting("a sofa", cameras(2), placed, num_inference_steps=2, volume=grid.volume, **options)
        finally:
            del drafting.scheduler.step
        return begun[0]

    def alike(noise: torch.Tensor) -> float:
        return float((noise[0, 0] == noise[0, 1]).float().mean())

    hung = views(grid, seed=1)
    assert alike(hung) > 0.3
    assert alike(views(None, seed=1)) == 0
    assert torch.equal(views(grid, generator=torch.Generator().manual_seed(3)), views(
        grid, generator=torch.Generator().manual_seed(3)
    ))  # fmt: skip
    torch.testing.assert_close(views(grid, seed=1, noise_scale=0.5), hung / 2)
    own = torch.randn(1, 2, 4, 8, 8)
    assert torch.equal(views(grid, latents=own), own)


def test_layouts_and_text_are_drafted_too(drafting: OccScenePipeline, grid: SemanticGrid) -> None:
    assert drafting("a sofa", cameras(), volume=grid.volume, num_inference_steps=2).images.shape == (1, 64, 64, 3)
    room = PlacedLayout(Layout("indoor", LayoutRoom((3.5, 3.5, 2.4)), ()), np.eye(4))
    volume = default_volume("indoor")
    made = drafting("a room", room_rig(room, 2, 64, 64), volume=volume, drafts=[LayoutDraft(room, volume)],
                    num_inference_steps=2)  # fmt: skip
    assert made.images.shape == (2, 64, 64, 3)


def test_drafts_need_a_decoder(drafting: OccScenePipeline, grid: SemanticGrid) -> None:
    bare = OccScenePipeline(**(drafting.components | {"guided_decoder": None}))
    with pytest.raises(ValueError, match="is given drafts, but the pipeline has no guided_decoder"):
        bare("a sofa", cameras(), grid, num_inference_steps=2)

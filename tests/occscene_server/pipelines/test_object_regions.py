"""Words of objects: each pixel is drawn from the words of its own region."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from occscene.grid import GridObject

from occscene_server.models.clip_prompts import ClipPrompts
from occscene_server.models.linked_attention import AttentionContext, SceneAttnProcessor, regions_at
from occscene_server.pipelines.object_regions import encode_words, object_texts, view_regions
from tests.occscene_server.geometry.closed_room import closed_room, corner_cameras, room_buffer
from tests.occscene_server.pipelines.test_zero_shot import zero_shot
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion

ROOM = closed_room()
TOKENS = 5


def _layer() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=16, cross_attention_dim=12, heads=4, dim_head=4).eval()


def _attended(layer: Attention, hidden: torch.Tensor, states: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
    """(views, pixels, 16) with the words (views, R * tokens, 12) of regions (views, 4, 4)."""
    count = states.shape[1] // TOKENS
    context = AttentionContext()
    context.begin(False, 1, regions, count, TOKENS)
    with torch.no_grad():
        result: torch.Tensor = SceneAttnProcessor(context, "attn2", False)(layer, hidden, states)
    return result


def test_regions_are_attention_couple_with_one_hot_masks() -> None:
    layer, draw = _layer(), torch.Generator().manual_seed(1)
    hidden, states = torch.randn(2, 16, 16, generator=draw), torch.randn(2, 3 * TOKENS, 12, generator=draw)
    regions = torch.randint(3, (2, 4, 4), generator=draw)
    with torch.no_grad():
        apart = [AttnProcessor2_0()(layer, hidden, part) for part in states.split(TOKENS, 1)]
    masks = torch.nn.functional.one_hot(regions.flatten(1), 3).movedim(-1, 0)[..., None]
    expected = sum(mask * part for mask, part in zip(masks, apart, strict=True))
    torch.testing.assert_close(_attended(layer, hidden, states, regions), expected, atol=1e-5, rtol=0)


def test_one_region_is_no_mask_and_words_of_another_region_do_not_matter() -> None:
    layer, draw = _layer(), torch.Generator().manual_seed(2)
    hidden, states = torch.randn(1, 16, 16, generator=draw), torch.randn(1, 2 * TOKENS, 12, generator=draw)
    with torch.no_grad():
        plain = AttnProcessor2_0()(layer, hidden, states[:, :TOKENS])
    nothing = torch.zeros(1, 4, 4, dtype=torch.int64)
    torch.testing.assert_close(_attended(layer, hidden, states, nothing), plain, atol=1e-6, rtol=0)
    regions = nothing.clone()
    regions[0, 1:3] = 1
    before = _attended(layer, hidden, states, regions)
    states[:, TOKENS:] += 1
    changed = (_attended(layer, hidden, states, regions) - before).abs().amax(-1).view(4, 4) > 0
    assert torch.equal(changed, regions[0] == 1)


def test_the_negative_prompt_is_the_same_in_all_regions() -> None:
    layer, draw = _layer(), torch.Generator().manual_seed(3)
    hidden = torch.randn(1, 16, 16, generator=draw).repeat(2, 1, 1)
    negative, positive = torch.randn(1, TOKENS, 12, generator=draw), torch.randn(1, 2 * TOKENS, 12, generator=draw)
    context = AttentionContext()
    context.begin(False, 2, torch.ones(1, 4, 4, dtype=torch.int64), 2, TOKENS)
    states = torch.cat([negative.repeat(1, 2, 1), positive])
    with torch.no_grad():
        found = SceneAttnProcessor(context, "attn2", False)(layer, hidden, states)
        without = AttnProcessor2_0()(layer, hidden[:1], negative)
        own = AttnProcessor2_0()(layer, hidden[:1], positive[:, TOKENS:])
    torch.testing.assert_close(found, torch.cat([without, own]), atol=1e-6, rtol=0)


def test_a_layers_pixels_belong_to_what_most_of_their_latents_do() -> None:
    regions = torch.tensor([[[0, 0, 1, 1], [0, 2, 1, 0], [2, 2, 0, 0], [2, 2, 0, 1]]])
    assert regions_at(regions, 16, 3).tolist() == regions.tolist()
    assert regions_at(regions, 4, 3).tolist() == [[[0, 1], [2, 0]]]


@pytest.mark.parametrize(
    ("obj", "prompt", "text"),
    [
        (GridObject(1, "Sofa.001", prompt="a velvet sofa"), "a study", "a velvet sofa, a study"),
        (GridObject(1, "Sofa.001", (0.6, 0.02, 0.02)), "a study", "red sofa, a study"),
        (GridObject(1, "Sofa.001", (0.6, 0.02, 0.02), "a green couch"), "a study", "a green couch, a study"),
        (GridObject(1, "Sofa.001"), "a study", ""),
        (GridObject(1, "Cube.003"), "a study", ""),
        (GridObject(1, "daybed"), "a study", "daybed, a study"),
        (GridObject(1, "daybed"), "", "daybed"),
        (GridObject(1, "sofa"), "a study with a green sofa", "a green sofa, a study with a green sofa"),
    ],
)
def test_objects_have_words_if_someone_gave_them_any(obj: GridObject, prompt: str, text: str) -> None:
    grid = replace(ROOM, objects=(obj, GridObject(2, "table")))
    assert object_texts(prompt, grid) == [text, ""]


def test_the_largest_objects_of_a_view_have_regions() -> None:
    rows = torch.zeros(2, 32, 32, dtype=torch.int64)
    for row in range(1, 9):
        rows[0, 3 * row : 3 * row + 3, : 2 * row] = row
    rows[1, :3, :3] = 8  # less than one percent
    texts = [f"object {row}" for row in range(1, 8)] + [""]
    regions, chosen = view_regions(rows, texts, 4)
    assert chosen[0] == [f"object {row}" for row in (7, 6, 5, 4, 3, 2)]
    assert chosen[1] == []
    assert regions.shape == (2, 8, 8)
    assert set(regions[0].unique().tolist()) <= set(range(7))
    assert not regions[1].any()


def test_words_are_encoded_once_and_as_long_as_the_longest(tmp_path: Path) -> None:
    pipeline = save_tiny_stable_diffusion(tmp_path)
    prompts = ClipPrompts([pipeline.tokenizer], [pipeline.text_encoder], is_xl=False)
    objects = (GridObject(1, "sofa", prompt="velvet " * 14), GridObject(2, "table", prompt="oak"))
    grid = replace(ROOM, objects=objects)
    buffer, _ = room_buffer(corner_cameras(), (64, 64))
    text, negative, words = encode_words(prompts, "a room", "dull", buffer.objects[0], grid, 8)
    assert words is not None
    assert words.tokens == text.states.shape[1] == negative.states.shape[1] == 154
    assert words.count == 3
    assert words.states.shape == (4, 3 * 154, 32)
    assert torch.equal(words.states[:, :154], text.states.expand(4, -1, -1))
    none = encode_words(prompts, "a room", "", buffer.objects[0], ROOM, 8)
    assert none[2] is None


def test_short_prompts_are_encoded_as_diffusers_does_and_long_ones_in_chunks(tmp_path: Path) -> None:
    pipeline = save_tiny_stable_diffusion(tmp_path)
    prompts = ClipPrompts([pipeline.tokenizer], [pipeline.text_encoder], is_xl=False)
    theirs, without = pipeline.encode_prompt("a bright room", "cpu", 1, True, "dull")
    ours, negative = prompts.encode(["a bright room"], "dull")
    assert torch.equal(ours.states, theirs)
    assert torch.equal(negative.states, without)
    letters = "a " * 75
    long, _ = prompts.encode([letters + "b c d"], "")
    assert long.states.shape[1] == 154
    assert torch.equal(long.states[:, :77], prompts.encode([letters], "")[0].states)
    assert torch.equal(long.states[:, 77:], prompts.encode(["b c d"], "")[0].states)


def test_words_of_an_object_change_the_views_that_show_it(tmp_path: Path) -> None:
    save_tiny_kit(tmp_path, "sd")
    pipe = zero_shot(tmp_path)
    for layer in pipe.checkpoint.unet.modules():
        if isinstance(layer, Attention) and layer.is_cross_attention:
            layer.to_v.weight.data.mul_(20)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(7))

    def drawn(*objects: GridObject) -> np.ndarray:
        latents = pipe("a room", corner_cameras(2), replace(ROOM, objects=objects), num_inference_steps=2,
                       latents=noise, consistency="none", output_type="latent").images  # fmt: skip
        return np.asarray(latents)

    plain = drawn(GridObject(1, "sofa"), GridObject(2, "table"))
    velvet = drawn(GridObject(1, "sofa", prompt="velvet"), GridObject(2, "table"))
    assert np.abs(velvet - plain).max() > 1e-3

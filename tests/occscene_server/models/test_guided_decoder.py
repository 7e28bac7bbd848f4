"""The guided decoder: which object attends to which words, any size, and colors that follow phrases."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.object_words import LIGHT, ObjectTable, Texts, base_name
from occscene_server.models.pixel_features import CODE_CHANNELS, FEATURES, object_codes
from occscene_server.models.text import encode_prompts, load_minilm, phrase_states

CLASSES = 5


def tiny(seed: int = 0, materials: int = 0) -> GuidedDecoder:
    """Small, and with nothing left at the zeros that it begins with."""
    torch.manual_seed(seed)
    decoder = GuidedDecoder(CLASSES, 4, (8, 8, 16, 16), 16, word_channels=16, materials=materials)
    for parameter in decoder.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return decoder.eval()


def texts_of(*texts: str) -> Texts:
    states, mask = encode_prompts(*load_minilm(), list(texts), pad_to_limit=False)
    return Texts(states[mask], torch.arange(len(texts))[:, None].expand_as(mask)[mask])


def table(names: list[str], phrases: list[str], prompt: str, seed: int = 0) -> ObjectTable:
    """Of one view; objects without a phrase read the prompt."""
    texts = [prompt, *dict.fromkeys(phrase for phrase in phrases if phrase)]
    states = phrase_states(*load_minilm(), [*names, LIGHT])
    return ObjectTable(
        states[:-1],
        torch.tensor([texts.index(phrase or prompt) for phrase in phrases]),
        torch.zeros(len(names), 4),
        torch.zeros(len(names), 8),
        object_codes(torch.tensor([seed]), len(names))[0],
        torch.tensor([0]),
        states[-1],
        texts_of(*texts),
    )


def features_of(shown: Tensor) -> Tensor:
    """(1, C, h, w) features that depend on the place only."""
    y, x = torch.meshgrid(*(torch.arange(side) / 10.0 for side in shown.shape), indexing="ij")
    return torch.stack([(x * (k % 5) + y * (k % 3) + k).sin() for k in range(FEATURES)])[None]


def drawn(
    decoder: GuidedDecoder, objects: ObjectTable, shown: Tensor, latents: Tensor | None = None, given: float = 0
) -> Tensor:
    """One view whose pixels show rows `shown` (h, w) of the table."""
    rows = shown[None] * CLASSES + 3
    with torch.no_grad():
        return decoder(features_of(shown), rows, objects, latents, torch.zeros(1), torch.full((1,), given))[0]


def test_a_phrase_reaches_the_pixels_of_its_object_alone() -> None:
    decoder = tiny()
    names = ["sofa", "armchair", "wall"]
    before = table(names, ["a red sofa", "", "white walls"], "a room with a teal armchair")

    def changed(other: ObjectTable) -> list[bool]:
        # states of other tokens differ in the last digits where a longer text is encoded with them
        apart = (decoder.paint(other) - decoder.paint(before)).abs().view(len(names), CLASSES, -1).amax((1, 2))
        assert all(value < 1e-5 or value > 1e-3 for value in apart.tolist())
        return (apart > 1e-3).tolist()

    assert changed(table(names, ["a blue velvet sofa", "", "white walls"], "a room with a teal armchair")) == [
        True,
        False,
        False,
    ]
    assert changed(table(names, ["a red sofa", "", "white walls"], "a room with a pink armchair")) == [
        False,
        True,
        False,
    ]


def test_one_name_reads_two_phrases_and_two_names_one_prompt() -> None:
    decoder = tiny()
    twins = table(["armchair", "armchair"], ["a red armchair", "a blue armchair"], "a room")
    painted = decoder.paint(replace(twins, codes=torch.zeros_like(twins.codes))).view(2, CLASSES, -1)
    assert float((painted[0] - painted[1]).abs().max()) > 1e-3
    pair = table(["armchair", "sofa"], ["", ""], "a red armchair and a blue sofa")
    painted = decoder.paint(replace(pair, codes=torch.zeros_like(pair.codes))).view(2, CLASSES, -1)
    assert float((painted[0] - painted[1]).abs().max()) > 1e-3


def test_any_size_and_what_is_padded_changes_nothing_far_from_it() -> None:
    decoder, objects = tiny(), table(["sofa"], ["a red sofa"], "a room")
    for height, width in ((16, 16), (37, 50), (1, 99), (64, 31)):
        assert drawn(decoder, objects, torch.zeros(height, width, dtype=torch.long)).shape == (3, height, width)
    whole, cut = (drawn(decoder, objects, torch.zeros(64, width, dtype=torch.long)) for width in (512, 501))
    # no statistics of the image: a pixel far from the edge is the same whatever the image's size
    torch.testing.assert_close(whole[:, :, :160], cut[:, :, :160], atol=1e-5, rtol=0)
    assert float((whole[:, :, 470:501] - cut[:, :, 470:]).abs().max()) > 1e-4


def test_same_seed_same_bytes_and_another_seed_another_view() -> None:
    decoder, shown = tiny(), torch.zeros(32, 32, dtype=torch.long)
    views = [drawn(decoder, table(["sofa"], ["a red sofa"], "a room", seed), shown) for seed in (3, 3, 4)]
    assert torch.equal(views[0], views[1])
    assert float((views[0] - views[2]).abs().mean()) > 1e-3


def test_codes_tell_objects_and_seeds_apart() -> None:
    codes = object_codes(torch.tensor([0, 1, 2**31 - 1]), 40)
    assert codes.shape == (3, 40, CODE_CHANNELS)
    assert len(codes.flatten().unique()) > 0.99 * codes.numel()
    assert abs(float(codes.mean())) < 0.05
    torch.testing.assert_close(object_codes(torch.tensor([1]), 7)[0], codes[1, :7])


def test_latents_count_where_they_are_given() -> None:
    decoder, objects = tiny(), table(["sofa"], ["a red sofa"], "a room")
    shown = torch.zeros(32, 48, dtype=torch.long)
    some, others = (torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert torch.equal(drawn(decoder, objects, shown), drawn(decoder, objects, shown, some))
    assert not torch.equal(drawn(decoder, objects, shown, some, 1.0), drawn(decoder, objects, shown, others, 1.0))
    finer = F.interpolate(some, scale_factor=2.0)
    assert drawn(decoder, objects, shown, finer, 1.0).shape == (3, 32, 48)


def test_latents_stay_in_their_places_where_a_size_is_padded() -> None:
    decoder, objects = tiny(), table(["sofa"], ["a red sofa"], "a room")
    generator = torch.Generator().manual_seed(0)
    features, latents = (
        torch.randn(1, FEATURES, 40, 56, generator=generator),
        torch.randn(1, 4, 5, 7, generator=generator),
    )

    def view(padding: int) -> Tensor:
        def grown(maps: Tensor, by: int) -> Tensor:
            return F.pad(maps, (0, by, 0, by), mode="replicate")

        rows = torch.full((1, 40 + padding, 56 + padding), 3)
        with torch.no_grad():
            drawn = decoder(
                grown(features, padding), rows, objects, grown(latents, padding // 8), torch.zeros(1), torch.ones(1)
            )
        return drawn[0, :, :40, :56]

    torch.testing.assert_close(view(0), view(8))


def test_a_material_changes_its_pixels_and_an_unknown_one_none() -> None:
    decoder, objects = tiny(materials=3), table(["car"], ["a red car"], "a street")
    shown = torch.zeros(64, 64, dtype=torch.long)
    materials = torch.zeros_like(shown)
    materials[24:40, 24:40] = 2

    def view(of: Tensor | None) -> Tensor:
        with torch.no_grad():
            return decoder(
                features_of(shown), shown[None] * CLASSES + 3, objects, None, torch.zeros(1), torch.zeros(1), of
            )[0]

    apart = (view(materials[None]) - view(torch.zeros_like(materials[None]))).abs().amax(0)
    assert float(apart[24:40, 24:40].mean()) > 10 * float(apart[:8].mean())
    with torch.no_grad():
        decoder.made_of.weight[0] = 0
    assert torch.equal(view(None), view(torch.zeros_like(materials[None])))


@pytest.mark.slow
def test_swapped_phrases_swap_colors() -> None:
    """Trained for a moment on two sofas side by side, red and blue by their phrases."""
    torch.manual_seed(0)
    decoder = tiny()
    shown = torch.zeros(16, 16, dtype=torch.long)
    shown[:, 8:] = 1
    colors = {"a red sofa": (0.8, -0.8, -0.8), "a blue sofa": (-0.8, -0.8, 0.8)}
    options = [(a, b, table(["sofa", "sofa"], [a, b], "two sofas")) for a in colors for b in colors]
    optimizer = torch.optim.AdamW(decoder.parameters(), 1e-2)
    features, rows = features_of(shown), shown[None] * CLASSES + 3
    for step in range(200):
        left, right, objects = options[step % 4]
        view = decoder(features, rows, objects, None, torch.zeros(1), torch.zeros(1))[0]
        target = torch.stack([torch.tensor(colors[left]), torch.tensor(colors[right])], 1)[:, shown]
        optimizer.zero_grad()
        (view - target).abs().mean().backward()
        optimizer.step()
    one, two = (
        drawn(decoder, table(["sofa", "sofa"], pair, "two sofas"), shown)
        for pair in (["a red sofa", "a blue sofa"], ["a blue sofa", "a red sofa"])
    )
    red, blue = one[0] - one[2], two[0] - two[2]
    assert float(red[:, :8].mean()) > 0.8 > -0.8 > float(red[:, 8:].mean())
    assert float(blue[:, :8].mean()) < -0.8 < 0.8 < float(blue[:, 8:].mean())


def test_palettes_begin_with_hints_and_named_colors() -> None:
    decoder = tiny()
    torch.nn.init.zeros_(decoder.palette.weight)
    torch.nn.init.zeros_(decoder.palette.bias)
    objects = table(["rug"] * 4, ["a rug"] * 4, "a room")
    hints, colors = torch.zeros(4, 4), torch.zeros(4, 8)
    hints[1:3] = torch.tensor([0.5, -0.5, 0.1, 1.0])
    colors[2:] = torch.tensor([-0.9, 0.2, 0.3, 1.0, 0.7, 0.7, 0.6, 1.0])
    colors[3, 4:] = 0
    palette = decoder.paint(replace(objects, hints=hints, colors=colors))[::CLASSES, -12:].view(4, 4, 3)
    hint, first, second = hints[1, :3], colors[2, :3], colors[2, 4:7]
    for own, expected in zip(
        palette, ([0 * hint] * 4, [hint] * 4, [hint, second, first, hint], [first] * 4), strict=True
    ):
        torch.testing.assert_close(own, torch.stack(expected))


def test_numbers_are_no_part_of_a_name() -> None:
    assert [base_name(name) for name in ("bookshelf 2", "Sofa.001", "east wall", "")] == [
        "bookshelf",
        "sofa",
        "east wall",
        "",
    ]

"""The layout prior: nothing is known before it is drawn, likelihoods add up, and geometry enters as it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from occscene_server.models.layout_prior import LayoutPrior
from occscene_server.models.layout_tokens import GEOMETRY, candidates
from occscene_server.models.name_lookup import NameLookup
from occscene_server.models.place_logits import Boxes, Relative
from occscene_server.models.text import encode_prompts, load_minilm
from tests.occscene_server.models.tiny_layouts import batch_of, room, text_of, tiny_prior

PARTS = ("kind", "color", *GEOMETRY)


def test_what_comes_later_changes_nothing_before() -> None:
    prior, layout = tiny_prior(), room(3)
    batch = batch_of([layout])
    plain = prior.log_likelihoods(batch)
    for index in (0, 4, len(layout.objects) - 1):
        for part in range(9):
            numbers, boxes = batch.objects.clone(), batch.boxes.clone()
            numbers[0, index, part] = (numbers[0, index, part] + 1) % 4
            if part > 1:
                boxes[0, index] += 0.3
            changed = prior.log_likelihoods(replace(batch, objects=numbers, boxes=boxes))
            for name in PARTS:
                torch.testing.assert_close(changed[name][0, :index], plain[name][0, :index])
            for name in PARTS[:part]:
                torch.testing.assert_close(changed[name][0, index], plain[name][0, index])
            assert not torch.allclose(changed[PARTS[part]][0, index], plain[PARTS[part]][0, index])


def test_what_came_before_and_the_prompt_change_what_follows() -> None:
    prior, layout = tiny_prior(), room(3)
    batch = batch_of([layout])
    plain = prior.log_likelihoods(batch)
    moved = batch.boxes.clone()
    moved[0, 0, :2] = -moved[0, 0, :2]
    for other in (replace(batch, boxes=moved), replace(batch, text=batch.text * -1)):
        changed = prior.log_likelihoods(other)
        for name in PARTS:
            assert not torch.allclose(changed[name][0, 1:], plain[name][0, 1:])


@pytest.mark.slow
def test_every_distribution_sums_to_one() -> None:
    prior, layout = tiny_prior(), room(5)
    batch = batch_of([layout])
    index = 3
    for part, name in enumerate(PARTS):
        count = prior.stop if part == 0 else len(prior.vocabulary.colors) if part == 1 else GEOMETRY[name]
        total = 0.0
        for value in range(count):
            numbers = batch.objects.clone()
            numbers[0, index, part] = value
            with torch.no_grad():
                total += float(prior.log_likelihoods(replace(batch, objects=numbers))[name][0, index].exp())
        if part == 0:
            ended = replace(
                batch, objects=batch.objects[:, :index], boxes=batch.boxes[:, :index], count=torch.tensor([index])
            )
            with torch.no_grad():
                total += float(prior.log_likelihoods(ended)["stop"].exp())
        assert total == pytest.approx(1.0, abs=1e-4), name


def test_given_objects_and_padding_cost_nothing() -> None:
    prior = tiny_prior()
    short, long = room(3), room(5)
    both = prior.log_likelihoods(batch_of([short, long], [2, 0]))
    one = prior.log_likelihoods(batch_of([short], [2]))
    for name in PARTS:
        assert (both[name][0, :2] == 0).all()
        count = len(short.objects)
        torch.testing.assert_close(both[name][0, :count], one[name][0, :count], atol=1e-5, rtol=1e-4)
        assert (both[name][0, count:] == 0).all()
    torch.testing.assert_close(both["stop"][0], one["stop"][0], atol=1e-5, rtol=1e-4)


def test_relative_logits_are_sums_over_distances() -> None:
    """The shift theorem against the plain sum over heads, objects, edges and harmonics."""
    torch.manual_seed(1)
    places = torch.tensor(candidates("along"), dtype=torch.float32)
    net = Relative(16, places)
    states, anchors = torch.randn(2, 3, 16), torch.randn(2, 4, 16)
    mask = torch.rand(2, 3, 4) < 0.7
    mask[..., 0] = True
    edges, quadrant = torch.randn(2, 4, 4, 2), torch.randint(0, 4, (2, 3))
    found = net(states, anchors, mask, edges, quadrant)
    query = net.query(states).unflatten(-1, (2, 32))
    key = net.key(anchors).unflatten(-1, (2, 32))
    series = net.series(states).view(2, 3, 2, 2, 2, -1)
    for b, t in np.ndindex(2, 3):
        wanted = torch.zeros(len(places))
        for h in range(2):
            scores = torch.stack([query[b, t, h] @ key[b, j, h] / 32**0.5 for j in range(4)])
            weights = scores.masked_fill(~mask[b, t], -torch.inf).softmax(0)
            for j, e in np.ndindex(4, 2):
                angle = (places - edges[b, j, quadrant[b, t], e])[:, None] * net.frequencies
                wave = series[b, t, h, e, 0] * angle.cos() + series[b, t, h, e, 1] * angle.sin()
                wanted += weights[j] * wave.sum(1)
        torch.testing.assert_close(found[b, t], wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_places_in_other_things_are_shunned_and_no_others(seed: int) -> None:
    """With everything else equal, "along" is lowered exactly where the upright boxes would meet."""
    prior, layout = tiny_prior(), room(seed)
    batch = batch_of([layout])
    with torch.no_grad():
        for module in (prior.places.along, prior.places.back):
            module.series.weight.zero_()
            module.series.bias.zero_()
        found = prior.lookup(batch.text, batch.text_mask)
        states = prior.encode(batch, found)
        anchors, boxes = prior.anchors(batch, states)
    count = len(layout.objects)
    places = candidates("along")
    index = torch.arange(count)
    mask = (torch.arange(count + 1)[None] <= index[:, None])[None]
    numbers = batch.objects[..., 2:]
    lowered = prior.places.along_logits(states[:, 2::2], anchors, mask, boxes, batch.room_size, numbers)[0] < -1e-3
    own = Boxes.of(batch.boxes, torch.zeros(1, count))
    opening = [obj.name in ("door", "window") for obj in layout.objects]
    for i in range(count):
        quadrant = int(((numbers[0, i, 0] + 4) // 8) % 4)
        low, high = own.edges[0, i, quadrant].tolist()
        toward = own.edges[0, i, (quadrant + 1) % 4].tolist()
        half = (high - low) / 2
        wide = float(batch.room_size[0, quadrant % 2])
        for k, place in enumerate(places):
            hit = abs(place) + half > wide / 2 + 0.02
            for j in range(i):
                reach = 0.6 if opening[j] else 0.0
                a = own.edges[0, j, quadrant].tolist()
                b = own.edges[0, j, (quadrant + 1) % 4].tolist()
                z, own_z = own.heights[0, j].tolist(), own.heights[0, i].tolist()
                gaps = [
                    min(a[1] + reach, place + half) - max(a[0] - reach, place - half),
                    min(b[1] + reach, toward[1]) - max(b[0] - reach, toward[0]),
                    min(z[1], own_z[1]) - max(z[0], own_z[0]),
                ]
                hit |= min(gaps) > 0.02
                near = min(abs(gap - 0.02) for gap in gaps)
                if near < 1e-4:
                    break  # a tie, which rounding decides
            else:
                if abs(abs(place) + half - wide / 2 - 0.02) > 1e-4:
                    assert bool(lowered[i, k]) == hit, (layout.objects[i].name, place)


def test_names_find_their_words() -> None:
    encoder, tokenizer = load_minilm()
    names = ["sofa", "desk", "rug", "bookshelf"]
    lookup = NameLookup(len(names), 384)
    lookup.start_from(names, encoder, tokenizer)
    prompts = ["a modern study with a black leather couch", "two red sofas and an oak desk", "a rug", "a bed"]
    states, mask = encode_prompts(encoder, tokenizer, prompts, pad_to_limit=False)
    found = lookup(states, mask)
    assert found.evidence[1].topk(2).indices.tolist() in ([0, 1], [1, 0])
    assert found.evidence[2].argmax() == 2
    nothing = lookup(states, torch.zeros_like(mask))
    assert (nothing.evidence == 0).all()
    assert (nothing.states == 0).all()


def test_weights_come_back_from_disk(tmp_path: Path) -> None:
    prior, batch = tiny_prior(), batch_of([room(3)])
    prior.save_pretrained(tmp_path)
    again = LayoutPrior.from_pretrained(tmp_path).eval()
    assert again.vocabulary == prior.vocabulary
    for name, value in prior.log_likelihoods(batch).items():
        torch.testing.assert_close(again.log_likelihoods(batch)[name], value)
    assert list(tmp_path.glob("*.safetensors"))


def test_no_prompt_is_a_prompt_of_no_tokens() -> None:
    prior, layout = tiny_prior(), room(3)
    batch = batch_of([layout])
    empty = replace(batch, text=text_of(0)[None])
    empty = replace(empty, text_mask=torch.zeros(1, 0, dtype=torch.bool))
    masked = replace(batch, text_mask=torch.zeros_like(batch.text_mask))
    for name, value in prior.log_likelihoods(empty).items():
        torch.testing.assert_close(prior.log_likelihoods(masked)[name], value)

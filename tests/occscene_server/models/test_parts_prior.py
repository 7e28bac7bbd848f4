"""The parts prior with random weights: exact likelihoods, each object by itself, draws that repeat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from occscene_server.data.recorded_parts import recorded_solids
from occscene_server.models.object_fronts import ObjectFronts, side_features
from occscene_server.models.part_groups import grouped
from occscene_server.models.part_tokens import MAX_PARTS, NUMBERS, encode_parts
from occscene_server.models.parts_prior import PartsBatch, PartsPrior
from occscene_server.studio.layouts import room_record

TEXT = 16
RECORD = room_record(60)
KINDS = sorted({obj.name for obj in RECORD.layout.objects})
MATERIALS = sorted({word for parts in RECORD.parts for word in parts.material_kind})


@pytest.fixture(scope="module")
def prior() -> PartsPrior:
    torch.manual_seed(0)
    return PartsPrior(KINDS, ["furn"] * len(KINDS), [[1.0, 1.0, 1.0]] * len(KINDS), MATERIALS, 32, 2, 2, TEXT).eval()


def batch_of(rows: list[int]) -> PartsBatch:
    numbers, counts = [], []
    for row in rows:
        groups, symmetry = grouped(recorded_solids(RECORD.parts[row]))
        size = np.broadcast_to(RECORD.layout.objects[row].size, (len(groups), 3))
        material = np.array([MATERIALS.index(word) for word in groups.material])
        numbers.append(encode_parts(groups, symmetry, material, size))
        counts.append(len(groups))
    objects = [RECORD.layout.objects[row] for row in rows]
    return PartsBatch(
        torch.tensor([KINDS.index(obj.name) for obj in objects]),
        torch.tensor([obj.size for obj in objects]),
        torch.stack([torch.randn(TEXT, generator=torch.Generator().manual_seed(row)) for row in rows]),
        torch.from_numpy(np.concatenate(numbers)),
        torch.tensor(counts),
    )


def total(prior: PartsPrior, batch: PartsBatch) -> float:
    with torch.no_grad():
        return float(sum(part.sum() for part in prior.log_likelihoods(batch).values()))


def test_each_object_is_by_itself(prior: PartsPrior) -> None:
    rows = list(range(len(RECORD.parts)))
    assert total(prior, batch_of(rows)) == pytest.approx(sum(total(prior, batch_of([row])) for row in rows), rel=1e-4)


def test_likelihoods_of_all_values_add_up_to_one(prior: PartsPrior) -> None:
    """Of the last part's taper, every other number given."""
    row = next(i for i, obj in enumerate(RECORD.layout.objects) if obj.name in ("floor lamp", "sofa"))
    batch = batch_of([row])
    column, last = list(NUMBERS).index("taper"), len(batch.numbers) - 1
    batch.numbers[last, list(NUMBERS).index("kind")] = 4  # a cylinder, whose taper is given
    mass = 0.0
    for value in range(NUMBERS["taper"]):
        batch.numbers[last, column] = value
        with torch.no_grad():
            mass += float(prior.log_likelihoods(batch)["taper"][last].exp())
    assert mass == pytest.approx(1.0, abs=1e-4)


def test_steps_with_memory_are_the_whole_sequence(prior: PartsPrior) -> None:
    x = torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(1))
    whole = prior.encode(x, torch.ones(3, 7, 7, dtype=torch.bool).tril())
    caches: list[torch.Tensor | None] = [None] * len(prior.blocks)
    for place in range(7):
        new = x[:, place : place + 1]
        for i, block in enumerate(prior.blocks):
            new, caches[i] = block.step(new, caches[i])
        torch.testing.assert_close(prior.norm(new)[:, 0], whole[:, place], atol=1e-4, rtol=1e-4)


def test_what_was_drawn_greedily_is_likeliest_number_by_number(prior: PartsPrior) -> None:
    given = batch_of([0, 3, 5])
    drawn = prior.draw(given.kind, given.size, given.phrase, None)
    counts = torch.tensor([len(own) for own in drawn])
    batch = PartsBatch(given.kind, given.size, given.phrase, torch.cat(drawn), counts)
    own = prior.log_likelihoods(batch)["kind"]
    assert (own[torch.arange(len(counts)) + counts.cumsum(0) - counts] >= np.log(1 / 11)).all()
    for value in range(3):
        other = batch.numbers.clone()
        other[0, list(NUMBERS).index("symmetry")] = value
        changed = PartsBatch(batch.kind, batch.size, batch.phrase, other, batch.count)
        before, after = (prior.log_likelihoods(one)["symmetry"][0] for one in (batch, changed))
        assert after <= before + 1e-5


def test_draws_repeat_differ_by_seed_and_do_not_see_each_other(prior: PartsPrior) -> None:
    batch = batch_of([0, 3, 5, 6])

    def draw(rows: list[int], seed: int) -> list[torch.Tensor]:
        generators = [torch.Generator().manual_seed(100 * seed + row) for row in rows]
        return prior.draw(batch.kind[rows], batch.size[rows], batch.phrase[rows], generators)

    one, same, alone, other = draw([0, 1, 2, 3], 1), draw([0, 1, 2, 3], 1), draw([2], 1), draw([0, 1, 2, 3], 2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert torch.equal(one[2], alone[0])
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(1 <= len(own) <= MAX_PARTS for own in one)


def test_fronts_follow_walls_and_tables() -> None:
    """A bench with its back at the west wall, a table, and a chair with its front at the table; boxes turned."""
    fronts, rng, bounds = ObjectFronts(3), np.random.default_rng(0), np.array([[-2.0, -2.0], [2.0, 2.0]])
    tables, east = np.array([False, True, False]), -np.pi / 2

    def boxes(y: float) -> NDArray[np.float64]:
        bench, chair = (-1.8, y, 0.2, 1.2, 0.4, 0.4, east), (0.25, 0.0, 0.4, 0.4, 0.4, 0.9, east)
        return np.array([bench, (1.0, 0.0, 0.4, 0.8, 0.8, 0.8, 0.0), chair])

    room = np.array([4.0, 4.0, 2.5])
    fronts.count([(np.arange(3), boxes(float(rng.uniform(-1, 1))), tables, room) for _ in range(60)])
    seen = side_features(boxes(0.3), tables, bounds)
    assert seen[0].tolist() == [[False, False], [False, False], [True, False], [False, False]]
    assert seen[2].tolist() == [[False, True], [False, False], [False, False], [False, False]]
    for quarter in range(4):
        turned = boxes(-0.4)
        turned[:, 6] -= quarter * np.pi / 2
        if quarter % 2:
            turned[:, [3, 4]] = turned[:, [4, 3]]
        assert fronts.quarters([0, -1, 2], turned, tables, bounds) == [quarter, 0, quarter]


def test_sizes_are_brought_within_what_is_usual() -> None:
    fronts = ObjectFronts(1)
    boxes = np.array([(0, 0, 0.5, 1.0, 0.2, 0.7, 0.0), (0, 0, 0.5, 1.2, 0.2, 0.8, 0.0)])
    fronts.count([(np.zeros(2, np.int64), boxes, np.zeros(2, bool), np.array([4.0, 4.0, 2.5]))])
    sizes = fronts.usual_sizes(torch.tensor([0, 0]), np.array([(1.1, 0.21, 0.75), (1.1, 0.02, 9.0)]))
    np.testing.assert_allclose(sizes[0], (1.1, 0.21, 0.75))
    assert sizes[1, 0] == 1.1
    assert 0.15 < sizes[1, 1] < 0.2 < 0.75 < sizes[1, 2] < 1.1

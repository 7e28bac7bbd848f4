"""Parts as numbers: what is written is what is read, mirrored parts are one, and nothing leaves its box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from occscene_server.data.recorded_parts import recorded_solids
from occscene_server.geometry.solids import Solids
from occscene_server.models.part_groups import BOOKS, MIRRORED_BOTH, grouped, ungrouped
from occscene_server.models.part_tokens import MAX_PARTS, NUMBERS, decode_parts, encode_parts
from occscene_server.studio.layouts import room_record

PIECES = [
    (obj.name, recorded_solids(parts), np.array(obj.size))
    for record in map(room_record, (3, 20, 60, 780))
    for obj, parts in zip(record.layout.objects, record.parts, strict=True)
]


def shapes(solids: Solids) -> NDArray[np.float64]:
    """What parts look like whatever their axes are called: middle and second moments, sorted."""
    moments = np.einsum("pij,pj,pkj->pik", solids.axes, solids.size**2, solids.axes).reshape(-1, 9)
    rows = np.concatenate([solids.kind[:, None], solids.center, np.sign(moments) * np.sqrt(np.abs(moments))], 1)
    return rows[np.lexsort(np.round(rows, 2).T[::-1])]


@pytest.mark.parametrize("name", sorted({name for name, _, _ in PIECES} - {"bookshelf"}))
def test_mirrored_parts_are_said_once_and_come_back(name: str) -> None:
    for _, solids, _ in (piece for piece in PIECES if piece[0] == name):
        groups, symmetry = grouped(solids)
        assert len(groups) <= min(len(solids), MAX_PARTS)
        back = ungrouped(groups, symmetry, np.random.default_rng(0))
        assert len(back) == len(solids)
        np.testing.assert_allclose(np.sort(back.center, 0), np.sort(solids.center, 0), atol=0.006)
        for one, other in zip(back.bounds(), solids.bounds(), strict=True):
            np.testing.assert_allclose(one, other, atol=0.012)


def test_legs_of_a_table_are_one_group() -> None:
    tables = [solids for name, solids, _ in PIECES if name in ("coffee table", "dining table", "bench", "stool")]
    assert tables
    assert any((grouped(solids)[1] == MIRRORED_BOTH).any() for solids in tables)


def test_books_of_a_shelf_become_rows_and_rows_become_books() -> None:
    solids = next(solids for name, solids, _ in PIECES if name == "bookshelf")
    groups, symmetry = grouped(solids)
    rows = int((groups.kind == BOOKS).sum())
    assert 2 <= rows <= 16
    one, same, other = (ungrouped(groups, symmetry, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.size, same.size)
    assert len(one) > len(groups) + 10
    assert one.size.shape != other.size.shape or not np.array_equal(one.size, other.size)
    for bound, wanted in zip(one.bounds(), solids.bounds(), strict=True):
        np.testing.assert_allclose(bound, wanted, atol=0.01)


def test_numbers_keep_the_shapes() -> None:
    for name, solids, size in PIECES:
        if name in ("door", "window", "plant", "vase"):  # what sticks out of its box is moved into it
            continue
        groups, symmetry = grouped(solids)
        materials = tuple(sorted(set(groups.material)))
        rows = np.array([materials.index(word) for word in groups.material])
        numbers = encode_parts(groups, symmetry, rows, np.broadcast_to(size, (len(groups), 3)))
        limits = np.array([limit or len(materials) for limit in (NUMBERS | {"kind": BOOKS + 1}).values()])
        assert ((numbers >= 0) & (numbers < limits)).all()
        back, mirrored = decode_parts(numbers, materials, size)
        np.testing.assert_array_equal(mirrored, symmetry)
        np.testing.assert_array_equal(back.kind, groups.kind)
        assert back.material == groups.material
        np.testing.assert_allclose(back.center, groups.center, atol=0.022)
        np.testing.assert_allclose(back.size, groups.size, atol=0.03)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_drawn_stays_inside_its_box(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    limits = [limit or 3 for limit in NUMBERS.values()]
    numbers = np.array([[data.draw(st.integers(0, limit - 1)) for limit in limits] for _ in range(count)])
    size = np.array([data.draw(st.floats(0.02, 4.0)) for _ in range(3)])
    groups, symmetry = decode_parts(numbers, ("wood", "metal", "paper"), size)
    parts = ungrouped(groups, symmetry, np.random.default_rng(0)).inside(size)
    low, high = parts.bounds()
    assert (low >= -size / 2 - 1e-6).all()
    assert (high <= size / 2 + 1e-6).all()
    np.testing.assert_allclose(
        np.einsum("pij,pik->pjk", parts.axes, parts.axes), np.tile(np.eye(3), (len(parts), 1, 1)), atol=1e-9
    )
    assert all(part.kind for part in parts.layout_parts())

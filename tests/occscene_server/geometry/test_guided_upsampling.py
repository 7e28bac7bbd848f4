"""Maps at more pixels, each surface of its own."""

from __future__ import annotations

import pytest
import torch

from occscene_server.geometry.guided_upsampling import averaged_within, upsampled_within


@pytest.mark.parametrize(("scale", "size"), [(1.0, (12, 20)), (0.5, (24, 40)), (0.25, (45, 77)), (0.4, (30, 47))])
def test_a_ramp_stays_a_ramp(scale: float, size: tuple[int, int]) -> None:
    """What is the place of its pixel stays that of each finer one, and stops at the outermost pixels' centres."""
    rows, columns = 12, 20
    y = (torch.arange(rows) + 0.5)[:, None].expand(rows, columns)
    x = (torch.arange(columns) + 0.5)[None].expand(rows, columns)
    nothing = torch.zeros(1, rows, columns, dtype=torch.int64)
    found = upsampled_within(torch.stack([y, x])[None], nothing, torch.zeros(1, *size, dtype=torch.int64), scale)[0]
    for axis, side in enumerate(size):
        wanted = ((torch.arange(side) + 0.5) * scale).clamp(0.5, (rows, columns)[axis] - 0.5)
        torch.testing.assert_close(found[axis].movedim(axis, 1)[0], wanted)


def test_surfaces_do_not_mix() -> None:
    """Two surfaces with a border across the pixels, at eight times the size: each has its own value up to there."""
    y, x = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(256) + 0.5, indexing="ij")
    fine = (y + 0.37 * x > 130).long()[None]
    coarse = fine[:, 4::8, 4::8]
    values = torch.where(coarse == 1, 1.0, -1.0)[:, None]
    found = upsampled_within(values, coarse, fine, 1 / 8)[:, 0]
    wanted = torch.where(fine == 1, 1.0, -1.0)
    wrong = (found - wanted).abs() > 1e-2
    # only corners that a surface just touches have none of its pixels near
    assert wrong.float().mean() < 0.002
    assert found.abs().max() <= 1


def test_what_no_near_pixel_shows_is_between_all() -> None:
    values = torch.tensor([[[[0.0, 4.0]]]])
    coarse = torch.tensor([[[1, 2]]])
    found = upsampled_within(values, coarse, torch.full((1, 1, 4), 3), 0.5)
    torch.testing.assert_close(found, torch.tensor([[[[0.0, 1.0, 3.0, 4.0]]]]))


def test_means_are_of_what_the_middle_of_a_cell_shows() -> None:
    values = torch.arange(32.0).view(1, 2, 4, 4)
    shown = torch.tensor([[[5, 5, 7, 7], [5, 5, 7, 9], [5, 5, 9, 9], [5, 3, 9, 9]]])
    means, middles = averaged_within(values, shown, 2)
    assert middles.tolist() == [[[5, 9], [3, 9]]], "the lower right of the four in the middle"
    assert means[0, 0].tolist() == [[2.5, 7.0], [13.0, 12.5]]
    assert torch.equal(means[:, 1], means[:, 0] + 16)
    same, all_shown = averaged_within(values, shown, 1)
    assert torch.equal(same, values)
    assert torch.equal(all_shown, shown)

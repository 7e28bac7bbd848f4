"""What ControlNets add to a UNet at a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from occscene_server.models.control_nets import Control, Inputs, control_residuals
from tests.occscene_server.pipelines.tiny_checkpoints import TEXT_WIDTH, save_tiny_control, save_tiny_xl

MAPS = {name: torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        for seed, name in enumerate(("depth", "instances"))}  # fmt: skip


@pytest.fixture(scope="module")
def union(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    root = tmp_path_factory.mktemp("union")
    network: torch.nn.Module = save_tiny_control(root / "control", save_tiny_xl(root / "xl").unet, union=True)
    return network.requires_grad_(False)


def _inputs() -> Inputs:
    draw = torch.Generator().manual_seed(5)
    added = {"text_embeds": torch.randn(2, TEXT_WIDTH, generator=draw), "time_ids": torch.full((2, 6), 64.0)}
    states = torch.randn(2, 77, 2 * TEXT_WIDTH, generator=draw)
    return Inputs(torch.randn(2, 4, 8, 8, generator=draw), torch.tensor(500), states, added)


def _residuals(union: torch.nn.Module, *strengths: float, scale: float = 1.0) -> torch.Tensor:
    controls = [Control(kind, union, True, strength) for kind, strength in zip(("depth", "segment"), strengths,
                                                                               strict=False)]  # fmt: skip
    found = control_residuals(controls, _inputs(), MAPS, 0, 10, scale)
    assert found is not None
    return torch.cat([part.flatten() for part in (*found[0], found[1])])


def test_two_types_of_a_union_are_scaled_and_diffusers_leaves_them_unscaled(union: torch.nn.Module) -> None:
    torch.testing.assert_close(_residuals(union, 0.8, 0.4), 2 * _residuals(union, 0.4, 0.2))
    torch.testing.assert_close(_residuals(union, 0.8, 0.4, scale=0.5), 0.5 * _residuals(union, 0.8, 0.4))
    inputs = _inputs()
    types = torch.zeros(2, 6)
    types[:, [1, 5]] = 1
    down, _ = union(
        inputs.latents, inputs.timestep, inputs.states, [MAPS["depth"], MAPS["instances"]], types, [1, 5],
        conditioning_scale=[0.0, 0.0], added_cond_kwargs=inputs.added, return_dict=False,
    )  # fmt: skip
    assert max(part.abs().max() for part in down) > 0.1  # the trap: a strength of 0 acts


def test_a_type_without_strength_is_left_out(union: torch.nn.Module) -> None:
    torch.testing.assert_close(_residuals(union, 0.7, 0.0), _residuals(union, 0.7))
    controls = [Control("depth", union, True, 0.0), Control("segment", union, True, 0.0)]
    assert control_residuals(controls, _inputs(), MAPS, 0, 10, 1.0) is None
    assert control_residuals([Control("depth", union, True, 1.0)], _inputs(), MAPS, 0, 10, 0.0) is None


def test_controls_act_between_their_start_and_end_by_diffusers_rule() -> None:
    control = Control("depth", None, False, 1.0, 0.2, 0.8)
    assert [control.acts(step, 10) for step in range(10)] == [False] * 2 + [True] * 6 + [False] * 2


def test_several_control_nets_add_up(union: torch.nn.Module, tmp_path: Path) -> None:
    pipeline = save_tiny_xl(tmp_path / "xl")
    plain = save_tiny_control(tmp_path / "plain", pipeline.unet, seed=4).requires_grad_(False)
    both = [Control("depth", union, True, 0.5), Control("depth", plain, False, 0.3)]
    sums = [control_residuals([control], _inputs(), MAPS, 0, 10, 1.0) for control in both]
    joined = control_residuals(both, _inputs(), MAPS, 0, 10, 1.0)
    assert joined is not None
    assert sums[0] is not None
    assert sums[1] is not None
    torch.testing.assert_close(joined[1], sums[0][1] + sums[1][1])

"""ControlNets beside a Stable Diffusion UNet: what they add to it at a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

UNION_TYPES = {"depth": 1, "normal": 4, "segment": 5}
"""Numbers of the control types in union ControlNets (xinsir6/ControlNetPlus)."""

Residuals = tuple[list[Tensor], Tensor]
"""What is added to the UNet's skip connections, and to its middle."""


class Inputs(NamedTuple):
    """What a UNet and its ControlNets are given at a step, B of each.

    Args:
        latents: (B, 4, h, w) as the scheduler scales them.
        timestep: scalar.
        states: (B, tokens, width) of the prompts.
        added: SDXL's further conditions, or None.
    """

    latents: Tensor
    timestep: Tensor
    states: Tensor
    added: dict[str, Tensor] | None


@dataclass(frozen=True, eq=False)
class Control:
    """One ControlNet, or one type of a union ControlNet.

    Args:
        kind: "depth", "normal" or "segment".
        network: diffusers' ControlNetModel or ControlNetUnionModel.
        is_union: which of the two.
        strength: of the residuals.
        start, end: shares of the steps between which it acts.
    """

    kind: str
    network: Any
    is_union: bool
    strength: float
    start: float = 0.0
    end: float = 1.0

    @property
    def map(self) -> str:
        """The kind of control map that it is shown."""
        if self.kind == "segment":
            return "instances" if self.is_union else "ade20k"
        return self.kind

    def acts(self, step: int, steps: int) -> bool:
        """Whether it acts at a step of those that run, by the rule of diffusers' pipelines."""
        return self.strength > 0 and not (step / steps < self.start or (step + 1) / steps > self.end)


def control_residuals(
    controls: Sequence[Control], inputs: Inputs, maps: dict[str, Tensor], step: int, steps: int, scale: float
) -> Residuals | None:
    """The sum of what ControlNets add at a step; None where none acts.

    Args:
        controls: of the checkpoint.
        inputs: B of them.
        maps: (B, 3, height, width) in [0, 1] by kind of map.
        step, steps: of those that run.
        scale: of all strengths.
    """
    if scale == 0:
        return None
    active = [control for control in controls if control.acts(step, steps)]
    total: Residuals | None = None
    for network in dict.fromkeys(control.network for control in active):
        own = [control for control in active if control.network is network]
        shown = [maps[control.map].to(network.dtype) for control in own]
        run = _union_residuals if own[0].is_union else _plain_residuals
        total = _added(total, run(network, own, inputs, shown, scale))
    return total


def _plain_residuals(
    network: Any, controls: list[Control], inputs: Inputs, shown: list[Tensor], scale: float
) -> Residuals:
    total: Residuals | None = None
    for control, pixels in zip(controls, shown, strict=True):
        down, middle = network(
            inputs.latents, inputs.timestep, encoder_hidden_states=inputs.states, controlnet_cond=pixels,
            conditioning_scale=control.strength * scale, guess_mode=False, added_cond_kwargs=inputs.added,
            return_dict=False,
        )  # fmt: skip
        total = _added(total, (list(down), middle))
    assert total is not None
    return total


def _added(total: Residuals | None, new: Residuals) -> Residuals:
    if total is None:
        return new
    return [before + more for before, more in zip(total[0], new[0], strict=True)], total[1] + new[1]


def _union_residuals(
    network: Any, controls: list[Control], inputs: Inputs, shown: list[Tensor], scale: float
) -> Residuals:
    """One pass for all types.

    With one type, diffusers' model multiplies its residuals by the strength. With several it weighs the types against
    each other and leaves its residuals as they are, so that strengths of 0 would still act: the types get shares of the
    largest strength, and the residuals are multiplied by that here.
    """
    types = [UNION_TYPES[control.kind] for control in controls]
    strengths = [control.strength * scale for control in controls]
    largest = max(strengths)
    alone = len(controls) == 1
    mask = torch.zeros(1, network.config.num_control_type, dtype=inputs.states.dtype, device=inputs.states.device)
    mask[0, types] = 1
    down, middle = network(
        inputs.latents, inputs.timestep, encoder_hidden_states=inputs.states, controlnet_cond=shown,
        control_type=mask.repeat(len(inputs.latents), 1), control_type_idx=types,
        conditioning_scale=strengths if alone else [strength / largest for strength in strengths],
        guess_mode=False, added_cond_kwargs=inputs.added, return_dict=False,
    )  # fmt: skip
    if alone:
        return list(down), middle
    return [part * largest for part in down], middle * largest

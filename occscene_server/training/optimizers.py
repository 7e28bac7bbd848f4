"""What takes the optimiser's steps: AdamW, with Muon for the large matrices where it is asked for."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

OptimizerName = Literal["adamw", "muon"]

_LEAST_SIDE = 32
"""Smaller matrices are left to AdamW: an orthogonal update of a thin one, as an output layer's, is mostly noise."""


class SplitOptimizer:
    """AdamW for all parameters, or Muon for the large matrices but for tables, and AdamW for the rest.

    Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers") is torch's own, with updates as large as AdamW's
    (Liu et al. 2025, arXiv 2502.16982), so that both follow one learning rate. Convolutions count as matrices of their
    outputs by all that an output sees.

    Args:
        model: on its device and in its memory format, which must not change.
        name: "adamw" or "muon".
        weight_decay: on matrices only.
        betas: of AdamW.
    """

    def __init__(self, model: nn.Module, name: OptimizerName, weight_decay: float, betas: tuple[float, float]) -> None:
        tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
        decayed, others = [], []
        self._matrices: list[tuple[nn.Parameter, Tensor]] = []
        for parameter_name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.ndim < 2 or parameter_name.endswith(("A_log", "dt_bias", ".D")):
                others.append(parameter)
            elif (
                name == "muon"
                and id(parameter) not in tables
                and min(len(parameter), parameter[0].numel()) >= _LEAST_SIDE
            ):
                self._matrices.append((parameter, _as_matrix(parameter.detach())))
            else:
                decayed.append(parameter)
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, betas=betas, fused=True)]
        if self._matrices:
            matrices = [matrix for _, matrix in self._matrices]
            self._parts.append(torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))

    def step(self, learning_rate: float) -> None:
        """One step along the parameters' gradients."""
        for parameter, matrix in self._matrices:
            matrix.grad = None if parameter.grad is None else _as_matrix(parameter.grad)
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """What `load_state_dict` of another run takes."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Goes on where another optimiser of the same parameters stopped."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def _as_matrix(weights: Tensor) -> Tensor:
    """Weights (out, ...) as (out, all else), in their own memory, whichever layout a convolution's have."""
    if weights.ndim == 4 and weights.is_contiguous(memory_format=torch.channels_last):
        weights = weights.permute(0, 2, 3, 1)
    return weights.view(len(weights), -1)

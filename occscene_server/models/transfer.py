"""A network for one taxonomy that begins with what another one, of another taxonomy, has learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


@torch.no_grad()
def take_over(network: nn.Module, trained: nn.Module, leading: Mapping[str, int] | None = None) -> None:
    """Copies the weights whose shapes agree; the rest, which depends on the classes, stays as it is.

    Args:
        network: changed in place.
        trained: of the same type.
        leading: for weights (out, in, ...) that have more inputs for more classes, how many inputs do not depend on
            them; those come first and are copied.
    """
    known = trained.state_dict()
    for name, own in network.state_dict().items():
        other = known.get(name)
        if other is None:
            continue
        if other.shape == own.shape:
            own.copy_(other)
        elif leading and name in leading:
            own[:, : leading[name]].copy_(other[:, : leading[name]])

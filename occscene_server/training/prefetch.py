"""Batches made in a second process while the first one trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, IterableDataset

Batch = TypeVar("Batch")


class Prefetched(Generic[Batch]):
    """Calls `make` for step after step, ahead of who asks.

    Args:
        make: the batch of a step, which depends on nothing else.
    """

    def __init__(self, make: Callable[[int], Batch]) -> None:
        self._make = make
        self._next = -1
        self._batches: Iterator[Batch] = iter(())

    def __call__(self, step: int) -> Batch:
        """The batch of a step; steps in order are ready when they are asked for."""
        if step != self._next:
            self._batches = iter(DataLoader(_Steps(self._make, step), batch_size=None, num_workers=1))
        self._next = step + 1
        return next(self._batches)


class _Steps(IterableDataset[Batch]):
    def __init__(self, make: Callable[[int], Batch], first: int) -> None:
        self._make, self._first = make, first

    def __iter__(self) -> Iterator[Batch]:
        step = self._first
        while True:
            with torch.autocast("cpu", enabled=False):
                yield self._make(step)
            step += 1

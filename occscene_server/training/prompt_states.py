"""Token states of many prompts, encoded once and kept on disk in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import encode_prompts

_BATCH = 64


class PromptStates:
    """States of the prompts of one file of layouts, read from disk as they are needed.

    Args:
        path: without suffix; `.states` and `.npy` are made where they are missing or of other prompts.
        prompts: to encode.
        encoder, tokenizer: of `load_minilm`.
    """

    def __init__(
        self, path: Path, prompts: Sequence[str], encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.width: int = encoder.config.hidden_size
        states, ends = path.with_suffix(".states"), path.with_suffix(".npy")
        if not ends.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._encode(states, ends, prompts, encoder, tokenizer)
        self.ends = np.load(ends)
        if len(self.ends) != len(prompts):
            raise ValueError(f"{ends} has {len(self.ends)} prompts, the layouts have {len(prompts)}; delete it")
        self.values = np.memmap(states, np.int16, "r").reshape(-1, self.width)

    def _encode(
        self,
        states: Path,
        ends: Path,
        prompts: Sequence[str],
        encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        """Encodes prompts of like length together, and writes the ends last: they say that the states are whole."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        encoded: list[Tensor] = [torch.empty(0)] * len(prompts)
        for first in range(0, len(order), _BATCH):
            rows = order[first : first + _BATCH]
            with fast_autocast("cpu"):
                batch, mask = encode_prompts(encoder, tokenizer, [prompts[row] for row in rows], pad_to_limit=False)
            for row, own, there in zip(rows, batch.to(torch.bfloat16), mask, strict=True):
                encoded[row] = own[there]
        torch.cat(encoded).view(torch.int16).numpy().tofile(states)
        partial = ends.with_name(f"{ends.stem}.partial.npy")
        np.save(partial, np.cumsum([len(own) for own in encoded]))
        partial.replace(ends)

    def length(self, prompt: int) -> int:
        """Tokens of one prompt."""
        return int(self.ends[prompt]) - (int(self.ends[prompt - 1]) if prompt else 0)

    def __getitem__(self, prompt: int) -> Tensor:
        """(tokens, width) bfloat16 of one prompt."""
        first = int(self.ends[prompt - 1]) if prompt else 0
        return torch.from_numpy(np.array(self.values[first : int(self.ends[prompt])])).view(torch.bfloat16)


def stacked(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """States of several prompts padded to the longest (B, S, width), and their mask (B, S)."""
    lengths = torch.tensor([len(own) for own in states])
    padded = pad_sequence(list(states), batch_first=True)
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]

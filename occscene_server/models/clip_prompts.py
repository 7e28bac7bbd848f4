"""Prompts of Stable Diffusion: CLIP's token states, of prompts of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class TextStates:
    """Encoded prompts.

    Args:
        states: (N, tokens, width).
        pooled: (N, pooled width) of the last encoder, for SDXL; None for Stable Diffusion 1.x and 2.x.
    """

    states: Tensor
    pooled: Tensor | None

    def row(self, index: int) -> TextStates:
        """One of the prompts, (1, ...)."""
        pooled = None if self.pooled is None else self.pooled[index : index + 1]
        return TextStates(self.states[index : index + 1], pooled)


class ClipPrompts:
    """The tokenizers and text encoders of a checkpoint.

    CLIP reads 77 tokens; longer prompts are read in chunks of 75 between the marks of beginning and end, and the states
    of the chunks are joined, as Stable Diffusion's users know it. Prompts of one chunk have the states that diffusers'
    pipelines give them.

    Args:
        tokenizers, encoders: one of each, or two for SDXL.
        is_xl: whether states are those of the last layer but one, and pooled states are needed.
        zero_if_empty: whether an empty negative prompt is encoded as zeros.
    """

    def __init__(
        self, tokenizers: Sequence[Any], encoders: Sequence[Any], is_xl: bool, zero_if_empty: bool = False
    ) -> None:
        self.tokenizers, self.encoders = tuple(tokenizers), tuple(encoders)
        self._is_xl, self._zero_if_empty = is_xl, zero_if_empty

    @torch.no_grad()
    def encode(self, prompts: Sequence[str], negative_prompt: str) -> tuple[TextStates, TextStates]:
        """Encodes prompts (N) and one negative prompt (1), all with the same number of tokens."""
        texts = [*prompts, negative_prompt]
        parts, pooled = [], None
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            chunks = [self._chunks(tokenizer, text) for text in texts]
            count = max(map(len, chunks))
            empty = self._chunks(tokenizer, "")
            ids = torch.tensor([[*own, *empty * (count - len(own))] for own in chunks])  # (N, chunks, 77)
            # one prompt after the other: the same states whatever else is encoded
            encoded = [encoder(rows.to(encoder.device), output_hidden_states=self._is_xl) for rows in ids]
            states = [each.hidden_states[-2] if self._is_xl else each[0] for each in encoded]
            parts.append(torch.stack([rows.flatten(0, 1) for rows in states]))
            if self._is_xl and encoded[0][0].ndim == 2:
                pooled = torch.stack([each[0][0] for each in encoded])
        longest = max(part.shape[1] for part in parts)
        if any(part.shape[1] != longest for part in parts):  # tokenizers that split words in other ways
            parts = [torch.cat([part, part[:, -1:].expand(-1, longest - part.shape[1], -1)], 1) for part in parts]
        all_states = torch.cat(parts, -1)
        if self._zero_if_empty and not negative_prompt:
            all_states[-1] = 0
            if pooled is not None:
                pooled[-1] = 0
        found = TextStates(all_states, pooled)
        rest = TextStates(all_states[:-1], None if pooled is None else pooled[:-1])
        return rest, found.row(len(prompts))

    @staticmethod
    def _chunks(tokenizer: Any, text: str) -> list[list[int]]:
        """The ids of a prompt as chunks of `model_max_length` with the marks of beginning and end."""
        size = tokenizer.model_max_length
        ids = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        pieces = [ids[start : start + size - 2] for start in range(0, len(ids), size - 2)] or [[]]
        framed = [[tokenizer.bos_token_id, *piece, tokenizer.eos_token_id] for piece in pieces]
        return [[*piece, *[tokenizer.pad_token_id] * (size - len(piece))] for piece in framed]

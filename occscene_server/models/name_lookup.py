"""The words of a prompt for each known name: "sofa" attends to the states of "a mustard velvet sofa".

Each name has a query, to begin with the text encoder's own state of that name, so that from the first step on it finds
its word in a prompt. In a state of MiniLM's fourth layer a noun carries its adjectives: a linear map reads the colour
of three objects in four from what an untrained lookup finds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.text import encode_prompts


class NameMatches(NamedTuple):
    """Words of B prompts that match each name.

    Args:
        states: (B, names, text_dim) of the words that fit each name; 0 where none does.
        evidence: (B, names) how well the best word fits, 0 where none does.
    """

    states: Tensor
    evidence: Tensor


class NameLookup(nn.Module):
    """Attention from names to the tokens of a prompt, by cosine similarity.

    Scores s_nt = sharpness (cos(q_n, x_t) - unsaid) of the centered token states x_t, and a score of 0 for "no word":
    the states are sum_t softmax(s)_nt x_t / |x_t|, the evidence is the largest score.

    Args:
        names: how many.
        text_dim: width of token states.
    """

    center: Tensor

    def __init__(self, names: int, text_dim: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(names, text_dim))
        self.register_buffer("center", torch.zeros(text_dim))
        self.sharpness = nn.Parameter(torch.tensor(12.0))
        self.unsaid = nn.Parameter(torch.tensor(0.45))
        """Similarity below which a word does not count."""

    @torch.no_grad()
    def start_from(self, names: list[str], encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Takes the encoder's states of the names as queries."""
        states, mask = encode_prompts(encoder, tokenizer, [f"a {name}" for name in names], pad_to_limit=False)
        # without the tokens of the beginning, "a" and the end
        states_of_names = torch.stack([own[there][2:-1].mean(0) for own, there in zip(states, mask, strict=True)])
        self.center.copy_(states[mask].mean(0))
        self.queries.copy_(states_of_names - self.center)

    def forward(self, text: Tensor, text_mask: Tensor) -> NameMatches:
        """Looks the names up in token states (B, S, text_dim), of which those of `text_mask` (B, S) count."""
        tokens = F.normalize(text.float() - self.center, dim=-1)
        alike = F.normalize(self.queries, dim=-1) @ tokens.transpose(1, 2) - self.unsaid
        scores = F.pad((self.sharpness * alike).masked_fill(~text_mask[:, None], -torch.inf), (1, 0))
        weights = scores.softmax(-1)[..., 1:]
        return NameMatches(weights @ tokens, scores.amax(-1))

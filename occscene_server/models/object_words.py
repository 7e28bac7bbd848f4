"""Attention from objects to words: each object reads its own phrase, or the prompt where it has none.

Attention from an object's name to the tokens of the text that belongs to it: "armchair" finds "red velvet" in "a red
velvet armchair", and "a red armchair and a blue sofa" gives the sofa its blue. In a state of MiniLM's fourth layer a
noun carries its adjectives, so few weights suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LIGHT = "light"
"""The name under which a view reads its prompt as a whole."""


def base_name(name: str) -> str:
    """An object's name without its number: "bookshelf 2" and "Sofa.001" are a bookshelf and a sofa."""
    return name.rstrip(" .0123456789").lower()


@dataclass(frozen=True)
class Texts:
    """Token states of several texts, one after another.

    Args:
        states: (S, text_dim).
        owner: (S,) int64 number of the text that a token belongs to.
    """

    states: Tensor
    owner: Tensor


@dataclass(frozen=True)
class ObjectTable:
    """Words, hints and codes of the R objects that N views show; each view has its own objects.

    Args:
        names: (R, text_dim) mean token states of their names.
        text_of: (R,) int64 number of the text that each reads: its phrase, or the prompt.
        hints: (R, 4) color as sRGB in [-1, 1] and 1; zeros without a hint.
        colors: (R, 8) the same of the first and of the second color that its phrase names.
        codes: (R, codes) random numbers in [-1, 1].
        prompt_of: (N,) int64 number of the text that is the prompt of each view.
        light: (text_dim,) mean token state of the word that asks a prompt for the light.
        texts: all of them.
    """

    names: Tensor
    text_of: Tensor
    hints: Tensor
    colors: Tensor
    codes: Tensor
    prompt_of: Tensor
    light: Tensor
    texts: Texts


class ObjectWords(nn.Module):
    """Embeddings of objects given their texts, by cross-attention from names to tokens.

    Args:
        text_dim: width of token states.
        channels: of the result.
        width, heads: of the attention.
    """

    def __init__(self, text_dim: int, channels: int, width: int = 96, heads: int = 6) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(text_dim, width)
        self.keys = nn.Linear(text_dim, width)
        self.values = nn.Linear(text_dim, width)
        self.silence = nn.Parameter(torch.zeros(2, width))
        """Key and value of a token that every text has, for objects without words."""
        self.found = nn.Linear(width, channels)
        self.named = nn.Linear(text_dim, channels)

    def forward(self, names: Tensor, texts: Texts, text_of: Tensor) -> Tensor:
        """Reads.

        Args:
            names: (R, text_dim) mean token states of the objects' names.
            texts: that are read.
            text_of: (R,) int64 number of the text that each object reads.

        Returns:
            (R, channels).
        """

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(0, 1)  # (heads, rows, width / heads)

        keys = torch.cat([self.silence[:1].to(names.dtype), self.keys(texts.states)])
        values = torch.cat([self.silence[1:].to(names.dtype), self.values(texts.states)])
        own = texts.owner == text_of[:, None]
        seen = torch.cat([own.new_ones(len(own), 1), own], 1)
        attended = F.scaled_dot_product_attention(
            split(self.queries(names)), split(keys), split(values), attn_mask=seen
        )
        result: Tensor = self.found(attended.transpose(0, 1).flatten(1)) + self.named(names)
        return result

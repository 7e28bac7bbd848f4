"""Cross-attention from classes to the prompt's tokens, added at the pixels that show the class.

The UNet attends to the prompt at its coarsest levels only, too coarse to match words with surfaces. Here a learned
key per class and head weighs the tokens x once for the scene, a_c = MLP(softmax(k_c x^T) V + q_c), and every latent
pixel gets sum_c share_c a_c: "blue painted walls" reaches every pixel of a wall. As a query is the same for every
scene, q_c (W_k x)^T is one such product, and no matrix W_k is kept. OccScene's own design; an untrained module adds
zero.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ClassTextAttention(nn.Module):
    """Cross-attention from classes to tokens.

    Args:
        classes: of the taxonomy, empty included.
        text_dim: width of the text's token states.
        channels: of the result.
        spread: standard deviation of the last layer's weights at the start; with 0 the result is zero until trained.
        width: of the attention.
        heads: of the attention.
    """

    def __init__(
        self, classes: int, text_dim: int, channels: int, spread: float = 0.0, width: int = 192, heads: int = 6
    ) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(classes, width))
        self.keys = nn.Parameter(torch.randn(heads, classes, text_dim) / math.sqrt(text_dim))
        self.values = nn.Linear(text_dim, width)
        last = nn.Linear(width, channels)
        nn.init.normal_(last.weight, std=spread)
        nn.init.zeros_(last.bias)
        self.colors = nn.Sequential(nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, text: Tensor, text_mask: Tensor, seen: Tensor) -> Tensor:
        """Adds up the classes' embeddings at each latent pixel.

        Args:
            text, text_mask: as of `answers`.
            seen: (B, V, classes, h, w), the share of every class in what a latent pixel sees; zeros give zeros.

        Returns:
            (B, V, channels, h, w).
        """
        answers = self.answers(text, text_mask)
        return torch.einsum("bvchw,bcd->bvdhw", seen.to(answers.dtype), answers)

    def answers(self, text: Tensor, text_mask: Tensor) -> Tensor:
        """The embedding of each class given the prompt, (B, classes, channels).

        Args:
            text: (B, T, text_dim) token states.
            text_mask: (B, T), True where there is a token.
        """

        logits = torch.einsum("hck,btk->bhct", self.keys.to(text.dtype), text)
        weights = logits.float().masked_fill(~text_mask[:, None, None], -torch.inf).softmax(-1).to(text.dtype)
        values = self.values(text).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        attended = weights @ values.to(text.dtype)  # (B, heads, classes, width / heads)
        painted: Tensor = self.colors(attended.transpose(1, 2).flatten(2) + self.queries.to(text.dtype))
        return painted

"""What the prompt says of every class, painted where the class is seen.

The UNet reads the prompt where its features are coarsest, too coarse to tell which words go with which surface. Here
each class asks the prompt for what concerns it, once for the scene, and the answer is laid on all pixels that see the
class: "blue painted walls" reaches every pixel of a wall. OccScene's own; an untrained painting adds nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WordPainting(nn.Module):
    """Cross-attention from classes to words.

    Args:
        classes: of the taxonomy, empty included.
        text_dim: width of the text's token states.
        channels: of what is painted.
        spread: standard deviation of the last layer's weights at the start; with 0 nothing is painted until trained.
        width: of the attention.
        heads: of the attention.
    """

    def __init__(
        self, classes: int, text_dim: int, channels: int, spread: float = 0.0, width: int = 192, heads: int = 6
    ) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(classes, width))
        self.keys = nn.Linear(text_dim, width)
        self.values = nn.Linear(text_dim, width)
        last = nn.Linear(width, channels)
        nn.init.normal_(last.weight, std=spread)
        nn.init.zeros_(last.bias)
        self.colors = nn.Sequential(nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, text: Tensor, text_mask: Tensor, seen: Tensor) -> Tensor:
        """Paints.

        Args:
            text, text_mask: as of `answers`.
            seen: (B, V, classes, h, w), the share of every class in what a latent pixel sees; zero paints nothing.

        Returns:
            (B, V, channels, h, w).
        """
        answers = self.answers(text, text_mask)
        return torch.einsum("bvchw,bcd->bvdhw", seen.to(answers.dtype), answers)

    def answers(self, text: Tensor, text_mask: Tensor) -> Tensor:
        """What the prompt says of each class, (B, classes, channels).

        Args:
            text: (B, T, text_dim) token states.
            text_mask: (B, T), True where there is a token.
        """

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)

        queries = split(self.queries.to(text.dtype)).expand(len(text), -1, -1, -1)
        heard = F.scaled_dot_product_attention(
            queries, split(self.keys(text)), split(self.values(text)), attn_mask=text_mask[:, None, None]
        )  # (B, heads, classes, width / heads)
        painted: Tensor = self.colors(heard.transpose(1, 2).flatten(2) + self.queries.to(text.dtype))
        return painted

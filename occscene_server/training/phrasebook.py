"""Token states of all that is said of some scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.training.prompt_states import PromptStates


class Phrasebook:
    """Token states of all that is said of some scenes, on disk.

    Args:
        path: as of `PromptStates`.
        strings: all there are.
        encoder, tokenizer: of `load_minilm`.
    """

    def __init__(
        self, path: Path, strings: Sequence[str], encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        every = sorted(set(strings))
        self._rows = {text: row for row, text in enumerate(every)}
        self._states = PromptStates(path, every, encoder, tokenizer)
        self.width = self._states.width

    def tokens(self, text: str) -> Tensor:
        """(S, width) of a text."""
        return self._states[self._rows[text]].float()

    def mean(self, text: str) -> Tensor:
        """(width,) over the tokens."""
        return self.tokens(text).mean(0)

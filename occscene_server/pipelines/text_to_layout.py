"""Words to layouts: the layout prior with the text encoder that it was trained with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from occscene.layout import Layout, LayoutObject
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.layout_prior import LayoutPrior
from occscene_server.models.layout_sampling import LayoutSampler, SamplingOptions
from occscene_server.models.prompt_reading import plural_of, read_prompt
from occscene_server.models.stand_ins import StandIns
from occscene_server.models.text import encode_prompts, load_minilm
from occscene_server.models.unknown_objects import unknown_objects


class TextToLayout:
    """Draws rooms, or streets, for prompts.

    Args:
        prior: the network.
        encoder, tokenizer: of `load_minilm`.
    """

    def __init__(self, prior: LayoutPrior, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.prior, self.encoder, self.tokenizer = prior.float().eval(), encoder, tokenizer

    @staticmethod
    def from_pretrained(folder: Path) -> TextToLayout:
        """With the weights of a folder that `train layout` wrote."""
        return TextToLayout(LayoutPrior.from_pretrained(folder), *load_minilm())

    def __call__(
        self,
        prompt: str,
        seed: int,
        given: Layout | None = None,
        options: SamplingOptions | None = None,
        check_prompt: bool = True,
        sights: Sequence[LayoutObject] = (),
    ) -> Layout:
        """Draws a room or a street.

        Args:
            prompt: what it should hold; "" leaves all of it open.
            seed: the same prompt, seed and `given` give the same layout.
            given: objects that stand there already, kept as they are and listed first; its room is kept too. Outdoors
                they stand in the axes of a straight street along x.
            options: how it is drawn.
            check_prompt: hold what is drawn to what a plain reading of the prompt asks for; see `LayoutSampler.draw`.
            sights: boxes that stay free, those in front of cameras.

        Raises:
            ValueError: `given` has an object of a class that the prior does not know.
        """
        prompt, _ = self.in_known_words(prompt)
        sampler = self._sampler(prompt, self._states(prompt), seed, options, sights)
        words = self.prior.vocabulary
        return sampler.draw(read_prompt(prompt, words.kinds, words.colors, prompt) if check_prompt else None, given)

    def draw_anew(self, layout: Layout, index: int, prompt: str, seed: int) -> Layout:
        """Draws one object's box and colour again with all others given; the same layout if nothing else fits."""
        return self.redrawing(prompt)(layout, index, seed)

    def in_known_words(self, prompt: str) -> tuple[str, dict[str, str]]:
        """A prompt with stand-ins for what the prior does not know, and the kind for each such object, "" for none."""
        words = self.prior.vocabulary
        unknown = unknown_objects(prompt, words.kinds, (*words.colors, *words.surfaces))
        kinds = {name: self._stand_ins.nearest(name) for name in unknown}
        text = " ".join(prompt.split())
        for name, kind in kinds.items():
            if kind:
                named = plural_of(kind) if re.search(r"[^s]s$", name) else kind
                text = re.sub(rf"\b{re.escape(name)}\b", named, text, flags=re.IGNORECASE)
        return text, kinds

    @cached_property
    def _stand_ins(self) -> StandIns:
        return StandIns(self.prior.vocabulary.kinds, self.encoder, self.tokenizer)

    def redrawing(self, prompt: str, sights: Sequence[LayoutObject] = ()) -> Callable[[Layout, int, int], Layout]:
        """`draw_anew` for one prompt, which is read once: (layout, index, seed) to a layout; `sights` stay free."""
        prompt, _ = self.in_known_words(prompt)
        states = self._states(prompt)
        return lambda layout, index, seed: self._sampler(prompt, states, seed, None, sights).draw_anew(layout, index)

    def _states(self, prompt: str) -> torch.Tensor:
        if not prompt:
            return torch.zeros(0, self.encoder.config.hidden_size)
        batch, mask = encode_prompts(self.encoder, self.tokenizer, [prompt], pad_to_limit=False)
        return batch[0][mask[0]]

    def _sampler(
        self,
        prompt: str,
        states: torch.Tensor,
        seed: int,
        options: SamplingOptions | None,
        sights: Sequence[LayoutObject] = (),
    ) -> LayoutSampler:
        options = options or SamplingOptions()
        if not prompt:
            options = replace(options, text_scale=1.0, place_scale=1.0)
        return LayoutSampler(self.prior, states, torch.Generator().manual_seed(seed), options, sights)

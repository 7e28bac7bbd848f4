"""The predictions of a checkpoint's UNet for the views of one scene, in chunks of views that fit into the memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from occscene_server.models.checkpoints import Checkpoint
from occscene_server.models.clip_prompts import TextStates
from occscene_server.models.control_nets import Inputs, control_residuals
from occscene_server.models.device_memory import is_out_of_memory, release_memory
from occscene_server.models.linked_attention import AttentionContext
from occscene_server.pipelines.object_regions import RegionalWords

log = logging.getLogger(__name__)

LINKED_SHARE = 0.7
"""Share of the steps at which views are linked: the last ones draw each view's own fine detail."""


@dataclass(frozen=True, eq=False)
class ViewConditions:
    """What the views of a scene are drawn from.

    Args:
        maps: (V, 3, height, width) in [0, 1] by kind of control map.
        text: of the prompt, one row.
        negative: of the negative prompt, one row.
        words: of regions; None where all pixels have the prompt's.
        text_scale: of classifier-free guidance; at most 1 is none.
        control_scale: of the strengths of all ControlNets.
        link_strength: of the hub view's keys; 0 links nothing.
        hub: the view that others are linked to.
    """

    maps: dict[str, Tensor]
    text: TextStates
    negative: TextStates
    words: RegionalWords | None
    text_scale: float
    control_scale: float
    link_strength: float
    hub: int


class CheckpointDenoiser:
    """Predicts noise (or v) for all views of a scene.

    Args:
        checkpoint: with its ControlNets.
        conditions: of the scene.
        size: (height, width) of the views in pixels.
        context: of the UNet's attention.
        views_at_once: in one pass; halved for good when the memory runs out.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        conditions: ViewConditions,
        size: tuple[int, int],
        context: AttentionContext,
        views_at_once: int,
    ) -> None:
        self.checkpoint, self.conditions, self.context = checkpoint, conditions, context
        self.views_at_once = views_at_once
        self._size = size

    def predict(self, shown: Tensor, timestep: Tensor, step: int, steps: int) -> Tensor:
        """The prediction (V, 4, h, w), guidance done.

        Args:
            shown: (V, 4, h, w) latents as the scheduler scales them.
            timestep: scalar.
            step, steps: of those that run.

        Raises:
            MemoryError or torch.OutOfMemoryError: one view alone does not fit.
        """
        while True:
            try:
                return self._predict(shown, timestep, step, steps)
            except Exception as error:
                if not is_out_of_memory(error) or self.views_at_once == 1:
                    raise
            self.context.hub.clear()
            release_memory()  # outside of `except`, whose frames hold the memory
            self.views_at_once //= 2
            log.warning("the memory ran out; the same step goes on with %d views at once", self.views_at_once)

    def _predict(self, shown: Tensor, timestep: Tensor, step: int, steps: int) -> Tensor:
        is_linked = self.conditions.link_strength > 0 and len(shown) > 1 and step < LINKED_SHARE * steps
        self.context.strength = self.conditions.link_strength if is_linked else 0.0
        result = torch.empty_like(shown, dtype=torch.float32 if shown.dtype == torch.float32 else shown.dtype)
        for views in self._chunks(len(shown), is_linked):
            result[views] = self._of_views(shown[views], timestep, views, step, steps, is_linked)
        self.context.hub.clear()
        return result

    def _chunks(self, count: int, is_linked: bool) -> list[list[int]]:
        """The views of each pass; the hub comes first and alone, so that results do not depend on their number."""
        hub = self.conditions.hub
        views = [view for view in range(count) if not (is_linked and view == hub)]
        chunks = [views[start : start + self.views_at_once] for start in range(0, len(views), self.views_at_once)]
        return [[hub], *chunks] if is_linked else chunks

    def _of_views(
        self, shown: Tensor, timestep: Tensor, views: list[int], step: int, steps: int, is_linked: bool
    ) -> Tensor:
        """One pass of ControlNets and UNet, as diffusers' ControlNet pipelines make it."""
        conditions, count = self.conditions, len(views)
        guided = conditions.text_scale > 1
        halves = 2 if guided else 1
        texts = [conditions.negative, conditions.text] if guided else [conditions.text]
        dtype = self.checkpoint.unet.dtype
        inputs = Inputs(
            torch.cat([shown] * halves).to(dtype),
            timestep,
            torch.cat([text.states.expand(count, -1, -1) for text in texts]).to(dtype),
            self._added(texts, count, dtype),
        )
        maps = {kind: torch.cat([pixels[views]] * halves) for kind, pixels in conditions.maps.items()}
        controls = self.checkpoint.controls
        residuals = control_residuals(controls, inputs, maps, step, steps, conditions.control_scale)
        down, middle = (None, None) if residuals is None else residuals
        states, words = inputs.states, conditions.words
        if words is None:
            self.context.begin(is_linked and views == [conditions.hub], halves, None)
        else:
            positive = words.states[views]
            states = positive.to(dtype)
            if guided:
                own = conditions.negative.states.repeat(1, words.count, 1)
                states = torch.cat([own.expand(count, -1, -1).to(dtype), states])
            self.context.begin(
                is_linked and views == [conditions.hub], halves, words.regions[views], words.count, words.tokens
            )
        prediction = self.checkpoint.unet(
            inputs.latents, timestep, encoder_hidden_states=states, added_cond_kwargs=inputs.added,
            down_block_additional_residuals=down, mid_block_additional_residual=middle, return_dict=False,
        )[0]  # fmt: skip
        if not guided:
            return prediction
        without, with_text = prediction.chunk(2)
        return without + conditions.text_scale * (with_text - without)

    def _added(self, texts: list[TextStates], count: int, dtype: torch.dtype) -> dict[str, Tensor] | None:
        """SDXL's further conditions: pooled states, and sizes without any cropping."""
        if not self.checkpoint.is_xl:
            return None
        pooled = [text.pooled for text in texts]
        sizes = torch.tensor([[*self._size, 0, 0, *self._size]], dtype=dtype, device=texts[0].states.device)
        return {
            "text_embeds": torch.cat([part.expand(count, -1) for part in pooled if part is not None]).to(dtype),
            "time_ids": sizes.repeat(count * len(texts), 1),
        }

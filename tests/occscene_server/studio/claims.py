"""What prompts claim of objects, compared with what there is."""

from __future__ import annotations

from collections import Counter

from occscene_server.data.layouts import LayoutRecord


def check_mentions(record: LayoutRecord) -> None:
    """Four prompts of a length that text encoders take, which name no objects that there are not."""
    kinds = Counter(obj.name for obj in record.layout.objects)
    colored = Counter((obj.name, obj.color_word) for obj in record.layout.objects)
    assert len(record.prompts) == 4
    for prompt in record.prompts:
        assert prompt.text == " ".join(prompt.text.split())
        assert len(prompt.text.split()) <= 66
        for mention in prompt.mentions:
            here = colored[mention.kind, mention.color_word] if mention.color_word else kinds[mention.kind]
            assert here >= mention.count, prompt.text
            assert mention.color_word in prompt.text

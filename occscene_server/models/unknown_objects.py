"""Objects that a prompt names and a prior does not know, for a note to the artist."""

from __future__ import annotations

import re
from collections.abc import Sequence

from occscene_server.models.prompt_reading import MADE_WITH, read_prompt

_NAMED = re.compile(
    r"^(?:(?:and|with|featuring|plus|also) )*(?:an?|the|some|one|two|three|four|five|six|several|many) (.+)"
)
_AFTERWARDS = re.compile(r" (?:in|on|at|by|with|near|under|over|beside|against|around|behind|next|from|to|that|for)\b")
_NO_OBJECT = re.compile(
    r"\b(?:\w*rooms?|kitchen|office|study|studio|nursery|lounge|library|interior|space|apartment|flat|home|house|loft|den"
    r"|walls?|floors?|flooring|ceilings?|lights?|lighting|daylight|sun|sunlight|morning|evening|night|noon|day|sky"
    r"|style|mood|look|atmosphere|colou?rs?|wood|tones?|accents?|shadows?|view|corner|middle|cent(?:er|re)|side)\b"
)
_NO_OBJECT_OUTDOORS = re.compile(
    r"\b(?:streets?|roads?|towns?|villages?|suburbs?|estates?|fields?|meadows?|crossroads|junctions?|squares?|shops?"
    r"|gardens?|snow|rain|clouds?|weather|dusk|shutters|tarpaulins?|coats?|jackets?|boards?|posts?)\b"
)
"""Streets, weather, and what people wear and houses have."""


def unknown_objects(prompt: str, kinds: Sequence[str], colors: Sequence[str]) -> list[str]:
    """What a prompt names that is neither a known object, nor a room, a surface, light or mood.

    A name is what follows an article or a number and a colour, if there is one: of "a red grand piano by the door" that
    is "grand piano". One that ends like the name of a known object, as with "lamp", is known.

    Args:
        prompt: as a person types it, in English.
        kinds: names of known objects; what `read_prompt` takes for one counts as known too.
        colors: colour words.
    """
    unknown: list[str] = []
    general = {kind.split()[-1] for kind in kinds}
    for clause in re.split(r"[,;:.]|\band\b|\bwith\b", MADE_WITH.sub("", prompt.lower())):
        phrase = _NAMED.match(" ".join(clause.split()))
        if phrase is None:
            continue
        noun = _AFTERWARDS.split(phrase.group(1))[0]
        if _NO_OBJECT.search(noun) or read_prompt(noun, kinds, colors).objects:
            continue
        if "road" in kinds and _NO_OBJECT_OUTDOORS.search(noun):
            continue
        words = re.findall(r"[a-z-]+", noun.partition(" of ")[0])
        last_color = max((place for place, word in enumerate(words) if word in colors), default=-1)
        name = " ".join(words[last_color + 1 :])
        if name and name not in unknown and not general & {words[-1], words[-1].removesuffix("s")}:
            unknown.append(name)
    return unknown

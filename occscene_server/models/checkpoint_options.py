"""How an artist's checkpoint is to be run: what the options of `serve` and `generate` say."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

CONTROLS = ("depth", "normal", "segment")
"""What a ControlNet may be shown."""

SAMPLERS = (
    "dpm++-2m-karras", "dpm++-2m", "unipc", "euler", "euler-trailing", "euler-a", "ddim", "lcm", "tcd",
)  # fmt: skip
CONSISTENCIES = ("synced", "linked", "none")
DRAFTS = ("compact", "none")
OFFLOADS = ("none", "model")
DTYPES = ("auto", "bf16", "fp16", "fp32")
PREDICTION_TYPES = ("epsilon", "v")

MAX_STRENGTH = 2.0
MAX_VIEWS_AT_ONCE = 16

_CONTROL = re.compile(
    r"(?P<kind>[a-z]+)(=(?P<source>.+?))?(:(?P<strength>[\d.]+)(:(?P<start>[\d.]+)-(?P<end>[\d.]+))?)?"
)


@dataclass(frozen=True)
class ControlChoice:
    """One `--control`.

    Args:
        kind: one of `CONTROLS`.
        source: of the ControlNet, a folder or a hub id; "" for the family's own.
        strength: of its residuals; None for the family's own.
        start, end: shares of the denoising steps between which it acts; an end of None is the family's own.
    """

    kind: str
    source: str = ""
    strength: float | None = None
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class CheckpointOptions:
    """The options; "" and 0 leave a choice to the checkpoint's family.

    Args:
        controls: as `parse_control` reads them; "none" alone is no ControlNet, nothing at all is the family's own.
        loras: files, each with `:weight` after it or without.
        vae: a folder or hub id in place of the checkpoint's own autoencoder.
        sampler: one of `SAMPLERS`.
        prediction_type: one of `PREDICTION_TYPES`, of a single file that says nothing of its own.
        consistency: one of `CONSISTENCIES`.
        draft: one of `DRAFTS`.
        views_at_once: views in one pass of the network.
        offload: one of `OFFLOADS`.
        dtype: one of `DTYPES`.

    Raises:
        ValueError: an option is outside its limits.
    """

    controls: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()
    vae: str = ""
    sampler: str = ""
    prediction_type: str = ""
    consistency: str = ""
    draft: str = ""
    views_at_once: int = 0
    offload: str = "none"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("--sampler", self.sampler, SAMPLERS),
            ("--prediction-type", self.prediction_type, PREDICTION_TYPES),
            ("--consistency", self.consistency, CONSISTENCIES),
            ("--draft", self.draft, DRAFTS),
            ("--offload", self.offload, OFFLOADS),
            ("--dtype", self.dtype, DTYPES),
        ):
            if value and value not in known:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        if not 0 <= self.views_at_once <= MAX_VIEWS_AT_ONCE:
            raise ValueError(f"--views-at-once is {self.views_at_once}; it must be 1 to {MAX_VIEWS_AT_ONCE}")
        _ = self.chosen_controls, self.chosen_loras

    @property
    def chosen_controls(self) -> tuple[ControlChoice, ...] | None:
        """The ControlNets; None for the family's own."""
        if not self.controls:
            return None
        if self.controls == ("none",):
            return ()
        choices = tuple(map(parse_control, self.controls))
        twice = {choice.kind for choice in choices if sum(other.kind == choice.kind for other in choices) > 1}
        if twice:
            raise ValueError(f"--control has {min(twice)} twice; give each kind once")
        return choices

    @property
    def chosen_loras(self) -> tuple[tuple[Path, float], ...]:
        """The files with their weights."""
        return tuple(map(parse_lora, self.loras))


def parse_control(text: str) -> ControlChoice:
    """Reads `KIND[=SOURCE][:STRENGTH[:START-END]]`, for example `depth:0.7` or `segment=FOLDER:0.5:0-0.6`.

    Raises:
        ValueError: it is something else, or a number is outside its limits.
    """
    match = _CONTROL.fullmatch(text)
    if match is None or match["kind"] not in CONTROLS:
        form = "KIND[=SOURCE][:STRENGTH[:START-END]]"
        raise ValueError(f"--control is {text!r}; it must be {form} with a kind of {', '.join(CONTROLS)}, or none")
    try:
        strength, start, end = (None if match[name] is None else float(match[name]) for name in
                                ("strength", "start", "end"))  # fmt: skip
    except ValueError:
        raise ValueError(f"--control is {text!r}; strength, start and end must be numbers") from None
    if strength is not None and strength > MAX_STRENGTH:
        raise ValueError(f"--control is {text!r}; its strength must be 0 to {MAX_STRENGTH:g}")
    start = start or 0.0
    if not 0 <= start < (1.0 if end is None else end) <= 1:
        raise ValueError(f"--control is {text!r}; start and end must be shares of the steps, 0 <= start < end <= 1")
    return ControlChoice(match["kind"], match["source"] or "", strength, start, end)


def parse_lora(text: str) -> tuple[Path, float]:
    """Reads `FILE[:WEIGHT]`.

    Raises:
        ValueError: the file is no safetensors file, or the weight no number.
    """
    path, _, weight = text.rpartition(":")
    if not path or not re.fullmatch(r"-?[\d.]+", weight):
        path, weight = text, "1"
    if not path.endswith(".safetensors"):
        raise ValueError(f"--lora is {text!r}; only .safetensors files are read, for other files may run programs")
    try:
        value = float(weight)
    except ValueError:
        raise ValueError(f"--lora is {text!r}; the weight after the colon must be a number") from None
    if not math.isfinite(value):
        raise ValueError(f"--lora is {text!r}; the weight after the colon must be finite")
    return Path(path), value

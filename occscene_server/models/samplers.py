"""Samplers by the names that artists know, as diffusers' schedulers on a checkpoint's own noise schedule."""

from __future__ import annotations

from typing import Any

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    SchedulerMixin,
    TCDScheduler,
    UniPCMultistepScheduler,
)

_SAMPLERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dpm++-2m-karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "dpm++-2m": (DPMSolverMultistepScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler-trailing": (EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
    "euler-a": (EulerAncestralDiscreteScheduler, {}),
    "ddim": (DDIMScheduler, {}),
    "lcm": (LCMScheduler, {}),
    "tcd": (TCDScheduler, {}),
}

STOCHASTIC = ("euler-a", "lcm", "tcd")
"""Samplers that add noise at each step, of each view's own."""


def sampler_named(name: str, config: Any, prediction_type: str = "") -> SchedulerMixin:
    """The scheduler of a sampler.

    Args:
        name: one of `SAMPLERS` of the options.
        config: of the checkpoint's scheduler.
        prediction_type: "epsilon" or "v"; "" for that of the configuration.
    """
    kind, options = _SAMPLERS[name]
    if prediction_type:
        options = options | {"prediction_type": {"v": "v_prediction"}.get(prediction_type, prediction_type)}
    return kind.from_config(config, **options)

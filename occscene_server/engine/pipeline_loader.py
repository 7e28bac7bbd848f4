"""Loading OccScenePipeline onto a device, and what it says about itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occscene.v1 import scene_service_pb2

from occscene_server.engine.task import pipeline_defaults

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.scene_priors import ScenePriors


_TRAINED_SIDE = 256  # pixels: the studio's views, whatever the size of the model


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline that is ready to run, the device it runs on, its description for clients, and its priors."""

    pipe: OccScenePipeline
    device: str
    model: scene_service_pb2.ModelInfo
    priors: ScenePriors | None = None


def check_device(device: str) -> None:
    """Refuses what is no name of a device.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device, re.ASCII):
        raise ValueError(f"the device is {device!r}; it must be auto, cpu, cuda or cuda:N")


def load_pipeline(model: str, device: str) -> LoadedPipeline:
    """Loads a model folder or a hub id.

    Args:
        model: a folder written by `OccScenePipeline.save_pretrained`, or a hub id.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        OSError, ValueError: the folder or its weights are missing or damaged, or the device is not there.
    """
    check_device(device)
    import diffusers.utils.logging
    import torch
    import transformers.utils.logging

    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.scene_priors import ScenePriors

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(device.partition(":")[2] or 0) >= count:
            raise ValueError(f"the device is {device}, but torch finds {count or 'no'} CUDA devices; use auto or cpu")
    if not Path(model).exists() and model.count("/") != 1:
        raise OSError(f"the model folder {model} does not exist; give a folder or a hub id (owner/name)")
    pipe: Any = OccScenePipeline.from_pretrained(model)
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    name = f"{device} {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device
    priors = ScenePriors.bundled(pipe.config.taxonomy)
    return LoadedPipeline(pipe, name, describe(Path(model).name, pipe, priors), priors)


def describe(name: str, pipe: Any, priors: ScenePriors | None = None) -> scene_service_pb2.ModelInfo:
    """A model's description, its defaults those of the pipeline's own call."""
    defaults = pipeline_defaults(pipe)
    return scene_service_pb2.ModelInfo(
        name=name,
        taxonomies=[pipe.config.taxonomy],
        image_width=_TRAINED_SIDE,
        image_height=_TRAINED_SIDE,
        image_multiple=1,  # the pipeline pads and cuts
        default_steps=defaults["num_inference_steps"],
        default_text_guidance_scale=defaults["text_guidance_scale"],
        default_occupancy_guidance_scale=defaults["occupancy_guidance_scale"],
        layout_prior=priors is not None,
        parts_prior=priors is not None,
        drafts=pipe.guided_decoder is not None,
    )

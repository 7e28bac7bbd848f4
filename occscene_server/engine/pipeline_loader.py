"""Loading a pipeline onto a device, and what it says about itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occscene.taxonomy import INDOOR, OUTDOOR
from occscene.v1 import scene_service_pb2

from occscene_server.engine.model_files import local_model
from occscene_server.engine.task import pipeline_defaults
from occscene_server.models.checkpoint_options import CheckpointOptions

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline


_TRAINED_SIDE = 256  # pixels: the studio's views, whatever the size of the model
_FEATURE = scene_service_pb2.ModelFeature


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline that is ready to run, the device it runs on, its description for clients, and its priors."""

    pipe: OccScenePipeline | ZeroShotPipeline
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


def load_pipeline(model: str, device: str, options: CheckpointOptions | None = None) -> LoadedPipeline:
    """Loads a model and describes it; arguments and errors are those of `open_pipeline`, but `model` may also be a URL.

    The device may be "auto".

    Raises:
        OSError, ValueError: the model or its weights are missing, damaged, or of a kind that cannot be run.
        RuntimeError: the device is not there.
    """
    check_device(device)
    import torch

    from occscene_server.pipelines.opening import open_pipeline, usual_device
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline

    device = usual_device(device)
    if device.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(device.partition(":")[2] or 0) >= count:
            raise ValueError(f"the device is {device}, but torch finds {count or 'no'} CUDA devices; use auto or cpu")
    pipe = open_pipeline(local_model(model), device, options)
    name = f"{device} {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device
    priors = ScenePriors.bundled(pipe.config.taxonomy)
    if isinstance(pipe, ZeroShotPipeline):
        return LoadedPipeline(pipe, name, describe_zero_shot(pipe, priors), priors)
    return LoadedPipeline(pipe, name, describe(Path(model).name, pipe, priors), priors)


def describe(name: str, pipe: Any, priors: ScenePriors | None = None) -> scene_service_pb2.ModelInfo:
    """A model's description, its defaults those of the pipeline's own call."""
    defaults = pipeline_defaults(pipe)
    features = [
        _FEATURE.MODEL_FEATURE_NEGATIVE_PROMPT, _FEATURE.MODEL_FEATURE_COLOR_HINT,
        _FEATURE.MODEL_FEATURE_OCCUPANCY_GUIDANCE, _FEATURE.MODEL_FEATURE_TEXT_TO_SCENE,
        _FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY,
    ]  # fmt: skip
    if pipe.guided_decoder is not None:
        features.append(_FEATURE.MODEL_FEATURE_OBJECT_PROMPT)
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
        start_views=True,
        family="compact",
        features=features,
    )


def describe_zero_shot(pipe: ZeroShotPipeline, priors: ScenePriors | None) -> scene_service_pb2.ModelInfo:
    """A checkpoint's description."""
    checkpoint = pipe.checkpoint
    features = [_FEATURE.MODEL_FEATURE_NEGATIVE_PROMPT, _FEATURE.MODEL_FEATURE_OBJECT_PROMPT,
                _FEATURE.MODEL_FEATURE_COLOR_HINT]  # fmt: skip
    if checkpoint.controls:
        features.append(_FEATURE.MODEL_FEATURE_OCCUPANCY_GUIDANCE)
    if pipe.compact is not None:
        features.append(_FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY)
    if pipe.compact is not None or priors is not None:
        features.append(_FEATURE.MODEL_FEATURE_TEXT_TO_SCENE)
    return scene_service_pb2.ModelInfo(
        name=checkpoint.name,
        taxonomies=[INDOOR.name, OUTDOOR.name],
        image_width=checkpoint.side,
        image_height=checkpoint.side,
        image_multiple=1,  # views are painted at a size of the checkpoint's own and resized
        default_steps=checkpoint.family.steps,
        default_text_guidance_scale=checkpoint.family.text_guidance_scale,
        default_occupancy_guidance_scale=1.0,
        layout_prior=priors is not None,
        parts_prior=priors is not None,
        drafts=pipe.guided_decoder is not None,
        start_views=True,
        family=checkpoint.family.name,
        license=checkpoint.license,
        features=features,
        controls=[
            scene_service_pb2.ModelControl(name=control.kind, strength=control.strength)
            for control in checkpoint.controls
        ],
    )

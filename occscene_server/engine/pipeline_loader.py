"""Loading a pipeline onto a device, with those of other domains that are loaded when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from occscene.taxonomy import INDOOR, TAXONOMIES
from occscene.v1 import scene_service_pb2

from occscene_server.engine.model_files import local_model
from occscene_server.engine.model_info import describe, describe_bundled, describe_zero_shot
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.weights import bundled_models

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline that is ready to run, the device it runs on, its description for clients, and its priors.

    `others` are loaded at the first request of their domain.
    """

    pipe: OccScenePipeline | ZeroShotPipeline
    device: str
    model: scene_service_pb2.ModelInfo
    priors: ScenePriors | None = None
    others: tuple[OnDemand, ...] = ()


@dataclass(frozen=True)
class OnDemand:
    """A model that is loaded at its first request, and how."""

    model: scene_service_pb2.ModelInfo
    load: Callable[[], LoadedPipeline]


def check_device(device: str) -> None:
    """Refuses what is no name of a device.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device, re.ASCII):
        raise ValueError(f"the device is {device!r}; it must be auto, cpu, cuda or cuda:N")


def load_pipeline(
    model: str, device: str, options: CheckpointOptions | None = None, taxonomy: str = INDOOR.name
) -> LoadedPipeline:
    """Loads a model and describes it; arguments and errors are those of `open_pipeline`.

    Args:
        model: it may also be a URL, or the name of a bundled model; "" for the bundled models of all domains.
        device: it may also be "auto".
        options: of checkpoints.
        taxonomy: which of the bundled models, or of a checkpoint's domains, is loaded at once.

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
    folder = _folder(model, taxonomy)
    pipe = open_pipeline(local_model(folder), device, options, taxonomy)
    name = f"{device} {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device
    if isinstance(pipe, ZeroShotPipeline):
        return _painting(pipe, name, (options or CheckpointOptions()).draft != "none", taxonomy)
    priors = ScenePriors.bundled(pipe.config.taxonomy)
    others = () if model else tuple(
        OnDemand(describe_bundled(path), partial(load_pipeline, str(path), device))
        for other, path in bundled_models().items()
        if other != taxonomy
    )  # fmt: skip
    return LoadedPipeline(pipe, name, describe(Path(folder).name, pipe, priors), priors, others)


def _folder(model: str, taxonomy: str) -> str:
    """The folder of a bundled model, by its name or for a domain; any other model as it is.

    Raises:
        ValueError: no model of the domain is bundled.
    """
    folders = bundled_models()
    if not model:
        if taxonomy not in folders:
            raise ValueError(f"no model of the domain {taxonomy} is bundled; give one with --model")
        return str(folders[taxonomy])
    named = {path.name: path for path in folders.values()}
    return str(named[model]) if model in named and not Path(model).exists() else model


def _painting(pipe: ZeroShotPipeline, name: str, is_drafted: bool, taxonomy: str) -> LoadedPipeline:
    """A checkpoint in one domain, and on demand in the others: with the bundled model and the priors of each."""
    from occscene_server.pipelines.opening import open_bundled
    from occscene_server.pipelines.scene_priors import ScenePriors

    def model(domain: str) -> scene_service_pb2.ModelInfo:
        return describe_zero_shot(pipe.checkpoint, domain, is_drafted)

    def load(domain: str) -> LoadedPipeline:
        compact = open_bundled(domain, str(pipe.device)) if is_drafted else None
        return LoadedPipeline(pipe.in_domain(domain, compact), name, model(domain), ScenePriors.bundled(domain))

    others = tuple(OnDemand(model(other), partial(load, other)) for other in TAXONOMIES if other != taxonomy)
    return LoadedPipeline(pipe, name, model(taxonomy), ScenePriors.bundled(taxonomy), others)

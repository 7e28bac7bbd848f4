"""What models say of themselves: the descriptions that clients get, and why none fits a request."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occscene.v1 import scene_service_pb2

from occscene_server.engine.task import pipeline_defaults
from occscene_server.weights import bundled_layout_prior, bundled_models, bundled_parts_prior

if TYPE_CHECKING:  # they import torch, which not every user of this module needs
    from occscene_server.models.checkpoints import Checkpoint
    from occscene_server.pipelines.scene_priors import ScenePriors

_TRAINED_SIDE = 256  # pixels: the studio's views, whatever the size of the model
_FEATURE = scene_service_pb2.ModelFeature


def describe(name: str, pipe: Any, priors: ScenePriors | None = None) -> scene_service_pb2.ModelInfo:
    """A model's description, its defaults those of the pipeline's own call."""
    return _described(
        name,
        pipe.config.taxonomy,
        pipeline_defaults(pipe),
        pipe.guided_decoder is not None,
        priors is not None and priors.layout is not None,
        priors is not None and priors.parts is not None,
    )


def describe_bundled(folder: Path) -> scene_service_pb2.ModelInfo:
    """The description that a bundled model will have once it is loaded, from its folder alone."""
    from occscene_server.pipelines.occscene import OccScenePipeline

    config = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    parameters = inspect.signature(OccScenePipeline.__call__).parameters.items()
    defaults = {key: parameter.default for key, parameter in parameters}
    taxonomy = config["taxonomy"]
    return _described(
        folder.name,
        taxonomy,
        defaults | {"num_inference_steps": config["default_steps"]},
        config.get("guided_decoder", [None])[0] is not None,
        bundled_layout_prior(taxonomy) is not None,
        bundled_parts_prior(taxonomy) is not None,
    )


def _described(
    name: str, taxonomy: str, defaults: dict[str, Any], has_decoder: bool, has_layouts: bool, has_parts: bool
) -> scene_service_pb2.ModelInfo:
    features = [
        _FEATURE.MODEL_FEATURE_NEGATIVE_PROMPT, _FEATURE.MODEL_FEATURE_COLOR_HINT,
        _FEATURE.MODEL_FEATURE_OCCUPANCY_GUIDANCE, _FEATURE.MODEL_FEATURE_TEXT_TO_SCENE,
        _FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY,
    ]  # fmt: skip
    if has_decoder:
        features.append(_FEATURE.MODEL_FEATURE_OBJECT_PROMPT)
    return scene_service_pb2.ModelInfo(
        name=name,
        taxonomies=[taxonomy],
        image_width=_TRAINED_SIDE,
        image_height=_TRAINED_SIDE,
        image_multiple=1,  # the pipeline pads and cuts
        default_steps=defaults["num_inference_steps"],
        default_text_guidance_scale=defaults["text_guidance_scale"],
        default_occupancy_guidance_scale=defaults["occupancy_guidance_scale"],
        layout_prior=has_layouts,
        parts_prior=has_parts,
        drafts=has_decoder,
        start_views=True,
        family="compact",
        features=features,
    )


def describe_zero_shot(checkpoint: Checkpoint, taxonomy: str, is_drafted: bool) -> scene_service_pb2.ModelInfo:
    """A checkpoint's description in a domain, whose bundled model drafts for it if there is one and `is_drafted`."""
    folder = bundled_models().get(taxonomy) if is_drafted else None
    compact = None if folder is None else describe_bundled(folder)
    layouts = bundled_layout_prior(taxonomy) is not None
    features = [_FEATURE.MODEL_FEATURE_NEGATIVE_PROMPT, _FEATURE.MODEL_FEATURE_OBJECT_PROMPT,
                _FEATURE.MODEL_FEATURE_COLOR_HINT]  # fmt: skip
    if checkpoint.controls:
        features.append(_FEATURE.MODEL_FEATURE_OCCUPANCY_GUIDANCE)
    if compact is not None:
        features.append(_FEATURE.MODEL_FEATURE_IMAGES_TO_OCCUPANCY)
    if compact is not None or layouts:
        features.append(_FEATURE.MODEL_FEATURE_TEXT_TO_SCENE)
    return scene_service_pb2.ModelInfo(
        name=checkpoint.name,
        taxonomies=[taxonomy],
        image_width=checkpoint.side,
        image_height=checkpoint.side,
        image_multiple=1,  # views are painted at a size of the checkpoint's own and resized
        default_steps=checkpoint.family.steps,
        default_text_guidance_scale=checkpoint.family.text_guidance_scale,
        default_occupancy_guidance_scale=1.0,
        layout_prior=layouts,
        parts_prior=bundled_parts_prior(taxonomy) is not None,
        drafts=compact is not None and compact.drafts,
        start_views=True,
        family=checkpoint.family.name,
        license=checkpoint.license,
        features=features,
        controls=[
            scene_service_pb2.ModelControl(name=control.kind, strength=control.strength)
            for control in checkpoint.controls
        ],
    )


def unknown_domain(taxonomy: str, models: Sequence[scene_service_pb2.ModelInfo]) -> str:
    """Why models cannot run a request of a taxonomy that none of them knows, and the command that can."""
    names = " and ".join(f"{model.name} knows {' and '.join(model.taxonomies)}" for model in models)
    folders = bundled_models()
    if taxonomy not in folders:
        way_out = "no model of that domain is bundled, so give one: occscene-server serve --model FOLDER"
    elif len(folders) > 1:
        way_out = "without --model both domains are run: occscene-server serve"
    else:
        way_out = f"another one does: occscene-server serve --model {folders[taxonomy].name}"
    return f"taxonomy is {taxonomy[:50]!r}; the model {names}; {way_out}"

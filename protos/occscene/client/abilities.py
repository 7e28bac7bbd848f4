"""Whether a server's models can do what a request asks for: servers older than a field pass it over in silence."""

from __future__ import annotations

from collections.abc import Sequence

from occscene.client.errors import (
    NoDraftsError,
    NoLayoutPriorError,
    NoPartsPriorError,
    NoStartViewsError,
    UnknownDomainError,
)
from occscene.v1 import job_pb2, scene_service_pb2

_LACKING = {
    "drafts": (NoDraftsError, "draws no drafts"),
    "layout_prior": (NoLayoutPriorError, "has no layout prior"),
    "parts_prior": (NoPartsPriorError, "has no prior for parts"),
    "start_views": (NoStartViewsError, "cannot begin at given views, or keep some"),
}


def required_abilities(request: scene_service_pb2.SubmitJobRequest) -> tuple[str, ...]:
    """The fields of `ModelInfo` that must be true of a model that runs a request."""
    task, scene = request.compose_layout, request.generate_scene
    needed = {
        "drafts": scene.quality == job_pb2.SCENE_QUALITY_DRAFT,
        "layout_prior": task.furnish or len(task.redraw) > 0 or scene.HasField("layout"),
        "parts_prior": task.with_parts,
        "start_views": len(scene.start_views) > 0,
    }
    return tuple(name for name, is_needed in needed.items() if is_needed)


def required_taxonomy(request: scene_service_pb2.SubmitJobRequest) -> str:
    """The taxonomy that a request's scene is in, "" where it does not say it."""
    scene, images, task = request.generate_scene, request.predict_occupancy, request.compose_layout
    said = (
        scene.grid.taxonomy,
        scene.taxonomy,
        images.blockout.taxonomy,
        images.taxonomy,
        task.layout.taxonomy,
        task.taxonomy,
    )
    return next((taxonomy for taxonomy in said if taxonomy), "")


def model_for(
    request: scene_service_pb2.SubmitJobRequest, models: Sequence[scene_service_pb2.ModelInfo]
) -> scene_service_pb2.ModelInfo | None:
    """The first model that knows a request's taxonomy, the first of all where it says none; None if there is none."""
    wanted = required_taxonomy(request)
    return next((model for model in models if not wanted or wanted in model.taxonomies), None)


def check_abilities(request: scene_service_pb2.SubmitJobRequest, models: Sequence[scene_service_pb2.ModelInfo]) -> None:
    """Looks whether the model of a request's domain can do what it asks for.

    Args:
        request: what is to run.
        models: those of the server; none are known while it loads them, and then nothing is refused.

    Raises:
        UnableError: it cannot, or none knows the domain; the kind says what is lacking.
    """
    if not models:
        return
    model = model_for(request, models)
    if model is None:
        names = ", ".join(dict.fromkeys(model.name for model in models))
        known = sorted({taxonomy for model in models for taxonomy in model.taxonomies})
        raise UnknownDomainError(f"the server's model ({names}) knows {' and '.join(known)} scenes only")
    for ability in required_abilities(request):
        if not getattr(model, ability):
            error, lacks = _LACKING[ability]
            raise error(f"the server's model ({model.name}) {lacks}")

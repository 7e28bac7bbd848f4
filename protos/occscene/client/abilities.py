"""Whether a server's models can do what a request asks for: servers older than a field pass it over in silence."""

from __future__ import annotations

from collections.abc import Sequence

from occscene.client.errors import NoDraftsError, NoLayoutPriorError, NoPartsPriorError
from occscene.v1 import job_pb2, scene_service_pb2

_LACKING = {
    "drafts": (NoDraftsError, "draws no drafts"),
    "layout_prior": (NoLayoutPriorError, "has no layout prior"),
    "parts_prior": (NoPartsPriorError, "has no prior for parts"),
}


def required_abilities(request: scene_service_pb2.SubmitJobRequest) -> tuple[str, ...]:
    """The fields of `ModelInfo` that must be true of a model that runs a request."""
    task, scene = request.compose_layout, request.generate_scene
    needed = {
        "drafts": scene.quality == job_pb2.SCENE_QUALITY_DRAFT,
        "layout_prior": task.furnish or len(task.redraw) > 0 or scene.HasField("layout"),
        "parts_prior": task.with_parts,
    }
    return tuple(name for name, is_needed in needed.items() if is_needed)


def check_abilities(request: scene_service_pb2.SubmitJobRequest, models: Sequence[scene_service_pb2.ModelInfo]) -> None:
    """Looks whether one of the models can do what a request asks for.

    Args:
        request: what is to run.
        models: those of the server; none are known while it loads them, and then nothing is refused.

    Raises:
        UnableError: none can; the kind says what it lacks.
    """
    names = ", ".join(model.name for model in models)
    for ability in required_abilities(request):
        if models and not any(getattr(model, ability) for model in models):
            error, lacks = _LACKING[ability]
            raise error(f"the server's model ({names}) {lacks}")

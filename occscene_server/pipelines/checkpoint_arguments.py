"""Options of commands that run an artist's checkpoint; those of `serve` can stand in its configuration too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.option_groups import in_place_of, option

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline

_PANEL = "Stable Diffusion checkpoints"

_Control = Annotated[
    list[str] | None,
    typer.Option(
        help="ControlNet as KIND[=FOLDER or hub id][:STRENGTH[:START-END]] with a kind of depth, normal or segment, or "
        "none; may be repeated. The family's own if omitted.",
        rich_help_panel=_PANEL,
    ),
]
_Lora = Annotated[
    list[str] | None,
    typer.Option(help="Adapter as FILE.safetensors[:WEIGHT]; may be repeated.", rich_help_panel=_PANEL),
]
_Vae = Annotated[
    str, typer.Option(help="Autoencoder, a folder or hub id, in place of the checkpoint's.", rich_help_panel=_PANEL)
]
_Sampler = Annotated[
    str,
    typer.Option(
        help="dpm++-2m-karras, dpm++-2m, unipc, euler, euler-trailing, euler-a, ddim, lcm or tcd; the family's own if "
        "omitted.",
        rich_help_panel=_PANEL,
    ),
]
_PredictionType = Annotated[
    Literal["epsilon", "v", ""],
    typer.Option(help="What a single file predicts that was trained for another target.", rich_help_panel=_PANEL),
]
_Consistency = Annotated[
    Literal["none", "linked", "synced", ""],
    typer.Option(
        help="How views are made to agree: not at all, by shared noise and attention to one of them, or also by fusing "
        "their estimates over surfaces; synced if omitted.",
        rich_help_panel=_PANEL,
    ),
]
_Draft = Annotated[
    Literal["compact", "none", ""],
    typer.Option(
        help="Whether the bundled model drafts what the checkpoint paints; compact if omitted.", rich_help_panel=_PANEL
    ),
]
_ViewsAtOnce = Annotated[
    int, typer.Option(min=0, max=16, help="Views in one pass; 0 is as many as fit.", rich_help_panel=_PANEL)
]
_Offload = Annotated[
    Literal["none", "model"],
    typer.Option(help="Keep text encoders and autoencoder on the CPU while unused.", rich_help_panel=_PANEL),
]
_Dtype = Annotated[
    Literal["auto", "bf16", "fp16", "fp32"],
    typer.Option(help="Type of the checkpoint's weights.", rich_help_panel=_PANEL),
]

_OPTIONS = (
    option("control", _Control, None),
    option("lora", _Lora, None),
    option("vae", _Vae, ""),
    option("sampler", _Sampler, ""),
    option("prediction_type", _PredictionType, ""),
    option("consistency", _Consistency, ""),
    option("draft", _Draft, ""),
    option("views_at_once", _ViewsAtOnce, 0),
    option("offload", _Offload, "none"),
    option("dtype", _Dtype, "auto"),
)

USUAL = CheckpointOptions()
"""What a command is declared with; its options have the same defaults."""


def with_checkpoint() -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a checkpoint in place of its parameter `checkpoint`."""
    return in_place_of("checkpoint", _OPTIONS, _checkpoint_options)


def open_chosen(model: str, device: str, checkpoint: CheckpointOptions) -> OccScenePipeline | ZeroShotPipeline:
    """Opens what a command's `--model` names, on the device that its `--device` stands for.

    Raises:
        typer.BadParameter: it is missing, or of a kind that cannot be run; the message has the way out.
    """
    from occscene_server.pipelines.opening import open_pipeline, usual_device

    try:
        return open_pipeline(model, usual_device(device), checkpoint)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--model") from error


def _checkpoint_options(control: list[str] | None, lora: list[str] | None, **others: Any) -> CheckpointOptions:
    return CheckpointOptions(tuple(control or ()), tuple(lora or ()), **others)

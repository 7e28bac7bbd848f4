"""Options of commands that run an artist's checkpoint; those of `serve` can stand in its configuration too."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

_PANEL = "Stable Diffusion checkpoints"

Control = Annotated[
    list[str] | None,
    typer.Option(
        help="ControlNet as KIND[=FOLDER or hub id][:STRENGTH[:START-END]] with a kind of depth, normal or segment, or "
        "none; may be repeated. The family's own if omitted.",
        rich_help_panel=_PANEL,
    ),
]
Lora = Annotated[
    list[str] | None,
    typer.Option(help="Adapter as FILE.safetensors[:WEIGHT]; may be repeated.", rich_help_panel=_PANEL),
]
Vae = Annotated[
    str, typer.Option(help="Autoencoder, a folder or hub id, in place of the checkpoint's.", rich_help_panel=_PANEL)
]
Sampler = Annotated[
    str,
    typer.Option(
        help="dpm++-2m-karras, dpm++-2m, unipc, euler, euler-trailing, euler-a, ddim, lcm or tcd; the family's own if "
        "omitted.",
        rich_help_panel=_PANEL,
    ),
]
PredictionType = Annotated[
    Literal["epsilon", "v", ""],
    typer.Option(help="What a single file predicts that was trained for another target.", rich_help_panel=_PANEL),
]
Consistency = Annotated[
    Literal["none", "linked", "synced", ""],
    typer.Option(
        help="How views are made to agree: not at all, by shared noise and attention to one of them, or also by fusing "
        "their estimates over surfaces; synced if omitted.",
        rich_help_panel=_PANEL,
    ),
]
Draft = Annotated[
    Literal["compact", "none", ""],
    typer.Option(
        help="Whether the bundled model drafts what the checkpoint paints; compact if omitted.", rich_help_panel=_PANEL
    ),
]
ViewsAtOnce = Annotated[
    int, typer.Option(min=0, max=16, help="Views in one pass; 0 is as many as fit.", rich_help_panel=_PANEL)
]
Offload = Annotated[
    Literal["none", "model"],
    typer.Option(help="Keep text encoders and autoencoder on the CPU while unused.", rich_help_panel=_PANEL),
]
Dtype = Annotated[
    Literal["auto", "bf16", "fp16", "fp32"],
    typer.Option(help="Type of the checkpoint's weights.", rich_help_panel=_PANEL),
]

"""`occscene-server evaluate kitti`: a model on a user's SemanticKITTI folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from occscene_server.terminal import say, track

if TYPE_CHECKING:
    from occscene_server.evaluation.kitti import Predict


def kitti(
    dataset: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The folder that holds `sequences`.")],
    output: Annotated[Path, typer.Option(help="Folder for kitti.json and, in the official layout, the predictions.")],
    model: Annotated[
        str | None,
        typer.Option(help="Folder of an outdoor model, or a hub id; without it only the blockout is scored."),
    ] = None,
    split: Annotated[str, typer.Option(help="valid, or train.")] = "valid",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N frames; all if omitted.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Score a model on SemanticKITTI, and write its predictions as the official script wants them.

    Three rows: the image alone, the image with a blockout made from the truth, and that blockout. Predictions of the
    image alone are below OUTPUT/images, those with a blockout below OUTPUT/images_with_blockout.
    """
    from occscene_server.data.kitti import list_frames, write_prediction
    from occscene_server.evaluation.kitti import BLOCKOUT, KittiScores, score_frame

    try:
        frames = list_frames(dataset, split)[:limit]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    predict = _perception(model, device) if model is not None else None
    output.mkdir(parents=True, exist_ok=True)
    scores = KittiScores()
    for frame in track(frames, "frames"):
        try:
            rows = score_frame(scores, frame, predict)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"frame {frame.key}: {error}") from None
        for row, grid in rows.items():
            if row != BLOCKOUT:
                write_prediction(output / row, frame, grid)
    report = {"model": model, "split": split, "frames": len(frames), "rows": scores.report()}
    (output / "kitti.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for row, values in scores.report().items():
        say(f"{row}: mIoU {values['miou']}, IoU {values['iou']}")
    say(f"The report is {output / 'kitti.json'}")


def _perception(model: str, device: str) -> Predict:
    """A model's perception.

    Raises:
        typer.BadParameter: the model is for another domain.
    """
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from occscene.camera import PinholeCamera
    from occscene.grid import GridVolume, SemanticGrid
    from occscene.taxonomy import OUTDOOR

    from occscene_server.pipelines.occscene import OccScenePipeline

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    pipe = OccScenePipeline.from_pretrained(model).to(device)
    if pipe.config.taxonomy != OUTDOOR.name:
        raise typer.BadParameter(
            f"--model {model} is of the domain {pipe.config.taxonomy!r}; SemanticKITTI needs one of {OUTDOOR.name!r}"
        )

    def predict(
        images: NDArray[np.uint8],
        cameras: tuple[PinholeCamera, ...],
        blockout: SemanticGrid | None,
        volume: GridVolume,
    ) -> SemanticGrid:
        return pipe.predict_occupancy(images, cameras, blockout=blockout, volume=volume, taxonomy=OUTDOOR.name)

    return predict

"""Whether a checkpoint of `tests.studio_checkpoint` obeys its control maps, and whether its views agree.

    python -m tests.studio_checkpoint_report --data data/indoor --checkpoint runs/studio-checkpoint --output report

Test rooms are painted by `occscene-server evaluate generate`, once for each row of the table; what is there already is
kept. Classes are read by the bundled evaluator, which has seen real renders only: its agreement with them is the last
row. Co-visible error is the root mean square difference of what several views see, in [-1, 1], and sharpness the
gradient energy; both are means over rooms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.taxonomy import TAXONOMIES

from occscene_server.data.contact_sheet import captioned, stacked
from occscene_server.data.dataset import read_cameras, read_grids, read_info, read_views, scene_folder, scenes_of_split
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.evaluation.evaluator import Evaluator
from occscene_server.evaluation.segmenter import CELL, NOTHING, segment
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.correspondence import correspondences
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.geometry.view_fusion import disagreement
from occscene_server.metrics.view_detail import gradient_energy, gray
from occscene_server.terminal import PlainTable, console
from occscene_server.weights import default_model
from tests.occscene_server.serve_process import ENVIRONMENT

ROWS = (("control 0, none", 0, "none"), ("control 1, none", 1, "none"), ("control 1, linked", 1, "linked"),
        ("control 1, synced", 1, "synced"))  # fmt: skip
RENDERS = "real renders"


@dataclass(frozen=True)
class Scores:
    """Of one row: agreement and mIoU of the classes with those in the control maps, co-visible error, sharpness."""

    agreement: float
    miou: float
    covisible: float
    sharpness: float


def paint(data: Path, checkpoint: Path, output: Path, rooms: int, strength: int, consistency: str) -> None:
    """Paints the first test rooms as a user would."""
    arguments = (
        "--model", checkpoint / "checkpoint", "--control", f"segment={checkpoint / 'control'}:{strength}:0-1",
        "--consistency", consistency, "--draft", "none", "--no-prior", "--no-hints", "--data", data, "--limit", rooms,
        "--output", output,
    )  # fmt: skip
    command = [sys.executable, "-m", "occscene_server.cli", "evaluate", "generate", *map(str, arguments)]
    subprocess.run(command, env=ENVIRONMENT, check=True)


def score(folders: Sequence[Path], views: Sequence[NDArray[np.uint8]], evaluator: Evaluator) -> Scores:
    """Scores the views of rooms (V, height, width, 3) against the shapes that they were painted from."""
    cells, errors, energies = [], [], []
    for folder, shown in zip(folders, views, strict=True):
        grid, cameras = read_grids(folder)[1], CameraTensors.from_cameras([read_cameras(folder)])
        scene = RayScene(read_mesh(folder, "blockout"), grid)
        size = shown.shape[1], shown.shape[2]
        labels = mesh_gbuffer([scene], cameras, (size[0] // CELL, size[1] // CELL)).labels[0]
        tensor = torch.from_numpy(shown)
        found = segment(evaluator.segmenter, tensor)[0]
        cells.append(torch.stack([labels, found])[:, labels != NOTHING])
        matches = correspondences(mesh_gbuffer([scene], cameras, size), grid, cameras)
        errors.append(disagreement(images_from_bytes(tensor), matches))
        energies.append(gradient_energy(gray(tensor)))
    truth, found = torch.cat(cells, 1)
    count = len(TAXONOMIES["indoor"])
    pairs = torch.bincount(truth * count + found, minlength=count**2).view(count, count).double()
    there = pairs.sum(1) > 0
    overlap = pairs.diagonal() / (pairs.sum(0) + pairs.sum(1) - pairs.diagonal()).clamp_min(1)
    return Scores(
        float((truth == found).double().mean()), float(overlap[there].mean()), float(np.mean(errors)),
        float(np.mean(energies)),
    )  # fmt: skip


def main() -> None:
    """Paints, scores, and writes `report.json` and `sheet.png`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of rendered rooms with their triangles")
    parser.add_argument("--checkpoint", type=Path, required=True, help="output of tests.studio_checkpoint")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rooms", type=int, default=12, help="the first N test rooms")
    chosen = parser.parse_args()
    evaluator = Evaluator.load(default_model().parent / "evaluator-indoor")
    folders = scenes_of_split(chosen.data, "test", chosen.rooms)
    painted = {}
    for name, strength, consistency in ROWS:
        place = chosen.output / name.replace(", ", "-").replace(" ", "-")
        paint(chosen.data, chosen.checkpoint, place, chosen.rooms, strength, consistency)
        painted[name] = [read_views(scene_folder(place, read_info(folder).seed)) for folder in folders]
    painted[RENDERS] = [read_views(folder) for folder in folders]
    scores = {name: score(folders, views, evaluator) for name, views in painted.items()}
    plain = scores["control 1, none"]
    table = PlainTable("", "agreement", "mIoU", "co-visible error", "of none", "sharpness", "of none",
                       title=f"{len(folders)} test rooms")  # fmt: skip
    for name, row in scores.items():
        table.add_row(
            name, f"{row.agreement:.3f}", f"{row.miou:.3f}", f"{row.covisible:.3f}",
            f"{row.covisible / plain.covisible:.2f}", f"{row.sharpness:.4f}", f"{row.sharpness / plain.sharpness:.2f}",
        )  # fmt: skip
    console.print(table)
    report = {name: vars(row) for name, row in scores.items()}
    (chosen.output / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    stacked(
        [
            captioned(f"{name}: {read_info(folder).prompt}", painted[name][index])
            for index, folder in enumerate(folders[:4])
            for name in painted
        ]
    ).save(chosen.output / "sheet.png")


if __name__ == "__main__":
    main()

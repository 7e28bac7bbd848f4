"""The evaluation as files: report.json with all metrics, report.html and sheet.png to look at."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES
from PIL import Image

from occscene_server.data.contact_sheet import captioned, stacked
from occscene_server.evaluation.evaluator import cell_maps
from occscene_server.evaluation.scene_scores import PREDICTIONS, GeneratedScene
from occscene_server.evaluation.segmenter import CELL
from occscene_server.evaluation.text_to_scene import TextScene
from occscene_server.evaluation.view_scores import Metrics

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0 1.5em; }
th, td { padding: .2em .9em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
img { display: block; width: 100%; }
.note { color: #666; }
"""

_ROWS = {
    "with_prior": "the views that begin from a layout and the occupancy that goes with them",
    "without_prior": "the views and the occupancy without a prior",
}
"""What the pictures of an arm of text to scene show."""


def write_report(
    folder: Path, metrics: Metrics, shown: Sequence[GeneratedScene], text_scenes: Mapping[str, Sequence[TextScene]]
) -> None:
    """Writes `report.json`, `report.html`, `sheet.png` and `text_sheet.png`.

    Args:
        folder: made if it is not there.
        metrics: the content of report.json.
        shown: the scenes in the pictures; of the first of them, the report also shows images to occupancy.
        text_scenes: scenes from their prompts only, "with_prior" if there is a layout prior, "without_prior" if the
            model makes such; one of them at least.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(_page(metrics, shown, text_scenes), encoding="utf-8")
    sheet(shown).save(folder / "sheet.png")
    text_sheet(next(iter(text_scenes.values()))).save(folder / "text_sheet.png")


def sheet(shown: Sequence[GeneratedScene]) -> Image.Image:
    """For each scene the prompt, its real views in a row, and below them the generated ones."""
    captions = [f"{result.scene.info.seed}, real above generated: {result.scene.info.prompt}" for result in shown]
    return stacked(
        [captioned(caption, result.scene.views, result.views) for caption, result in zip(captions, shown, strict=True)]
    )


def text_sheet(text_scenes: Sequence[TextScene]) -> Image.Image:
    """For each prompt the views that were made of it, and below them the occupancy that was made with them."""
    return stacked(
        [
            captioned(result.scene.info.prompt, result.views, _drawn(result.grid, result.cameras))
            for result in text_scenes
        ]
    )


def _strip(views: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Views (V, height, width, 3) side by side."""
    return np.concatenate(list(views), axis=1)


def _drawn(grid: SemanticGrid, cameras: Sequence[PinholeCamera]) -> NDArray[np.uint8]:
    """A grid's classes as the views see them, in the taxonomy's colours, (V, height, width, 3)."""
    palette = np.array([entry.color for entry in TAXONOMIES[grid.taxonomy].classes], np.uint8)
    maps = cell_maps(grid, cameras)
    # farther is darker, so that shape shows within a class
    shade = 1.15 - 0.09 * maps.depth.numpy().clip(1.7, 8.0)
    colors = (palette[maps.labels.numpy()] * shade[..., None]).astype(np.uint8)
    return colors.repeat(CELL, 1).repeat(CELL, 2)


def _page(metrics: Metrics, shown: Sequence[GeneratedScene], text_scenes: Mapping[str, Sequence[TextScene]]) -> str:
    model = html.escape(str(metrics["model"]))
    chosen = metrics["generation"] | metrics["checkpoint"]
    options = ", ".join(f"{name} {value}" for name, value in chosen.items())
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{model}</title><style>{_STYLE}</style><h1>{model}</h1>",
        f"<p>{metrics['scenes']} scenes, {metrics['views']} views of {', '.join(metrics['image_sizes'])} pixels, "
        f"{metrics['split']} split; "
        f"{html.escape(options)}; {metrics['seconds_per_scene']['mean']:.1f} s a scene "
        f"on {html.escape(metrics['device'])}.</p>",
        _views_table(metrics),
        _occupancy_tables(metrics),
        "<h2>Pictures</h2><p class='note'>The first scenes of the split, none chosen. "
        "Rows: the blockout, the real render, the generated views.</p>",
        *(_pictures(result) for result in shown),
        "<h2>Text to scene</h2><p class='note'>From the prompts of the first scenes only, seen by the default rig. "
        f"Rows: {', and '.join(_ROWS[arm] for arm in text_scenes)}.</p>",
        _text_to_scene_table(metrics),
        *(_text_scene_pictures(*results) for results in zip(*text_scenes.values(), strict=True)),
        *_perceived(shown[: len(next(iter(text_scenes.values())))]),
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _views_table(metrics: Metrics) -> str:
    agreement, hints, warps = metrics["segmenter_agreement"], metrics["hint_delta_e"], metrics["warp_psnr"]
    energy, power, colors = (metrics[name] for name in ("gradient_energy", "high_frequency_power", "colors_by_words"))
    distances = [
        (suffix, metrics[name])
        for suffix, name in (("", "kernel_distance"), (" of pieces", "kernel_distance_of_pieces"))
        if metrics[name]
    ]
    rows = [
        ("segmenter agrees with the blockout", _share(agreement["real"]), _share(agreement["generated"]),
         f"ratio {agreement['ratio']:.3f}"),
        *(
            (f"probe reads the {name.replace('_', ' ')}", _share(probe["real"]), _share(probe["generated"]),
             f"ratio {probe['ratio']:.3f}; the most common word {_share(probe['most_common_word'])}")
            for name, probe in metrics["probes"].items()
        ),
        ("colour of objects against their hints, delta E", f"{hints['real']:.1f}", f"{hints['generated']:.1f}",
         f"{hints['objects']} objects"),
        ("a view warped to another, PSNR", f"{warps['real']:.2f} dB", f"{warps['generated']:.2f} dB",
         f"with the blockout's depth {warps['generated_with_blockout']:.2f} dB"),
        ("difference where two views see one place, delta E", f"{metrics['covisible_delta_e']['real']:.1f}",
         f"{metrics['covisible_delta_e']['generated']:.1f}", "root mean square, by exact depth"),
        ("gradient energy", f"{energy['real']:.4f}", f"{energy['generated']:.4f}", f"ratio {energy['ratio']:.2f}"),
        ("power above a quarter of Nyquist", f"{power['real']:.5f}", f"{power['generated']:.5f}",
         f"ratio {power['ratio']:.2f}"),
        *(
            (label, f"{metrics[name]['real']:.2f} px", f"{metrics[name]['generated']:.2f} px", "")
            for label, name in (("from edges in the views to borders of objects", "edge_distance"),
                                ("from borders of objects to edges in the views", "border_distance"))
        ),
        ("objects of the colour that their phrase names", _share(colors["real"]), _share(colors["generated"]),
         f"ratio {colors['ratio']:.3f}; {colors['objects']} objects"),
        *(
            (f"kernel distance{suffix} over the segmenter's features",
             f"{distance['between_real_halves']:.3f} +- {distance['real_spread']:.3f}",
             f"{distance['generated']:.3f} +- {distance['generated_spread']:.3f}", "real: one half to the other")
            for suffix, distance in distances
        ),
    ]  # fmt: skip
    autoencoder = metrics["autoencoder"]
    return (
        "<h2>Views</h2>"
        + _table(("", "real renders", "generated", ""), rows)
        + f"<p>The autoencoder gives real views back with {autoencoder['psnr']:.2f} dB and SSIM "
        f"{autoencoder['ssim']:.3f}. On real renders the segmenter agrees with the true grid in "
        f"{_share(agreement['real_with_truth'])} of the cells.</p>"
    )


def _occupancy_tables(metrics: Metrics) -> str:
    scored = metrics["occupancy"]
    measures = ("miou", "iou", "precision", "recall")
    predictions = [name for name in PREDICTIONS if name in scored]
    totals = [(name.replace("_", " "), *(_share(scored[name][m]) for m in measures)) for name in predictions]
    classes = scored["blockout"]["class_iou"]
    by_class = [(c, *(_share(scored[name]["class_iou"][c]) for name in predictions)) for c in classes]
    crumbs = [
        (name.replace("_", " "), _fine_share(crumb["lonely"]), _fine_share(crumb["small"]))
        for name, crumb in metrics["crumbs"].items()
    ]
    return (
        "<h2>Occupancy against the true grid</h2><p class='note'>Over the whole set; empty is no class. "
        "Views come with the blockout unless a row says 'alone'.</p>"
        + _table(("", "mIoU", "IoU", "precision", "recall"), totals)
        + _table(("IoU of", *(name.replace("_", " ") for name in predictions)), by_class)
        + _table(("voxels of objects that are crumbs", "touch at most two", "in pieces of under eight"), crumbs)
    )


def _fine_share(value: float) -> str:
    return f"{value:.4f}"


def _pictures(result: GeneratedScene) -> str:
    scene = result.scene
    return _strips(scene.info.seed, scene.info.prompt, _drawn(scene.blockout, scene.cameras), scene.views, result.views)


def _text_to_scene_table(metrics: Metrics) -> str:
    names = {"with_prior": "from a layout", "without_prior": "without a prior"}
    arms = list(metrics["text_to_scene"].values())
    named = arms[0]["named_classes"]
    rows = [("segmenter agrees with the occupancy made", "", *(_share(arm["segmenter_agreement"]) for arm in arms))]
    rows += [
        (f"probe reads the {name.replace('_', ' ')}", "", *(_share(arm["probes"][name]) for arm in arms))
        for name in arms[0]["probes"]
    ]
    rows.append(("voxels occupied", "", *(_share(arm["occupied_share"]) for arm in arms)))
    rows.append(
        (f"of {named['count']} named classes, the segmenter finds", _share(named["real"]),
         *(_share(arm["named_classes"]["generated"]) for arm in arms))
    )  # fmt: skip
    return _table(("", "real renders", *(names[arm] for arm in metrics["text_to_scene"])), rows)


def _text_scene_pictures(result: TextScene, *bare: TextScene) -> str:
    rows = [row for one in (result, *bare) for row in (one.views, _drawn(one.grid, one.cameras))]
    return _strips(result.scene.info.seed, result.scene.info.prompt, *rows)


def _perceived(shown: Sequence[GeneratedScene]) -> list[str]:
    """Images to occupancy; nothing of a model that does not perceive."""
    found = [result for result in shown if "from_real_views_alone" in result.predictions]
    if not found:
        return []
    parts = [
        "<h2>Images to occupancy</h2><p class='note'>From the real renders of the first scenes only. "
        "Rows: the renders, the predicted occupancy, the true one.</p>"
    ]
    for result in found:
        grids = result.predictions["from_real_views_alone"], result.scene.occupancy
        drawn = (_drawn(grid, result.scene.cameras) for grid in grids)
        parts.append(_strips(result.scene.info.seed, "", result.scene.views, *drawn))
    return parts


def _strips(seed: int, text: str, *rows: NDArray[np.uint8]) -> str:
    images = "".join(f"<img alt='' src='{_embedded(_strip(row))}'>" for row in rows)
    return f"<h3>Scene {seed}</h3><p>{html.escape(text)}</p>{images}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in rows) + "</table>"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _embedded(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()

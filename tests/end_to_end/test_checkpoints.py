"""A folder, a single file and a preset go the whole way: the extension in Blender, the real server, views back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from occscene.grid import load_grid
from occscene.results import read_result
from PIL import Image

from occscene_server.models.presets import PRESETS, HubFiles
from tests.occscene_server.pipelines.single_file import save_single_file
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_control, save_tiny_kit
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion
from tests.occscene_server.serve_process import BUNDLED, ServeProcess

bpy = pytest.importorskip("bpy")

pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.weights]


def _put(home: Path, files: HubFiles, folder: Path) -> None:
    """Puts a folder into a cache of the hub."""
    place = home / "hub" / f"models--{files.repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(files.revision)
    shutil.copytree(folder, place / "snapshots" / files.revision)


def _arguments(kind: str, root: Path) -> tuple[object, ...]:
    """What `serve` is given; weights of tiny size stand where a preset's are kept."""
    control = ("--control", f"depth={root / 'control'}:0.7")
    if kind == "folder":
        return "--model", root / "checkpoint", *control
    if kind == "file":
        return "--model", root / "artist.safetensors", *control
    return "--model", "sd15"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    pipeline = save_tiny_kit(folder, "sd")[0]
    save_single_file(pipeline, folder / "artist.safetensors")
    save_tiny_stable_diffusion(folder / "half").save_pretrained(folder / "half-only", variant="fp16")
    for name in ("depth", "segment"):
        save_tiny_control(folder / name, pipeline.unet).save_pretrained(folder / f"{name}-half", variant="fp16")
    preset = PRESETS["sd15"]
    _put(folder / "home", preset.checkpoint, folder / "half-only")
    for control in preset.family.controls:
        _put(folder / "home", control.files, folder / f"{control.kind}-half")
    return folder


@pytest.mark.parametrize("kind", ["folder", "file", "preset"])
def test_a_checkpoint_paints_what_blender_sends(root: Path, tmp_path: Path, kind: str) -> None:
    import blender_addon
    from occscene_server.studio.demo import open_blockout

    environment = {"HF_HOME": str(root / "home"), "HF_HUB_OFFLINE": "1"}
    options = (*_arguments(kind, root), "--draft", "none", "--device", "cpu")
    serve = ServeProcess(tmp_path, tmp_path / "store", *options, environment=environment, script=BUNDLED)
    try:
        open_blockout("living_room", "", tmp_path)
        directory = Path(tempfile.mkdtemp(dir=tmp_path))
        done = bpy.ops.occscene.generate(
            directory=str(directory), server=serve.address, prompt="a bright room", steps=2
        )
        assert done == {"FINISHED"}
        result = read_result(directory)
        views = [np.asarray(Image.open(path)) for path in result.views.values()]
        assert [view.shape for view in views] == [(256, 256, 3)] * 4
        assert all(view.std() > 1 for view in views)
        assert result.occupancy_source == "blockout"
        assert load_grid(directory / "occupancy.npz").labels.any()
        assert bpy.context.scene.occscene.results[-1].occupancy_source == "blockout"
    finally:
        serve.interrupted()
        blender_addon.unregister()

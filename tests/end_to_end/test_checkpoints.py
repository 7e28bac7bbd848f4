"""A folder, a single file and a preset go the whole way: the extension in Blender, the real server, views back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from occscene.grid import load_grid
from occscene.results import read_result
from PIL import Image

from tests.occscene_server.pipelines.checkpoint_forms import FORMS, form_arguments, save_checkpoint_forms
from tests.occscene_server.released_contract import released_contract
from tests.occscene_server.serve_process import BUNDLED, ServeProcess

bpy = pytest.importorskip("bpy")

SIDE = 128

pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.weights]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint_forms(folder)
    return folder


@pytest.fixture(scope="module", params=FORMS)
def address(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that paints with the checkpoint in one form."""
    folder = tmp_path_factory.mktemp("server")
    environment = {"HF_HOME": str(root / "home"), "HF_HUB_OFFLINE": "1"}
    options = (*form_arguments(request.param, root), "--draft", "none", "--device", "cpu")
    serve = ServeProcess(folder, folder / "store", *options, environment=environment, script=BUNDLED)
    yield serve.address
    serve.interrupted()


@pytest.fixture(autouse=True)
def _blockout(tmp_path: Path) -> Iterator[None]:
    """The sample's blockout is open."""
    import blender_addon
    from occscene_server.studio.demo import open_blockout

    open_blockout("living_room", "", tmp_path)
    bpy.context.scene.occscene.image_size = SIDE
    yield
    blender_addon.unregister()


def test_a_checkpoint_paints_what_blender_sends(address: str, tmp_path: Path) -> None:
    directory = tmp_path / "views"
    done = bpy.ops.occscene.generate(directory=str(directory), server=address, prompt="a bright room", steps=2)
    assert done == {"FINISHED"}
    result = read_result(directory)
    views = [np.asarray(Image.open(path)) for path in result.views.values()]
    assert [view.shape for view in views] == [(SIDE, SIDE, 3)] * 4
    assert all(view.std() > 1 for view in views)
    assert result.occupancy_source == "blockout"
    assert load_grid(directory / "occupancy.npz").labels.any()
    assert bpy.context.scene.occscene.results[-1].occupancy_source == "blockout"


@pytest.mark.parametrize("address", ["folder"], indirect=True)
def test_old_and_new_sides_work_together(address: str, tmp_path: Path) -> None:
    """The server gets requests as the released extension sends them, ours the answers of a released server."""
    from blender_addon.jobs import connection_check

    with released_contract(address) as old:
        assert bpy.ops.occscene.test_connection(server=old) == {"FINISHED"}
        check = connection_check.last_check
        assert check.is_good
        assert check.uses("images_to_occupancy", "indoor")  # nothing says that it does not
        assert check.about_models() == []
        result = bpy.ops.occscene.generate(directory=str(tmp_path / "views"), server=old, prompt="a room", steps=2)
        assert result == {"FINISHED"}
        stored = read_result(tmp_path / "views")
        assert [Image.open(path).size for path in stored.views.values()] == [(SIDE, SIDE)] * 4
        assert load_grid(tmp_path / "views/occupancy.npz").labels.any()
        assert stored.occupancy_source == ""

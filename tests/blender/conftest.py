"""An empty Blender file with the extension registered, for each test; a server for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.blender.server_process import stand_in_server

bpy = pytest.importorskip("bpy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.blender)


@pytest.fixture(scope="module", autouse=True)
def factory_settings() -> None:
    """Preferences as Blender comes with them, for the tests of a file; every test has an empty scene of its own."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(autouse=True)
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bpy.types.Scene]:
    """The scene of an empty file; what the extension writes for its user goes below the test's own folder."""
    import blender_addon

    monkeypatch.setenv("OCCSCENE_USER_FOLDER", str(tmp_path / "user"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    blender_addon.register()
    yield bpy.context.scene
    blender_addon.unregister()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the stand-in pipeline."""
    with stand_in_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def blockout(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A floor, a sofa and two cameras, tagged, in a volume."""
    from tests.blender.build_scenes import add_box, add_camera

    add_box("floor", (4, 4, 0.2), (0, 0, -0.1))
    add_box("sofa", (2, 0.9, 0.8), (0, 1, 0.4))
    add_camera("left", (-1, -1.8, 1.2))
    add_camera("right", (1, -1.8, 1.2))
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.occscene.image_size = 64
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.fit_volume()
    return scene


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, server: str) -> Callable[..., str]:
    """Starts a generation as in a window, where `generate` returns at once; gives the result's name."""
    from blender_addon.jobs import tracking

    monkeypatch.setattr(tracking, "is_interactive", lambda: True)

    def started(**arguments: object) -> str:
        assert bpy.ops.occscene.generate(**{"server": server, **arguments}) == {"FINISHED"}
        return str(bpy.context.scene.occscene.results[-1].name)

    return started

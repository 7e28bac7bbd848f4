"""The version stands in one place, and everything that is built states it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import occscene
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from blender_addon import build

ROOT = Path(__file__).resolve().parents[1]


def read_toml(path: str) -> dict[str, object]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_wheel_and_extension_have_the_version_of_the_value_types() -> None:
    assert ProjectMetadata(str(ROOT), PluginManager()).version == occscene.__version__
    manifest = tomllib.loads(build.manifest(["occscene-1-py3-none-any.whl"], ["linux-x64"]))
    assert manifest["version"] == build.version() == occscene.__version__
    assert manifest["wheels"] == ["./wheels/occscene-1-py3-none-any.whl"]
    assert manifest["permissions"].keys() == {"network", "files"}


def test_no_other_file_states_the_version() -> None:
    assert "version" not in read_toml("pyproject.toml")["project"]  # type: ignore[operator]
    assert "version" not in read_toml("blender_addon/blender_manifest.toml")
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith("version:")]


def test_advice_to_install_extras_names_the_distribution_and_extras_that_there_are() -> None:
    project = read_toml("pyproject.toml")["project"]
    assert isinstance(project, dict)
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "occscene_server").rglob("*.py")]
    named = re.findall(r"pip install [\\'\"]*([\w.-]+)\[([\w,]+)\]", "\n".join(sources))
    assert len(named) >= 2
    for name, extras in named:
        assert name == project["name"]
        assert set(extras.split(",")) <= project["optional-dependencies"].keys()

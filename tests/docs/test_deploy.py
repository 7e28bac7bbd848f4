"""What `deploy/` holds starts the server as it is: options, files and the unit."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from occscene_server.cli.root import app

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def options_of(command: str) -> set[str]:
    """The options of a command of occscene-server, as they stand on a command line."""
    group = typer.main.get_command(app)
    return {name for param in group.get_command(None, command).params for name in param.opts}  # type: ignore[attr-defined]


def test_configuration_has_keys_that_exist() -> None:
    values = tomllib.loads((DEPLOY / "server.toml").read_text("utf-8"))
    assert {f"--{key.replace('_', '-')}" for key in values} <= options_of("serve")


def test_compose_file_has_options_and_files_that_exist() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["occscene"]
    for command in (service["command"], service["healthcheck"]["test"][2:]):
        name, *options = command
        assert {option.partition("=")[0] for option in options} <= options_of(name)
    build = service["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    port = service["ports"][0].partition(":")[2]
    assert f"EXPOSE {port}" in (DEPLOY / "Containerfile").read_text("utf-8")


def test_containerfile_copies_what_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (DEPLOY.parent / ".dockerignore").read_text("utf-8").split() if line[0] == "!"}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Containerfile").read_text("utf-8"), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == allowed
    assert all((DEPLOY.parent / name).exists() for name in names)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "occscene-server.service").read_text("utf-8")
    unit = tmp_path / "occscene-server.service"
    unit.write_text(
        text.replace("/opt/occscene/bin/occscene-server", "/bin/true").replace("User=occscene", "User=daemon")
    )
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

"""Builds the extension's zip: `python -m blender_addon.build --output dist`.

The zip holds the add-on, the `occscene` wheel built from `protos/occscene`, and the wheels that the bridge needs.
Numpy is Blender's own and never bundled. Needs pip and hatchling.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt

ADDON = Path(__file__).resolve().parent
PROTOS = ADDON.parent / "protos"
DOCS = ADDON.parent / "docs"

_GUIDE_STYLE = (
    "body{max-width:46em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}img{max-width:100%}"
    "td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}table{border-collapse:collapse}"
)

REQUIREMENTS = (
    "grpcio>=1.85.1",
    "grpcio-status>=1.85.1",
    "protobuf>=6.33.5,<8",
    "googleapis-common-protos",
    "typing-extensions",
    "zstandard",
)
"""What the bridge imports, with everything that these need in turn."""

PYTHONS = ("3.11", "3.13", "3.14")
"""Blender 4.2 to 5.0, Blender 5.1 and later, and distributions that build Blender with their own Python."""

PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_11_0_universal2"),
    "macos-x64": ("macosx_10_15_x86_64", "macosx_11_0_x86_64", "macosx_11_0_universal2"),
}
"""Blender's platform names and the wheel tags that they take."""

_OCCSCENE_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "occscene"
version = "{version}"
requires-python = ">=3.11"
license = "GPL-3.0-or-later"
[tool.hatch.build.targets.wheel]
packages = ["occscene"]
"""


def current_platform() -> str:
    """Blender's name of the platform that this runs on."""
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}[platform.machine().lower()]
    return f"{ {'linux': 'linux', 'win32': 'windows', 'darwin': 'macos'}[sys.platform] }-{machine}".replace(" ", "")


def version() -> str:
    """The project's version, which the value types' package states."""
    text = (PROTOS / "occscene/__init__.py").read_text(encoding="utf-8")
    stated = re.search(r'__version__ = "([^"]+)"', text)
    if stated is None:
        raise SystemExit("protos/occscene/__init__.py has no __version__")
    return stated[1]


def build_occscene_wheel(folder: Path) -> None:
    """Builds the wheel of the value types and the contract into `folder`, in a copy of its sources.

    Its version ends with a digest of its sources: Blender takes a wheel of a version that it has installed for the
    same wheel, and would keep the old one when a zip with newer sources is installed over it.
    """
    with tempfile.TemporaryDirectory() as staging:
        ignore = shutil.ignore_patterns("__pycache__")
        sources = Path(staging, "occscene")
        shutil.copytree(PROTOS / "occscene", sources, ignore=ignore)
        project = _OCCSCENE_PROJECT.format(version=f"{version()}+{_digest(sources)}")
        Path(staging, "pyproject.toml").write_text(project, encoding="utf-8")
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), staging)


def _digest(folder: Path) -> str:
    """Eight hexadecimal digits of the hash of a folder's contents."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def download_wheels(folder: Path, platform_name: str, pythons: Sequence[str]) -> None:
    """Downloads the requirements' wheels of one platform into `folder`."""
    tags = [word for tag in PLATFORMS[platform_name] for word in ("--platform", tag)]
    for python in pythons:
        options = ["--only-binary=:all:", "--no-deps", "--python-version", python, "--dest", str(folder)]
        _pip("download", *options, *tags, *REQUIREMENTS)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"pip {arguments[0]} failed:\n{done.stderr.strip()}")


def manifest(wheels: Sequence[str], platforms: Sequence[str]) -> str:
    """The text of the zip's manifest: that of the sources, with the version, the wheels' names and the platforms."""
    lines = [f'version = "{version()}"', f"platforms = {json.dumps(list(platforms))}", "wheels = ["]
    lines += [f'  "./wheels/{name}",' for name in wheels] + ["]", "", "[permissions]"]
    text = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8").replace("[permissions]", "\n".join(lines), 1)
    tomllib.loads(text)
    return text


def write_zip(path: Path, wheels: Path, platforms: Sequence[str]) -> None:
    """Writes the add-on, its wheels, and a manifest that names them."""
    names = sorted(wheel.name for wheel in wheels.glob("*.whl"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("blender_manifest.toml", manifest(names, platforms))
        for source in sorted(ADDON.rglob("*.py")):
            if source.name != "build.py":
                archive.write(source, source.relative_to(ADDON).as_posix())
        archive.writestr("guide/artist_guide.html", guide_page())
        for picture in sorted((DOCS / "guide").glob("*.webp")):
            archive.write(picture, f"guide/guide/{picture.name}", zipfile.ZIP_STORED)
        for name in names:
            archive.write(wheels / name, f"wheels/{name}", zipfile.ZIP_STORED)


def guide_page() -> str:
    """The artist guide as a page for browsers, with the anchors that its list of contents leads to."""
    text = (DOCS / "artist_guide.md").read_text(encoding="utf-8")
    body = MarkdownIt().enable("table").render(text)
    for number, title in re.findall(r"<h2>(\d+)\. (.*?)</h2>", body):
        place = f"{number}-{title.lower().replace(' ', '-').replace(':', '')}"
        body = body.replace(f"<h2>{number}. {title}</h2>", f'<h2 id="{place}">{number}. {title}</h2>')
    return f"<!doctype html><meta charset=utf-8><title>OccScene</title><style>{_GUIDE_STYLE}</style>\n{body}"


def build(output: Path, platforms: Sequence[str], pythons: Sequence[str]) -> Path:
    """Builds one zip for `platforms` into the folder `output` and returns its path."""
    output.mkdir(parents=True, exist_ok=True)
    suffix = platforms[0] if len(platforms) == 1 else "all"
    path = output / f"occscene-{version()}-{suffix}.zip"
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder)
        build_occscene_wheel(wheels)
        for name in platforms:
            download_wheels(wheels, name, pythons)
        write_zip(path, wheels, platforms)
    return path


def main() -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(prog="python -m blender_addon.build", description="Build the extension's zip.")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder for the zip (default: dist)")
    parser.add_argument(
        "--platform",
        default="current",
        choices=["current", "all", *PLATFORMS],
        help="whose wheels it holds (default: this machine's)",
    )
    parser.add_argument("--python", action="append", metavar="X.Y", help=f"Pythons (default: {', '.join(PYTHONS)})")
    arguments = parser.parse_args()
    chosen = {"current": [current_platform()], "all": list(PLATFORMS)}.get(arguments.platform, [arguments.platform])
    path = build(arguments.output, chosen, arguments.python or PYTHONS)
    print(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")


if __name__ == "__main__":
    main()

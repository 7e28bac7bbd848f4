"""`occscene-server models` against a hub on this machine that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from occscene_server.cli.models import _chosen
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Answers for the repository `artist/paints`, whose files lie in `folder`."""

    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, with_body: bool) -> None:
        path = self.path.split("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/artist/paints"):
            names = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
            if "/tree/" in path:
                rows = [{"type": "file", "path": name, "oid": "0" * 40, "size": (self.folder / name).stat().st_size}
                        for name in names]  # fmt: skip
                self._send(json.dumps(rows).encode(), {"Content-Type": "application/json"}, with_body)
                return
            siblings = [{"rfilename": name, "size": (self.folder / name).stat().st_size} for name in names]
            row = {"id": "artist/paints", "modelId": "artist/paints", "sha": COMMIT, "siblings": siblings,
                   "cardData": {"license": "openrail++"}, "private": False, "tags": [], "downloads": 0}  # fmt: skip
            self._send(json.dumps(row).encode(), {"Content-Type": "application/json"}, with_body)
            return
        prefix = "/artist/paints/resolve/"
        name = path.removeprefix(prefix).split("/", 1)[-1]
        if path.startswith(prefix) and (self.folder / name).is_file():
            data = (self.folder / name).read_bytes()
            etag = hashlib.sha256(data).hexdigest()
            self._send(data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, with_body)
            return
        self.send_error(404)

    def _send(self, data: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Keeps the test's output quiet."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("hub")
    save_tiny_kit(root, "sd")
    Hub.folder, Hub.asked = root / "checkpoint", []
    (Hub.folder / "paints.ckpt").write_bytes(b"pickled")
    (Hub.folder / "unet/diffusion_pytorch_model.bin").write_bytes(b"pickled")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def run(hub: str, home: Path, *arguments: str, answer: str = "", **environment: str) -> tuple[int, str]:
    """A process of its own, since the hub's library reads its settings when it is imported."""
    settings = {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_COLOR": "1",
                "HF_HUB_DISABLE_XET": "1", "COLUMNS": "200"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "occscene_server.cli", "models", *arguments],
        input=answer, capture_output=True, text=True, env={**os.environ, **settings, **environment}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_repository_is_fetched_after_its_size_and_license_were_shown(hub: str, tmp_path: Path) -> None:
    code, output = run(hub, tmp_path, "get", "artist/paints", answer="n\n")
    assert code == 1
    assert "artist/paints" in output
    assert "license openrail++" in output
    assert not list(tmp_path.rglob("*.safetensors"))
    code, output = run(hub, tmp_path, "get", "artist/paints", "--yes")
    assert code == 0, output
    assert "--model artist/paints" in output
    folder = tmp_path / "hub/models--artist--paints/snapshots" / COMMIT
    fetched = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "unet/diffusion_pytorch_model.safetensors" in fetched
    assert not any(name.endswith((".bin", ".ckpt")) for name in fetched)
    find = "from occscene_server.models.checkpoint_source import find_checkpoint as f; print(f('artist/paints').path)"
    offline = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run([sys.executable, "-c", find], capture_output=True, text=True, env=os.environ | offline,
                           check=False)  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == str(folder)


@pytest.mark.slow
def test_presets_are_listed_and_nothing_is_fetched_offline(hub: str, tmp_path: Path) -> None:
    code, output = run(hub, tmp_path, "list")
    assert code == 0
    assert all(name in output for name in ("sdxl", "sdxl-lightning", "sd15", "creativeml-openrail-m", "0 of 3 parts"))
    code, output = run(hub, tmp_path, "get", "sd15", HF_HUB_OFFLINE="1")
    assert code == 1
    assert "HF_HUB_OFFLINE is set" in output
    code, output = run(hub, tmp_path, "get", "artist/away")
    assert code == 1
    assert "Traceback" not in output
    code, output = run(hub, tmp_path, "get", "sd14")
    assert "is no preset; give sdxl, sdxl-lightning, sd15" in output


def test_half_precision_is_taken_where_there_is_any_and_never_a_pickle() -> None:
    names = [
        "model_index.json", "README.md", "all.safetensors", "unet/config.json", "unet/model.safetensors",
        "unet/model.fp16.safetensors", "vae/model.safetensors", "vae/model.bin", "vae/model.non_ema.safetensors",
    ]  # fmt: skip
    assert _chosen(names) == [
        "model_index.json", "README.md", "unet/config.json", "unet/model.fp16.safetensors", "vae/model.safetensors",
    ]  # fmt: skip
    assert _chosen(["config.json", "model.safetensors", "model.bin"]) == ["config.json", "model.safetensors"]

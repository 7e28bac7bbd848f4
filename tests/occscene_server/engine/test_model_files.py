"""A model's files are what its checksums say, or it is not loaded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from occscene_server.engine.model_files import CHECKSUMS, local_model
from tests.occscene_server.serve_process import BUNDLED, ServeProcess
from tests.patience import PATIENCE

WEIGHTS = "unet/weights.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of two files with its checksums, as the page on clusters says to make them."""
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / WEIGHTS).write_bytes(bytes(range(256)))
    command = f"find . -type f ! -name {CHECKSUMS} -exec sha256sum {{}} + > {CHECKSUMS}"
    subprocess.run(command, shell=True, check=True, cwd=folder)
    return folder


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)


def test_a_whole_model_is_taken_and_one_without_checksums(model: Path) -> None:
    assert local_model(str(model)) == str(model)
    (model / CHECKSUMS).unlink()
    flip_a_bit(model / WEIGHTS)
    assert local_model(str(model)) == str(model)


def test_damaged_and_missing_files_are_named(model: Path) -> None:
    flip_a_bit(model / WEIGHTS)
    with pytest.raises(OSError, match=rf"{WEIGHTS} is damaged: its SHA-256 is \w{{64}}, not \w{{64}}; copy"):
        local_model(str(model))
    (model / WEIGHTS).unlink()
    with pytest.raises(OSError, match=f"{WEIGHTS} is missing, which {CHECKSUMS} names; copy"):
        local_model(str(model))


@pytest.mark.parametrize("line", ["", "0123", "0" * 64, "0" * 64 + " model_index.json", "\xff" * 70])
def test_checksums_that_are_none_are_named(model: Path, line: str) -> None:
    (model / CHECKSUMS).write_text(f"{line}\n", "latin-1")
    with pytest.raises(OSError, match=f"{CHECKSUMS}, line 1 is not as sha256sum writes it"):
        local_model(str(model))


def test_a_model_that_is_damaged_in_the_cache_is_fetched_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCCSCENE_CACHE", str(tmp_path / "cache"))
    fetched = Path(local_model(f"file://{model}"))
    flip_a_bit(fetched / WEIGHTS)
    assert local_model(f"file://{model}") == str(fetched)
    assert (fetched / WEIGHTS).read_bytes() == bytes(range(256))


def test_a_model_that_is_damaged_in_the_store_is_not_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCCSCENE_CACHE", str(tmp_path / "cache"))
    flip_a_bit(model / WEIGHTS)
    for _ in range(2):
        with pytest.raises(OSError, match="is damaged"):
            local_model(f"file://{model}")


@pytest.mark.slow
@pytest.mark.weights
def test_a_server_does_not_start_with_a_damaged_model(model: Path, tmp_path: Path) -> None:
    flip_a_bit(model / WEIGHTS)
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", model, script=BUNDLED)
    serve.process.communicate(timeout=PATIENCE)
    assert serve.process.returncode == 1
    assert f"{WEIGHTS} is damaged" in serve.log.splitlines()[-1]

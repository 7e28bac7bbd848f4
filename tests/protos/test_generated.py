"""The contract is lint-clean and the generated modules are those of the `.proto` files."""

from __future__ import annotations

import filecmp
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
V1 = Path("occscene/v1")


def test_generated_modules_are_current(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "protos/generate.py"))["generate"](tmp_path)
    fresh = sorted(path.name for path in (tmp_path / V1).iterdir())
    kept = sorted(path.name for path in (ROOT / "protos" / V1).glob("*_pb2*.py*"))
    assert fresh == kept
    _, differing, errors = filecmp.cmpfiles(tmp_path / V1, ROOT / "protos" / V1, fresh, shallow=False)
    assert not differing, "run `python protos/generate.py`"
    assert not errors


def run_buf(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        pytest.skip("buf is not installed (pip install buf-bin)")
    return subprocess.run([buf, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_contract_is_lint_clean() -> None:
    result = run_buf("lint")
    assert result.returncode == 0, result.stdout + result.stderr


def test_contract_is_understood_by_released_clients() -> None:
    result = run_buf("breaking", "--against", "protos/released.binpb")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("job.proto", "uint64 seed = 7;", "uint32 seed = 7;"),
        ("job.proto", "string negative_prompt = 6;", "string negative_prompt = 66;"),
        ("job.proto", "JOB_STATE_CANCELLED = 5;", "JOB_STATE_CANCELLED = 6;"),
        ("scene_service.proto", "rpc ListJobs(", "rpc ShowJobs("),
    ],
)
def test_a_contract_that_released_clients_misread_is_refused(
    file: str, before: str, after: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    for path in (ROOT / "protos" / V1).glob("*.proto"):
        target = tmp_path / "protos" / V1 / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    changed = tmp_path / "protos" / V1 / file
    text = changed.read_text(encoding="utf-8")
    assert before in text
    changed.write_text(text.replace(before, after, 1), encoding="utf-8")
    result = run_buf("breaking", "--against", str(ROOT / "protos/released.binpb"), folder=tmp_path)
    assert result.returncode != 0, result.stdout


def test_value_types_import_without_protobuf() -> None:
    modules = ("grid", "camera", "taxonomy", "results", "events", "client.address")
    code = f"import sys, {', '.join(f'occscene.{name}' for name in modules)}\n"
    code += "sys.exit(not {'google.protobuf', 'grpc'}.isdisjoint(sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "protos")})

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


def test_contract_is_lint_clean() -> None:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        pytest.skip("buf is not installed (pip install buf-bin)")
    result = subprocess.run([buf, "lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_value_types_import_without_protobuf() -> None:
    code = "import sys, occscene.grid, occscene.camera, occscene.taxonomy; sys.exit('google.protobuf' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "protos")})

"""Where Blender's own messages go: they are written below Python, straight to standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def native_output_to(path: Path) -> None:
    """From now on what native code writes to standard output goes to a file; Python's stays where it was."""
    sys.stdout.flush()
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    python_output = os.dup(1)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.close(file)
    sys.stdout = os.fdopen(python_output, "w", buffering=1, encoding=encoding, errors=errors)

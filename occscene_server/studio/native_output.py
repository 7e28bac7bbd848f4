"""Blender's own messages, which are written below Python, straight to standard output."""

from __future__ import annotations

import os
import sys


def discard_native_output() -> None:
    """From now on what native code writes to standard output goes nowhere; what Python writes stays."""
    sys.stdout.flush()
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    python_output = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = os.fdopen(python_output, "w", buffering=1, encoding=encoding, errors=errors)

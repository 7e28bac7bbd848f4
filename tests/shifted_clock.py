"""A clock that another process sees and that can be set, as if somebody set the clock of its machine."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


class ShiftedClock:
    """Compiles the library that shifts the clock.

    Args:
        folder: for the library and the file with the shift.

    Raises:
        OSError: there is no C compiler, or this is not Linux.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise OSError("there is no C compiler (cc)")
        library, self._shift = folder / "shifted_clock.so", folder / "shift"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"the clock cannot be compiled: {done.stderr}")
        self._shift.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._shift)}
        """Variables of a process whose clock it is to be."""

    def shift(self, hours: float) -> None:
        """Shifts the clock against the right time."""
        with self._shift.open("r+b") as file:  # the same file, which the process has mapped
            file.write(struct.pack("=q", round(hours * 3600)))

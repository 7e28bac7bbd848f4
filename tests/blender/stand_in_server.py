"""A real server with the stand-in pipeline: `python stand_in_server.py STORE PORT_FILE`, until its input closes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.occscene_server.serving import serving


async def main(store: Path, port_file: Path) -> None:
    """Serves, and writes the port once it listens."""
    async with serving(store) as server:
        port_file.write_text(str(server.port), encoding="utf-8")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))

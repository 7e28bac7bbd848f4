"""A real server with the stand-in pipeline: `python stand_in_server.py STORE PORT_FILE`, until its input closes.

With --with-decoder it runs real networks of a tiny size that draw drafts too, and the bundled priors.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from occscene_server.engine.worker import Loader
from tests.occscene_server.serving import serving
from tests.occscene_server.stand_in import load_stand_in
from tests.occscene_server.tiny import load_tiny_with_decoder


async def main(store: Path, port_file: Path, loader: Loader) -> None:
    """Serves, and writes the port once it listens."""
    async with serving(store, loader=loader) as server:
        port_file.write_text(str(server.port), encoding="utf-8")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    loader = load_tiny_with_decoder if "--with-decoder" in sys.argv else load_stand_in
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), loader))

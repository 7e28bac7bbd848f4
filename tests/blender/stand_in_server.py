"""A real server with the stand-in pipeline: `python stand_in_server.py STORE PORT_FILE`, until its input closes.

With --with-priors it runs real networks of a tiny size, and the bundled priors; with --with-decoder tiny networks that
draw drafts.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from occscene_server.engine.worker import Loader
from tests.occscene_server.serving import serving
from tests.occscene_server.stand_in import load_stand_in
from tests.occscene_server.tiny import load_tiny_with_decoder, load_tiny_with_priors


async def main(store: Path, port_file: Path, loader: Loader) -> None:
    """Serves, and writes the port once it listens."""
    async with serving(store, loader=loader) as server:
        port_file.write_text(str(server.port), encoding="utf-8")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    loaders = {"--with-priors": load_tiny_with_priors, "--with-decoder": load_tiny_with_decoder}
    loader = next((loaders[option] for option in loaders if option in sys.argv), load_stand_in)
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), loader))

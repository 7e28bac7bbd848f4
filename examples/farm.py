"""A headless farm: many `.blend` files and seeds, with Blender's own command line and one server.

`python examples/farm.py OUTPUT FILE.blend ... [--seeds 0 1 2] [--server host:port] [--blender blender] [--parallel 2]`

Each file must be tagged, or have names that its classes can be guessed from. What has a `result.json` already is not
made again, so a run that was stopped goes on when it is started once more. OCCSCENE_TOKEN_FILE and OCCSCENE_CA_FILE
name the credentials for a server on another machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path


def generate(blend: Path, seed: int, output: Path, blender: str, server: str) -> str:
    """Makes the views of one file; returns "" or what went wrong."""
    folder = output / f"{blend.stem}_{seed}"
    if (folder / "result.json").exists():
        return ""
    command = [blender, "-b", str(blend), "--command", "occscene", "generate", "--guess", "--fit", "preset"]
    command += ["--seed", str(seed), "--server", server, "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return f"{blend} with seed {seed}: {lines[-1] if lines else f'exit code {done.returncode}'}"


def main() -> None:
    """Reads the command line and runs all; the exit code is 1 if something went wrong."""
    parser = argparse.ArgumentParser(description="Views of many .blend files.")
    parser.add_argument("output", type=Path)
    parser.add_argument("blends", type=Path, nargs="+", metavar="FILE.blend")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--server", default="127.0.0.1:50051")
    parser.add_argument("--blender", default="blender", help="Blender with the extension installed and enabled")
    parser.add_argument("--parallel", type=int, default=2, help="Blenders at a time; the server queues their jobs")
    arguments = parser.parse_args()

    run = partial(generate, output=arguments.output, blender=arguments.blender, server=arguments.server)
    tasks = [(blend.resolve(), seed) for blend in arguments.blends for seed in arguments.seeds]
    with ThreadPoolExecutor(arguments.parallel) as pool:
        failures = [text for text in pool.map(lambda task: run(*task), tasks) if text]
    print(f"{len(tasks) - len(failures)} of {len(tasks)} done")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()

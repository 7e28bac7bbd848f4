"""`blender -b FILE.blend --command occscene voxelize|generate|import ...`"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import bpy

from ..properties import CAMERA_CHOICES, DOMAINS


def main(argv: Sequence[str]) -> int:
    """Runs one verb on the open file.

    Returns:
        The exit code: 0, or 1 after an error that was printed.
    """
    arguments = _parser().parse_args(list(argv))
    try:
        arguments.run(arguments)
    except RuntimeError as error:  # an operator's error report
        print(f"occscene: {str(error).removeprefix('Error: ').strip()}")
        return 1
    if arguments.save:
        bpy.ops.wm.save_as_mainfile(filepath=arguments.save, copy=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender -b FILE.blend --command occscene")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    scene = argparse.ArgumentParser(add_help=False)
    scene.add_argument("--domain", choices=[name for name, _, _ in DOMAINS], help="change the scene's domain")
    scene.add_argument("--guess", action="store_true", help="guess the classes of untagged objects from their names")
    scene.add_argument("--fit", choices=["preset", "tight"], help="place the volume around the tagged objects")
    scene.add_argument("--save", metavar="FILE.blend", help="write the file with what was changed to it")

    voxelize = verbs.add_parser("voxelize", parents=[scene], help="write the blockout as a grid file")
    voxelize.add_argument("--output", required=True, metavar="GRID.npz")
    voxelize.add_argument("--cameras-output", default="", metavar="CAMERAS.json", help="write the cameras too")
    voxelize.set_defaults(run=_voxelize)

    generate = verbs.add_parser("generate", parents=[scene], help="make views and an occupancy on the server")
    generate.add_argument("--output", required=True, metavar="FOLDER")
    generate.add_argument("--prompt", help="default: the scene's")
    generate.add_argument("--negative-prompt", help="default: the scene's")
    generate.add_argument("--seed", type=int, help="default: the scene's")
    generate.add_argument("--steps", type=int, help="denoising steps; 0 leaves it to the model")
    generate.add_argument("--cameras", type=str.upper, choices=[name for name, _, _ in CAMERA_CHOICES])
    generate.add_argument("--image-size", type=int, help="pixels along the longer side")
    generate.add_argument("--server", help="host:port; default: OCCSCENE_SERVER, else the preferences")
    generate.set_defaults(run=_generate)

    importing = verbs.add_parser("import", help="add an occupancy to the file as a mesh")
    importing.add_argument("grid", metavar="GRID.npz")
    importing.add_argument("--save", required=True, metavar="FILE.blend")
    importing.set_defaults(run=_import)
    return parser


def _prepare(arguments: argparse.Namespace) -> None:
    """What the options common to voxelize and generate change before."""
    if arguments.domain:
        bpy.context.scene.occscene.domain = arguments.domain
    if arguments.guess:
        bpy.ops.occscene.guess_classes()
    if arguments.fit:
        bpy.ops.occscene.fit_volume(mode=arguments.fit.upper())


def _voxelize(arguments: argparse.Namespace) -> None:
    _prepare(arguments)
    bpy.ops.occscene.voxelize(filepath=arguments.output, cameras_filepath=arguments.cameras_output)
    print(f"{arguments.output}: {bpy.context.window_manager.occscene.grid_summary}")


def _generate(arguments: argparse.Namespace) -> None:
    _prepare(arguments)
    names = ("prompt", "negative_prompt", "seed", "steps", "cameras", "image_size", "server")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    bpy.ops.occscene.generate(directory=arguments.output, wait=True, **given)
    print(f"{arguments.output}: {bpy.context.window_manager.occscene.grid_summary}")


def _import(arguments: argparse.Namespace) -> None:
    bpy.ops.occscene.import_occupancy(filepath=arguments.grid)
    print(f"{arguments.save}: added {bpy.context.view_layer.objects.active.name}")

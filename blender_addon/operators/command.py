"""`blender -b FILE.blend --command occscene voxelize|generate|complete|redraw|detail|import ...`"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from occscene.grid import save_grid
from occscene.placed_layout import load_layout
from occscene.results import BLOCKOUT_FILE, read_result
from occscene.settings import Setting

from ..geometry.layout_boxes import layout_grid
from ..properties.blockout import DOMAINS
from ..properties.results import SURFACE_ITEMS
from ..properties.settings import SETTINGS
from ..scene.grid_files import READ_LABELS, WRITE_ITEMS, WRITE_LABELS
from ..scene.volume import grid_volume
from .generate import TASKS

_COMPOSING = {
    "complete": "furnish the rest of the volume",
    "redraw": "give objects a new place and size, or make them another kind",
    "detail": "give objects parts",
}
_ARGUMENTS = ("task", *SETTINGS, "server", "redraw_as")
"""Options that are the operators' arguments of the same name."""


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
    scene.add_argument(
        "--fit",
        choices=["preset", "tight", "ahead"],
        help="place the volume around the tagged objects, or ahead of the active camera",
    )
    scene.add_argument("--save", metavar="FILE.blend", help="write the file with what was changed to it")

    voxelize = verbs.add_parser("voxelize", parents=[scene], help="write the blockout as a grid file")
    voxelize.add_argument("--output", required=True, metavar="GRID", help=WRITE_LABELS)
    voxelize.add_argument(
        "--format",
        type=str.upper,
        choices=[key for key, _, _ in WRITE_ITEMS],
        help="where the name's end leaves it open",
    )
    voxelize.add_argument(
        "--send-geometry", action=argparse.BooleanOptionalAction, help="write the objects' triangles too, or not"
    )
    voxelize.add_argument("--cameras-output", default="", metavar="CAMERAS.json", help="write the cameras too")
    voxelize.set_defaults(run=_voxelize)

    _add_generate(verbs.add_parser("generate", parents=[scene], help="make views and an occupancy on the server"))

    for verb, does in _COMPOSING.items():
        _add_composing(verbs.add_parser(verb, parents=[scene], help=does), verb)

    importing = verbs.add_parser("import", help="add an occupancy to the file as a mesh, or a layout as a blockout")
    importing.add_argument("grid", metavar="FILE", help=f"{READ_LABELS}; layout.json; the folder of a result")
    importing.add_argument("--domain", choices=[name for name, _, _ in DOMAINS], help="change the scene's domain")
    importing.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classes",
        metavar="KEY=CLASS",
        help="of a color or block of the file",
    )
    importing.add_argument("--surface", type=str.upper, choices=[name for name, _, _ in SURFACE_ITEMS])
    importing.add_argument("--separate", action="store_true", help="an object for each class")
    importing.add_argument("--save", required=True, metavar="FILE.blend")
    importing.set_defaults(run=_import)
    return parser


def _add_generate(generate: argparse.ArgumentParser) -> None:
    """What is not given is the scene's."""
    generate.add_argument("--output", required=True, metavar="FOLDER")
    generate.add_argument(
        "--task", type=str.upper, choices=[name for name, _, _ in TASKS], help="blockout (default), text or images"
    )
    for setting in SETTINGS.values():
        _add_setting(generate, setting)
    generate.add_argument("--server", help="host:port; default: OCCSCENE_SERVER, else the preferences")
    generate.add_argument("--project", action="store_true", help="project the views onto the blockout")
    generate.add_argument("--import", action="store_true", dest="with_mesh", help="import the occupancy as a mesh")
    generate.set_defaults(run=_generate)


def _add_composing(parser: argparse.ArgumentParser, verb: str) -> None:
    """What is not given is the scene's; the file is changed in memory, and written with --save."""
    parser.add_argument("--output", required=True, metavar="FOLDER", help="for layout.json and result.json")
    if verb != "complete":
        parser.add_argument("--objects", required=True, nargs="+", metavar="NAME", help="which objects")
    if verb == "redraw":
        parser.add_argument("--as", dest="redraw_as", metavar="KIND", help="another kind of object, such as armchair")
    for name in ("prompt", "style", "seed"):
        _add_setting(parser, SETTINGS[name])
    parser.add_argument("--server", help="host:port; default: OCCSCENE_SERVER, else the preferences")
    parser.set_defaults(run=_compose, verb=verb)


def _add_setting(parser: argparse.ArgumentParser, setting: Setting) -> None:
    """An option by the setting's name, of which argparse takes any unambiguous beginning, so former names too."""
    flags = [f"--{setting.name.replace('_', '-')}", *filter(None, [setting.short_option])]
    details: dict[str, Any] = {"help": setting.help[0].lower() + setting.help[1:], "dest": setting.name}
    if setting.choices:
        details |= {"type": str.upper, "choices": [choice for choice, _, _ in setting.choices]}
    elif setting.type is not bool:
        details["type"] = setting.type
    elif setting.default:
        details["action"] = argparse.BooleanOptionalAction
    else:
        details |= {"action": "store_const", "const": True}
    parser.add_argument(*flags, **details)


def _prepare(arguments: argparse.Namespace) -> None:
    """Applies the options that voxelize and generate share."""
    if arguments.domain:
        bpy.context.scene.occscene.domain = arguments.domain
    if arguments.guess:
        bpy.ops.occscene.guess_classes()
    if arguments.fit:
        bpy.ops.occscene.fit_volume(mode=arguments.fit.upper())


def _voxelize(arguments: argparse.Namespace) -> None:
    _prepare(arguments)
    given = {} if arguments.send_geometry is None else {"send_geometry": arguments.send_geometry}
    if arguments.format:
        given["file_format"] = arguments.format
    bpy.ops.occscene.voxelize(filepath=arguments.output, cameras_filepath=arguments.cameras_output, **given)
    print(f"{arguments.output}: {bpy.context.window_manager.occscene.grid_summary}")


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The operator's arguments, without those that are left to the scene."""
    return {name: value for name in _ARGUMENTS if (value := getattr(arguments, name, None)) is not None}


def _generate(arguments: argparse.Namespace) -> None:
    _prepare(arguments)
    bpy.ops.occscene.generate(directory=arguments.output, wait=True, **_given(arguments))
    result = bpy.context.scene.occscene.results[-1]
    note = f". {result.message}" if result.message else ""
    print(f"{arguments.output}: {len(result.views)} views and an occupancy in {result.seconds:.1f} s{note}")
    if result.layout_file:
        placed = load_layout(Path(arguments.output) / result.layout_file)
        save_grid(Path(arguments.output) / BLOCKOUT_FILE, layout_grid(placed, grid_volume(bpy.context.scene)))
    if arguments.project:
        bpy.ops.occscene.project_views()
    if arguments.with_mesh:
        bpy.ops.occscene.import_occupancy()


def _compose(arguments: argparse.Namespace) -> None:
    _prepare(arguments)
    objects = getattr(arguments, "objects", [])
    gone = [name for name in objects if name not in bpy.context.view_layer.objects]
    if gone:
        raise RuntimeError(f"--objects: the file has no object {gone[0]!r}")
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in objects)
    run = getattr(bpy.ops.occscene, "add_detail" if arguments.verb == "detail" else arguments.verb)
    run(directory=arguments.output, wait=True, **_given(arguments))
    result = bpy.context.scene.occscene.results[-1]
    print(f"{arguments.output}: {result.message} ({result.seconds:.1f} s)")


def _import(arguments: argparse.Namespace) -> None:
    path = _result_file(Path(arguments.grid))
    if path.suffix == ".json":
        bpy.ops.occscene.import_blockout(filepath=str(path))
        print(f"{arguments.save}: added {len(bpy.context.selected_objects)} boxes")
        return
    if arguments.domain:
        bpy.context.scene.occscene.domain = arguments.domain
    given = {"surface": arguments.surface} if arguments.surface else {}
    given["classes"] = "\n".join(arguments.classes)
    bpy.ops.occscene.import_occupancy(filepath=str(path), separate=arguments.separate, **given)
    print(f"{arguments.save}: added {bpy.context.view_layer.objects.active.name}")


def _result_file(path: Path) -> Path:
    """The occupancy of the result whose folder a path is, or its layout where it has none; else the path itself."""
    if not path.is_dir():
        return path
    try:
        result = read_result(path)
    except (ValueError, OSError) as error:
        raise RuntimeError(str(error)) from error
    file = result.occupancy or result.layout
    if file is None:
        raise RuntimeError(f"{path} has neither an occupancy nor a layout")
    return file

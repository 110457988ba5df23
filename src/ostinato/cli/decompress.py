"""The command ``ostinato decompress``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, screen
from ostinato.cli.standard import came_through_pipe
from ostinato.numbers import counted


def command(
    model: options.Model,
    file: Annotated[Path, typer.Argument(help="A file that compress wrote.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, or the folder for several. Default: the names of the files that were compressed.",
        ),
    ] = None,
    threads: options.CodingThreads = "1",
    as_json: options.Json = False,
) -> None:
    """Restore the files that compress wrote, bit for bit, with the model that compressed them.

    Example: ostinato decompress digits.ost recording.osz -o recording.wav
    """
    from ostinato.cli.render import answer
    from ostinato.compression.originals import read_raw
    from ostinato.compression.verbs import restored
    from ostinato.errors import ConfigError
    from ostinato.model_file import load_model
    from ostinato.storage import atomic_write
    from ostinato.threads import computing

    if output is None and came_through_pipe(file):
        raise ConfigError("no output given, and data from a pipe have no file name", fix="use -o FILE, or -o -")
    screen.doing(f"decompressing {file}")
    with computing(options.threads(threads)):
        found = restored(load_model(model), read_raw(file), str(file))
    # a file without a stored name has the name of the container
    files = {name or file.name.removesuffix(".osz"): parts for name, parts in found.items()}
    several = len(files) > 1 or (output is not None and output.is_dir())
    folder = (output if output is not None else file.parent) if several or output is None else output.parent
    if several and output is not None:
        output.mkdir(parents=True, exist_ok=True)
    targets = {n: folder / Path(n).name if several or output is None else output for n in files}
    for target in targets.values():
        if output is None and target.exists():
            raise ConfigError(f"there is already a file {target}", fix="name another place with --output")
        options.writable(target)
    sizes: dict[str, int] = {}
    for name, parts in files.items():
        sizes[str(targets[name])] = atomic_write(targets[name], parts)
    if as_json:
        answer({"files": [{"file": name, "bytes": size} for name, size in sizes.items()]})
        return
    for name, size in sizes.items():
        print(f"{name}: {counted(size, 'byte')}")

"""The command ``ostinato compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, screen
from ostinato.cli.standard import came_through_pipe
from ostinato.numbers import counted


def command(
    model: options.Model,
    files: Annotated[list[Path], typer.Argument(help="Text files in UTF-8 or WAV files, or one folder of them.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: the name of the first file with .osz added."),
    ] = None,
    threads: options.CodingThreads = "1",
    as_json: options.Json = False,
) -> None:
    """Compress files without loss, to about the bits that score prints. decompress needs the same model.

    Example: ostinato compress digits.ost recording.wav -o recording.osz
    """
    from ostinato.cli.render import answer
    from ostinato.compression.originals import read_raw
    from ostinato.compression.verbs import compressed
    from ostinato.errors import ConfigError
    from ostinato.model_file import load_model
    from ostinato.storage import atomic_write
    from ostinato.threads import computing

    if output is None and came_through_pipe(files[0]):
        raise ConfigError("no output given, and data from a pipe have no file name", fix="use -o FILE.osz, or -o -")
    target = output or files[0].with_name(files[0].name + ".osz")
    options.writable(target)
    paths = [p for one in files for p in (sorted(q for q in one.iterdir() if q.is_file()) if one.is_dir() else [one])]
    names = [p.name for p in paths]
    screen.doing(f"compressing {counted(len(paths), 'file')}")
    if len(set(names)) < len(names) or not names:
        twice = next((n for n in names if names.count(n) > 1), None)
        what = f"two files are called {twice}" if twice else f"there is no file in {files[0]}"
        raise ConfigError(what, fix="give files with different names")
    # the container does not store a name that follows from its own name
    named = [] if names == [target.name.removesuffix(".osz")] else names
    raw = dict(zip(named or [""], map(read_raw, paths), strict=True))
    with computing(options.threads(threads)):
        container = compressed(load_model(model), raw)
        out = atomic_write(target, container.parts())
    size = sum(map(len, raw.values()))
    if out > size:
        screen.say(f"note: {_larger(out, size, container.overhead)}")
    if as_json:
        answer(
            {
                "output": str(target),
                "bytes": out,
                "original_bytes": size,
                "files": len(raw),
                "overhead_bytes": container.overhead,
            }
        )
        return
    what = "names, lengths" if named else "its length"
    print(
        f"{target}: {counted(out, 'byte')} for {counted(size, 'byte')} in {counted(len(raw), 'file')}, "
        f"of which {container.overhead:,} for {what} and checksums"
    )


def _larger(out: int, size: int, overhead: int) -> str:
    """Return why a container is larger than the files in it, and what to do."""
    larger = f"the result is larger than the original by {counted(out - size, 'byte')}"
    if out - overhead <= size:
        return f"{larger}, because {counted(overhead, 'byte')} are names, lengths and checksums"
    return f"{larger}: the model expects other data. Keep the original, or fit a model to data like it"

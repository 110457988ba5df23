"""The command ``ostinato sample``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli import options, screen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ostinato.data.sequences import SequenceSet
    from ostinato.model import SequenceModel


def command(
    model: options.Model,
    length: Annotated[
        int,
        typer.Option(
            "--length",
            "-n",
            help="The largest number of steps of a sequence: characters of a text, samples of a sound.",
        ),
    ] = 200,
    count: Annotated[int, typer.Option("--n-samples", "--count", help="The number of sequences to draw.")] = 1,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What each sequence continues: a text, or for a model of sound or series, a file. A sound is written "
            "together with what continues it."
        ),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(
            help="Below 1 the sequences are more probable, above 1 more varied; 0 takes the most probable symbols."
        ),
    ] = 1.0,
    top_p: Annotated[
        float,
        typer.Option(
            help="Draw each symbol from the fewest of the most probable ones that have this total probability."
        ),
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw each symbol from this many of the most probable ones.")
    ] = None,
    min_p: Annotated[
        float,
        typer.Option(help="Draw only symbols with at least this share of the probability of the most probable one."),
    ] = 0.0,
    stop: Annotated[
        list[str] | None, typer.Option(help="End a text after it has drawn this string. May be given several times.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print one text while it is drawn.")] = False,
    output: options.Output = None,
    seed: options.Seed = 0,
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or int8: draw texts of a network about twice as fast, with weights rounded to 8 bits, which "
            "hardly change how likely a text is."
        ),
    ] = "float32",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw new sequences from a model: text, series as CSV, or sound as WAV, which needs -o.

    Example: ostinato sample names.ost --n-samples 10
    """
    if output:
        options.writable(output)
    from ostinato.inference.sample import sample
    from ostinato.model_file import load_model

    screen.doing(f"reading {model}")
    fitted = load_model(model).likelihood("draw samples")
    _note_unknown(fitted, prompt)
    _note_never(fitted, stop or [])
    _check(fitted.description.kind, count, output, stream=stream, as_json=as_json)
    start = _start(fitted, prompt)
    screen.doing("drawing")
    drawn = sample(
        fitted,
        length,
        n_samples=count,
        prompt=start,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        stop=stop or (),
        seed=seed,
        threads=options.threads(threads),
        device=options.device(device),
        precision=precision,
        on_text=_print_piece if stream else None,
    )
    if stream:
        print()
        return
    _write(drawn, start, fitted, output, as_json=as_json)


def _check(kind: str, count: int, output: Path | None, *, stream: bool, as_json: bool) -> None:
    """Refuse an output that cannot be written, before anything is drawn.

    Raises:
        ConfigError: Two ways to give the result were asked for, or a sound has no file of its own.
    """
    from ostinato.errors import ConfigError

    if stream and output:
        raise ConfigError("--stream prints the text, and -o writes it to a file", fix="remove --stream or -o")
    if stream and as_json:
        raise ConfigError("--stream prints the text piece by piece, and --json one document", fix="remove one of them")
    if kind == "sound" and output is None:
        raise ConfigError("no output given; sound is written to a file", fix="use -o sample.wav")
    if kind == "sound" and count > 1:
        raise ConfigError(f"one sound is written to a file, got --n-samples {count}", fix="use --n-samples 1")


def _start(model: SequenceModel, prompt: str | None) -> str | SequenceSet | None:
    """Return what the sequences continue: the prompt itself for a model of text, otherwise what its file holds.

    Raises:
        ConfigError: There is no such file, or it holds several sequences.
    """
    import os.path

    from ostinato.errors import ConfigError
    from ostinato.forecasting.inputs import as_sequences

    if prompt is None or not model.description.traits.numeric:
        return prompt
    if not os.path.exists(prompt):  # noqa: PTH110 - Path.exists raises an error if the text is too long for a name
        short = prompt if len(prompt) <= 60 else f"{prompt[:60]}..."
        raise ConfigError(
            f"a model of {model.description.kind} continues the data of a file, and there is no file {short!r}",
            fix="give the path of a file as the prompt, or remove --prompt",
        )
    screen.doing(f"reading {prompt}")
    data = as_sequences(model, prompt)
    if len(data) != 1:
        raise ConfigError(
            f"a prompt is one sequence, and {prompt} has {len(data):,}", fix="give a file with one sequence"
        )
    return data


def _write(
    drawn: list[Any], start: str | SequenceSet | None, model: SequenceModel, output: Path | None, *, as_json: bool
) -> None:
    """Write what was drawn to a file or to the screen.

    Args:
        drawn: The texts, or the values of each sequence, (T, D).
        start: What they continue; a sound is written together with it.
        model: The model that drew them.
        output: The file; None for the screen.
        as_json: Whether the screen shows one document.
    """
    import numpy as np

    from ostinato.cli.render import answer, as_csv, as_table, printed
    from ostinato.data.sequences import SequenceSet
    from ostinato.data.sound import as_wav
    from ostinato.storage import atomic_write

    kind = model.description.kind
    match kind:
        case "text":
            content = ("\n".join(drawn) + "\n").encode()
        case "sound":
            whole = drawn[0] if not isinstance(start, SequenceSet) else np.concatenate([start[0], drawn[0]])
            content = as_wav(whole, model.description.source)
        case _:
            frame = as_csv(drawn, model.description.channels)
            if output is None and not as_json:
                printed(frame)
                return
            content = as_table(frame).encode()
    if output:
        atomic_write(output, content)
        screen.say(f"sample: {output}") if as_json else print(f"sample: {output}")
    if as_json:
        answer({"kind": kind, "output": output and str(output), "samples": drawn if kind != "sound" else None})
    elif not output:
        print(content.decode(), end="")


def _print_piece(piece: str) -> None:
    """Print a piece of a text at once."""
    print(piece, end="", flush=True)


def _note_unknown(model: SequenceModel, prompt: str | None) -> None:
    """Say which characters of a prompt the model does not know."""
    from ostinato.data.alphabet import Alphabet

    if prompt is None or not isinstance(model.encoding, Alphabet):
        return
    if unknown := model.encoding.unknown(prompt):
        words = _some(unknown)
        screen.say(f"note: the model does not know {words} of the prompt, and takes each as an unknown character")


def _note_never(model: SequenceModel, stop: list[str]) -> None:
    """Say which strings cannot end a text, because the model draws no such character."""
    from ostinato.data.alphabet import Alphabet

    # a piece of a byte-pair encoding may hold a character that is not a piece by itself
    if not isinstance(model.encoding, Alphabet) or model.encoding.spelling.name == "bpe":
        return
    if never := [one for one in stop if model.encoding.unknown(one)]:
        screen.say(f"note: the model never draws {_some(never)}, so no text ends there")


def _some(words: Sequence[str]) -> str:
    return " ".join(map(repr, words[:5])) + (" ..." if len(words) > 5 else "")

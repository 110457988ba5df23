"""ostinato sample."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import options


def command(
    model: options.Model,
    length: Annotated[
        int, typer.Option("--length", "-n", help="The largest number of steps (characters, samples).")
    ] = 200,
    count: Annotated[int, typer.Option("--n-samples", "--count", help="The number of sequences to draw.")] = 1,
    prompt: Annotated[str | None, typer.Option(help="The text that the sequence continues.")] = None,
    temperature: Annotated[
        float, typer.Option(help="Below 1: more probable samples; above 1: more varied ones.")
    ] = 1.0,
    top_p: Annotated[
        float, typer.Option(help="Draw only from the most probable symbols with this total probability.")
    ] = 1.0,
    output: options.Output = None,
    seed: options.Seed = 0,
    threads: options.Threads = 1,
) -> None:
    """Draw new sequences from a model: text to the screen, series as CSV, sound as WAV (-o).

    Example: ostinato sample names.ost --n-samples 10
    """
    options.use_threads(threads)
    if output:
        options.writable(output)
    from ostinato.cli.render import as_csv
    from ostinato.data.sound import as_wav
    from ostinato.errors import ConfigError
    from ostinato.inference.sample import sample
    from ostinato.model_file import load_model
    from ostinato.storage import atomic_write

    fitted = load_model(model)
    drawn = sample(fitted, length, n_samples=count, prompt=prompt, temperature=temperature, top_p=top_p, seed=seed)
    match fitted.description.kind:
        case "text":
            content = ("\n".join(drawn) + "\n").encode()
        case "sound" if output is None or count > 1:
            raise ConfigError("sound is written to a file, one at a time", fix="use -o sample.wav --n-samples 1")
        case "sound":
            content = as_wav(drawn[0], fitted.description.source)
        case _:
            content = as_csv(drawn, fitted.description.source.get("channels", ["y"]))
    if output:
        atomic_write(output, content)
        print(f"sample: {output}")
    else:
        print(content.decode(), end="")

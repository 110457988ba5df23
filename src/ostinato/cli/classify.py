"""The command ``ostinato classify``, and ``fit --label``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ostinato.cli import options, screen
from ostinato.cli.checkpoint import alone
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.classification.fit import ClassifierFit
    from ostinato.cli.fit_request import FitRequest
    from ostinato.fits.fields import LadderFields


def command(
    model: options.Model,
    data: options.Data,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The CSV file for the probabilities. Default: print them."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="The column of the true class, if its name differs from that of the fit."),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="The rule: bayes or head. Default: the better one, which the fit found."),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(help="P(class): counts (shares of the fit), uniform, or weights such as a=0.2,b=0.8."),
    ] = None,
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Print P(class | sequence) of each sequence, with a classifier from ostinato fit --label COLUMN.

    Example: ostinato classify speakers.ost new-speakers.csv -o classes.csv
    """
    if output:
        options.writable(output)

    from ostinato.classification.verb import classify
    from ostinato.cli.render import answer, as_table, printed
    from ostinato.storage import atomic_write

    screen.doing(f"reading {data}")
    found = classify(
        model,
        data,
        label=label,
        rule=rule,
        prior=prior,
        threads=options.threads(threads),
        device=options.device(device),
    )
    judged = found.judged()
    frame = found.frame()
    if output:
        atomic_write(output, as_table(frame).encode())
    if as_json:
        answer({
            "classes": list(found.classes),
            "rule": found.rule,
            "sequences": frame.to_dicts(),
            "judged": None if judged is None else judged.to_json(),
        })  # fmt: skip
        return
    if output:
        print(f"probabilities: {output}")
    else:
        printed(frame)
    for line in [] if judged is None else judged.words():
        screen.say(line) if output is None else print(line)


#: The parameters of ``ostinato fit`` that a classifier does not use.
UNUSED = frozenset({
    "horizon", "report", "search", "on", "workers", "season", "networks", "lookback", "window", "truncation_window",
    "gradient_checkpoints", "resume", "checkpoint_every", "refit", "precision",
    "future_covariates", "past_covariates", "static_covariates",
})  # fmt: skip


def fit(request: FitRequest, label: str, prior: str, *, as_json: bool) -> None:
    """Fit a classifier, write its file, and print how good it is.

    Args:
        request: The options of ``ostinato fit``.
        label: The column of the class, or an expression for the names of files.
        prior: P(class).
        as_json: Whether the result is printed as JSON.

    Raises:
        ConfigError: The held-out part is a pattern of ids.
    """
    if not isinstance(request.held_out, float):
        raise ConfigError(
            f"a classifier holds out a share of each class, got {request.held_out!r}", fix="give a share such as 0.1"
        )
    options.writable(request.output)
    from ostinato.classification.fit import fit_classifier
    from ostinato.classification.labels import read_labelled
    from ostinato.classification.model import NAMES
    from ostinato.cli.render import answer

    reading: dict[str, Any] = {k: v for k, v in request.reading.items() if v not in (None, (), False)}
    # what belongs to a direct model alone was refused above
    fields: dict[str, Any] = {"seed": request.seed, **request.options.given()}
    screen.doing(f"reading {request.data}")
    read = read_labelled(request.data, label, **reading)

    def said(words: str) -> None:
        if not as_json:
            print(f"class {words}")

    with alone(request.output):
        screen.doing("fitting")
        found = fit_classifier(
            read.data,
            read.labels,
            model=request.model,
            prior=prior,
            budget=request.budget,
            held_out=request.held_out,
            threads=request.threads,
            device=request.device,
            label=label,
            on_class=said,
            **cast("LadderFields", fields),
        )
        found.classifier.save(request.output)
    for note in found.notes:
        screen.say(f"note: {note}")
    if as_json:
        answer(_document(found, request.output))
        return
    for rule, judged in (("bayes", found.bayes), ("head", found.head)):
        if judged is not None:
            print(f"{NAMES[rule]}, held out: {'; '.join(judged.words())}")
    print(f"kept: {NAMES[found.classifier.rule]}, as the better rule")
    print(f"model: {request.output}")


def _document(found: ClassifierFit, path: Path) -> dict[str, Any]:
    """Return what a fit found, as JSON."""
    return {
        "model": str(path),
        "classes": list(found.classifier.classes),
        "prior": found.classifier.prior.tolist(),
        "rule": found.classifier.rule,
        "bayes": found.bayes.to_json(),
        "head": None if found.head is None else found.head.to_json(),
        "notes": list(found.notes),
    }

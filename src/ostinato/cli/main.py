"""The entry point of the command line, and the printing of errors. Each command has its own file."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from ostinato._version import __version__
from ostinato.choices import unknown
from ostinato.cli import (
    backtest,
    classify,
    compress,
    decompress,
    demo,
    diagnose,
    doctor,
    export,
    fit,
    forecast,
    help_page,
    inspect,
    report,
    sample,
    score,
    screen,
    serve,
    stream,
    token,
)
from ostinato.cli.groups import expanded
from ostinato.cli.stopping import Stopped, unwinding
from ostinato.cli.verb import Verb
from ostinato.errors import OstinatoError
from ostinato.wording import for_a_command

#: The exception for options that the parser rejects; newer versions of typer contain their own parser.
_UsageError: Any = typer.BadParameter.__base__


class _Verbs(TyperGroup):
    """The group of all commands, which turns an expected error into a message and an exit code."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of the commands."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        help_page.format_verbs([(name, verb.help or "") for name, verb in named if verb and not verb.hidden], formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first word names.

        Raises:
            ConfigError: No command has this name; the error names the nearest one.
        """
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
            file = os.path.exists(word)  # noqa: PTH110 - pathlib is not needed until a command runs
            otherwise = f"put a command before the file: ostinato forecast {word}" if file else "read ostinato --help"
            raise unknown("command", word, () if file else names, otherwise)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with unwinding():
                result = super().invoke(ctx)
                sys.stdout.flush()  # here, so that a full disk or a closed pipe is handled below
            return result
        except OstinatoError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            complain(OstinatoError("stopped"), shown="stopped")
            raise typer.Exit(error.code if isinstance(error, Stopped) else 130) from error
        except OSError as error:
            raise typer.Exit(_refused(error)) from error
        except (MemoryError, RuntimeError) as error:
            # torch reports memory that the system refuses as a RuntimeError without a class of its own
            if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
                raise
            fix = "give a smaller number or less data, or use a machine with more memory"
            complain(OstinatoError("the memory of this machine is not enough", fix=fix))
            raise typer.Exit(1) from error


def _homeless() -> bool:
    """Return whether the working directory was removed, so that no relative path can be found."""
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same call
    except OSError:
        return True
    return False


def _refused(error: OSError) -> int:
    """Say what the system refused, and return the exit code: 0 if only the reading program, such as head, has ended."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    where: str | None = str(error.filename) if error.filename else "standard output"
    fix = "check the path and its permissions"
    if error.errno is None and not error.filename:  # from the loader of a library, and from no call of the system
        where, fix = None, "install what is missing, or install ostinato and its libraries again"
    elif error.errno == errno.ENOSPC:
        fix = "free space on the disk and run the command again"
    elif error.errno == errno.ENAMETOOLONG:
        fix = "give a shorter name"
    elif error.errno == errno.ENOENT and not error.filename and _homeless():
        where, fix = "the working directory, which was removed", "change to a folder that exists, or give whole paths"
    complain(OstinatoError(error.strerror or str(error), where=where, fix=fix))
    return 1


def complain(error: OstinatoError, shown: str | None = None) -> None:
    """Print an error on standard error: what is wrong, where, and how to correct it; with ``--json`` as JSON too.

    Args:
        error: The error.
        shown: What is printed in the place of its words.
    """
    print(shown or f"error: {error.what}", file=sys.stderr)
    if screen.machine():
        import json

        words = {"error": error.what, "where": error.where, "fix": error.fix}
        with contextlib.suppress(OSError):  # the error may be that the reader of the output has ended
            print(json.dumps(words, ensure_ascii=False, indent=1), flush=True)
    for label, text in (("where", error.where), ("fix", error.fix)):
        if text:
            print(f"  {label}: {text}", file=sys.stderr)


app = typer.Typer(
    cls=_Verbs,
    name="ostinato",
    help="Fit a probability model to a file of sequences, then score, forecast and sample with it.",
    epilog="To start: ostinato forecast data.csv --horizon 12. To keep a model: ostinato fit data.csv -o model.ost",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    fit,
    score,
    classify,
    forecast,
    backtest,
    sample,
    stream,
    serve,
    token,
    compress,
    decompress,
    export,
    inspect,
    diagnose,
    report,
    doctor,
    demo,
):
    app.command(verb.__name__.rsplit(".", 1)[1], cls=Verb)(expanded(verb.command))
app.command("cross-validation", hidden=True, cls=Verb)(expanded(backtest.command))  # the name of Nixtla and sktime


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Fit a probability model to a file of sequences, then score, forecast and sample with it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code: 0, or the code of the error."""
    words = spread(sys.argv[1:] if arguments is None else arguments)
    screen.read_by_program("--json" in words[: words.index("--")] if "--" in words else "--json" in words)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as in "command >&-" and in some services
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the end
    for output in (sys.stdout, sys.stderr):
        _encode_everything(output)
    try:
        with for_a_command():
            code = app(
                args=words,
                prog_name="ostinato",
                standalone_mode=False,
                obj=words,  # fit stores it in the model file
                terminal_width=help_page.width(),
            )
    except _UsageError as error:
        if not words:  # ostinato without a command prints its help
            error.show()
        else:
            complain(_misused(error))
        code = error.exit_code
    except OSError as error:  # from --help and --version, which belong to no command
        code = _refused(error)
    sys.exit(code or 0)


def _encode_everything(output: Any) -> None:
    """Let a stream take every character: in UTF-8, or with escapes where another encoding is asked for.

    A locale such as C would stop at a name in Korean, and UTF-8 at a file name whose bytes are not text.
    """
    if not isinstance(output, io.TextIOWrapper):
        return
    asked = "PYTHONIOENCODING" in os.environ
    output.reconfigure(encoding=None if asked else "utf-8", errors="backslashreplace")


def _misused(error: Any) -> OstinatoError:
    """Return the error about words that no command understands, with the nearest that one does."""
    verb = error.ctx.command_path if error.ctx else "ostinato"
    option = getattr(error, "option_name", None)
    if option and hasattr(error, "possibilities"):
        names = [name for one in error.ctx.command.params for name in one.opts] if error.ctx else []
        others = _verbs_with(option, error.ctx)
        if others:
            *first, last = others
            known = f"{', '.join(first)} and {last}" if first else last
            return OstinatoError(f"unknown option '{option}'", fix=f"it is an option of {known}; read {verb} --help")
        return unknown("option", option, names, f"read {verb} --help")
    return _misread(error, verb) or OstinatoError(error.format_message(), fix=f"read {verb} --help")


#: What a number must be, by the kind of the fault that pydantic names.
_NUMBERS = {
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "less_than_equal": "at most {le}",
    "greater_than_equal": "at least {ge}",
}


def _misread(error: Any, verb: str) -> OstinatoError | None:
    """Return the error about a value that is not the number that an option takes; None for every other error."""
    faults = getattr(error.__cause__ or error.__context__, "errors", None)
    fault = faults(include_url=False)[0] if faults and getattr(error, "param", None) else {}
    if fault.get("type") not in _NUMBERS:
        return None
    option, value = error.param.opts[0], str(fault["input"])
    expected = _NUMBERS[fault["type"]].format(**fault.get("ctx", {}))
    several = option == "--level" and re.search(r"\d[,; ]", value)
    fix = f"{'write several levels as --level 80 95; ' if several else ''}read {verb} --help"
    return OstinatoError(f"{option} must be {expected}, got {value!r}", fix=fix)


def _verbs_with(option: str, context: Any) -> list[str]:
    """Return the other commands that take a long option, as they are listed."""
    if not option.startswith("--") or context is None or context.parent is None:
        return []
    verbs = context.parent.command.commands.items()
    return [name for name, verb in verbs if not verb.hidden and any(option in one.opts for one in verb.params)]


#: Options that take a list of values, with the pattern of one value.
_LISTS = {"--level": r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?|nan|inf"} | {
    f"--{name}": r"[^-].*"
    for name in ("future-covariates", "known", "past-covariates", "past", "static-covariates", "static")
}


def spread(arguments: list[str]) -> list[str]:
    """Return the arguments with ``--level 80 95`` written as ``--level 80 --level 95``, the form that typer reads."""
    out: list[str] = []
    inside = ""
    for argument in arguments:
        is_value = bool(inside) and re.fullmatch(_LISTS[inside], argument) is not None
        if is_value and out[-1] != inside:
            out.append(inside)
        inside = argument if argument in _LISTS else inside if is_value else ""
        out.append(argument)
    return out

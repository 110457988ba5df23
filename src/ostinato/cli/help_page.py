"""The help of a command: its everyday options in groups, and the names of the others, which ``--help-all`` explains."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import Any, Final

import typer

#: The groups whose options ``--help`` names without an explanation.
FOLDED: Final = ("Reading files", "Advanced", "Cluster and threads")
_GENERAL: Final = "General"
_ORDER: Final = ("Data", "Model", "Budget", _GENERAL, "Output", *FOLDED)
_NAMES: Final = 24  # columns for the names of options; a longer one has its help on the next line
_NARROW: Final = 52  # a terminal of fewer columns has less room than the parser thinks
#: The option that explains every option.
EVERYTHING: Final = "--help-all"


def width() -> int | None:
    """Return the columns of the help on a narrow terminal, where the parser would write 50; None for its own choice."""
    columns = shutil.get_terminal_size().columns
    return max(columns - 2, 20) if columns < _NARROW else None


def format_options(options: list[Any], ctx: Any, formatter: Any, *, everything: bool) -> None:
    """Write the options by group; of a folded group only the names, unless everything is wanted.

    Args:
        options: The parameters of the command.
        ctx: The context of the parser.
        formatter: The formatter of the parser.
        everything: Whether ``--help-all`` was given.
    """
    groups: dict[str, list[Any]] = {}
    for option in options:
        if option.get_help_record(ctx) is not None:
            groups.setdefault(_group(option), []).append(option)
    folded = [] if everything else [group for group in FOLDED if group in groups]
    if folded and len(groups.get(_GENERAL, ())) == 1:  # the option --help alone, which the last heading names
        groups.pop(_GENERAL)
    for group in sorted(groups, key=_place):
        if group not in folded:
            with formatter.section(typer.style(group, bold=True)):
                rows = [_row(option, ctx) for option in groups[group]]
                formatter.write_dl(rows, col_max=min(_NAMES, formatter.width // 3))
    if folded:
        with formatter.section(typer.style("More options", bold=True) + f", explained by {EVERYTHING}"):
            for group in folded:
                words = f"{group}: " + " ".join(option.opts[0] for option in groups[group])
                for line in textwrap.wrap(words, formatter.width - 4, break_on_hyphens=False, subsequent_indent="  "):
                    formatter.write(f"  {line}\n")


def folds(options: list[Any]) -> bool:
    """Return whether some of the options are in a folded group."""
    return any(_group(option) in FOLDED for option in options)


def format_verbs(verbs: list[tuple[str, str]], formatter: Any) -> None:
    """Write the names of the commands with the whole first paragraph of their help.

    Args:
        verbs: The name and the help of each command.
        formatter: The formatter of the parser.
    """
    with formatter.section(typer.style("Commands", bold=True)):
        formatter.write_dl([(name, " ".join(words.split("\n\n")[0].split())) for name, words in verbs])


def _wrapped(words: str, width: int) -> str:
    """Return a list of names in lines, in which no name is broken at a hyphen."""
    wrapper = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return wrapper.fill(words) + "\n"


def _row(option: Any, ctx: Any) -> tuple[str, str]:
    """Return what stands on the left and on the right: the short and the first long name of an option, and its help."""
    names, help_text = option.get_help_record(ctx)
    if option.param_type_name == "argument" or option.is_flag:
        return names, help_text
    long = next((name for name in option.opts if name.startswith("--")), "")
    short = [name for name in option.opts if not name.startswith("--")]
    value = re.search(r"(<[^<>]*>|[A-Z][A-Z_]*)$", names)  # the placeholder of the value: <int>, or INTEGER
    shape = re.sub(r"list\[(\w+)\]", r"\1", value[0]) if value else ""
    return f"{', '.join([*short, long])} {shape}".rstrip(), help_text


def _group(option: Any) -> str:
    """Return the heading under which a parameter stands."""
    if option.param_type_name == "argument":
        return "Data"
    return getattr(option, "rich_help_panel", None) or _GENERAL


def _place(group: str) -> int:
    """Return the place of a group on the page."""
    return _ORDER.index(group) if group in _ORDER else _ORDER.index(_GENERAL)

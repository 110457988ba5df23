"""What every command shares: the help that fits a screen, and the sign that it is at work."""

from __future__ import annotations

import os
from typing import Any

from typer.core import TyperCommand

from ostinato.cli import absent, help_page, overwrite, screen, standard


class Verb(TyperCommand):
    """A command whose ``--help`` fits a screen, and which never waits without a sign."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        """Return the names of the option that prints the help."""
        return [*super().get_help_option_names(ctx), *([help_page.EVERYTHING] if help_page.folds(self.params) else [])]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options by group; of a folded group only the names, unless ``--help-all`` was given."""
        everything = help_page.EVERYTHING in (ctx.find_root().obj or ())
        help_page.format_options(self.get_params(ctx), ctx, formatter, everything=everything)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with a sign on the terminal whenever it is silent for a while.

        Raises:
            ConfigError: A file to write is one of the files to read, or two results are to be written to one file.
            ModelFileError, DataError: A file to read is not there.
            FileNotFoundError: The working directory was removed. oneMKL, which torch computes with, would end the
                process without a word about it.
        """
        os.getcwd()  # noqa: PTH109 - pathlib is not needed until a command runs
        arguments = [p.name for p in self.params if p.param_type_name == "argument" and p.name]
        with screen.sign("starting"), standard.streams(ctx.params, arguments):
            overwrite.watch(ctx.params, arguments)
            absent.refuse(ctx.params, arguments)
            return super().invoke(ctx)

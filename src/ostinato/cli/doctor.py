"""The command ``ostinato doctor``."""

from __future__ import annotations

import os


def command() -> None:
    """Print which implementation of each network computes on this machine, and why it was chosen.

    Example: OSTINATO_ISA=avx2 ostinato doctor
    """
    import torch

    from ostinato._version import __version__
    from ostinato.ops.engine import extension
    from ostinato.ops.selection import IMPLEMENTATIONS, VARIABLE, explain

    print(f"ostinato {__version__}, torch {torch.__version__}, {os.cpu_count()} processors")
    if extension.ABSENT:
        print(f"engine: none. {extension.ABSENT}")
        print("  to use it: install a C++17 compiler (gcc or clang), then install ostinato again from its source")
    else:
        print(f"engine: {extension.set_in_use()}, of {', '.join(extension.sets())} that this processor can run")
    for variable in (extension.VARIABLE, VARIABLE):
        print(f"{variable}: {os.environ.get(variable, 'not set')}")
    for cell in IMPLEMENTATIONS:
        print(explain(cell))

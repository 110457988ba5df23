"""``python -m ostinato``, and the start of the command ``ostinato``."""

from __future__ import annotations

import atexit
import gc
import signal


def main() -> None:
    """Run the command line.

    While modules are loaded and words are parsed there is nothing to clean up. So a signal then ends the process at
    once. Python would print a traceback through the module that is being read, and the parser would end in silence.
    From the start of a command on, ``unwinding`` handles signals.

    At the end Python looks for cycles among all objects, of which torch has half a million. This took most of a second
    after the result was printed. The memory goes back to the system anyway, so the objects are left out of the search.
    """
    atexit.register(gc.freeze)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in a job that ignores SIGINT
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ostinato.cli.main import main as run

    run()


if __name__ == "__main__":
    main()

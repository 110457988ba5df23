"""``python -m ostinato``, and the start of the command ``ostinato``."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line.

    Until its modules are loaded there is nothing to clean up, so a signal ends the process at once and in silence;
    Python would print a traceback through whatever module was being read.
    """
    patient = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in a job that ignores SIGINT
    if patient:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ostinato.cli.main import main as run

    if patient:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()

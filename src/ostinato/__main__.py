"""``python -m ostinato``, and the start of the command ``ostinato``."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line.

    While modules are loaded there is nothing to clean up. So a signal then ends the process at once, without the
    traceback that Python would print through the module that was being read.
    """
    patient = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # false in a job that ignores SIGINT
    if patient:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ostinato.cli.main import main as run

    if patient:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()

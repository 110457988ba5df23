"""A command ends soon after its result: Python does not look for cycles among all that torch has made."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000))  # runs last
sys.argv = ["ostinato", "--version"]
from ostinato.__main__ import main
main()
"""


def test_the_objects_of_a_command_are_left_out_of_the_search_for_cycles_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True True"

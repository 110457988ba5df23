"""The environment variables that force a choice of the code that computes."""

from __future__ import annotations

from typing import Final

#: Forces an implementation, for example "reference", for every cell.
IMPLEMENTATION: Final = "OSTINATO_IMPLEMENTATION"

#: Forces an instruction set of the compiled engine: one of the names that ``ops.engine.extension.sets`` returns.
INSTRUCTION_SET: Final = "OSTINATO_ISA"

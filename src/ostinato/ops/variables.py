"""The environment variables that force a choice of the code that computes."""

from __future__ import annotations

from typing import Final

#: Forces an implementation, for example "reference", for every cell.
IMPLEMENTATION: Final = "OSTINATO_IMPLEMENTATION"

#: Forces an instruction set of the compiled engine: one of the names that ``ops.engine.extension.sets`` returns.
INSTRUCTION_SET: Final = "OSTINATO_ISA"

#: 0 switches our kernels for GPUs off; 1 tries them on cards too on which they were not checked.
GPU_KERNELS: Final = "OSTINATO_GPU_KERNELS"

"""The part of the engine that lossless files are written by: its range coder, its coder of samples, its exponential.

All of them give the same bits on every machine (csrc/range.h, csrc/sound.h and csrc/filter.h).
"""

from __future__ import annotations

from ostinato.ops.engine import extension

try:
    from ostinato.ops.engine._engine import RangeDecoder, RangeEncoder, SoundCoder, portable_exp
except ImportError:
    ABSENT: str | None = extension.ABSENT or "the compiled engine is older than the package"
else:
    ABSENT = None

__all__ = ["ABSENT", "RangeDecoder", "RangeEncoder", "SoundCoder", "portable_exp"]

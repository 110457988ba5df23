"""The kernels for GPUs as NVRTC compiles them: registers, spills and shared memory, without a card.

NVRTC comes with the wheel nvidia-cuda-nvrtc. The source checks at compile time that the launch gives the shared memory
and the arguments that the kernels use, so a variant that compiles agrees with its contract.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from ostinato.ops.cuda import binaries, compiler
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import Variant
from ostinato.storage import cache_path

try:
    compiler.library()
except UnavailableError as error:
    pytest.skip(str(error), allow_module_level=True)

HOPPER = "sm_90"
#: The registers of a multiprocessor, and the shared memory that a block may have.
REGISTERS, SHARED = 65536, 227 * 1024


def resources(binary: bytes) -> dict[str, tuple[int, int, int]]:
    """Return the registers, the bytes of the stack and the fixed shared memory of each function of a binary (ELF)."""
    (offset,) = struct.unpack_from("<Q", binary, 40)
    size, count, names_index = struct.unpack_from("<HHH", binary, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", binary, offset + i * size) for i in range(count)]

    def text(start: int) -> str:
        return binary[start : binary.index(b"\0", start)].decode()

    names = [text(sections[names_index][4] + s[0]) for s in sections]
    by_name = dict(zip(names, sections, strict=True))
    symbols, strings = by_name[".symtab"], by_name[".strtab"]
    functions = [
        text(strings[4] + struct.unpack_from("<I", binary, symbols[4] + 24 * i)[0]) for i in range(symbols[5] // 24)
    ]
    registers: dict[str, int] = {}
    stack: dict[str, int] = {}
    start, length = by_name[".nv.info"][4:6]
    at = start
    while at < start + length:
        form, kind, wide = struct.unpack_from("<BBH", binary, at)
        if kind in {0x11, 0x2F}:  # EIATTR_FRAME_SIZE and EIATTR_REGCOUNT: a symbol, and its number
            symbol, number = struct.unpack_from("<II", binary, at + 4)
            (stack if kind == 0x11 else registers)[functions[symbol]] = number
        at += 4 + (wide if form == 4 else 0)
    found = {}
    for function, number in registers.items():
        shared = by_name.get(f".nv.shared.{function}")
        found[function] = number, stack.get(function, 0), shared[5] if shared else 0
    return found


CASES = [
    ("rnn_relu", 64, torch.float32, 1),
    ("gru", 100, torch.float32, 256),
    ("gru", 512, torch.float32, 1),
    ("gru_before", 64, torch.float32, 1),
    ("lstm", 7, torch.float32, 1),
    ("lstm", 64, torch.bfloat16, 1),
    ("lstm", 512, torch.float32, 1),
    ("lstm", 128, torch.float16, 1),
]


@pytest.mark.parametrize(("cell", "hidden", "dtype", "rows"), CASES, ids=str)
def test_a_variant_fits_into_a_multiprocessor_and_spills_nothing(
    cell: str, hidden: int, dtype: torch.dtype, rows: int
) -> None:
    variant = Variant.of(cell, hidden, dtype, rows)
    found = resources(compiler.compiled("recurrence.cu", variant.definitions, HOPPER))
    assert set(found) == {"run", "run_and_save", "differentiate"}
    for name, (registers, stack, fixed) in found.items():
        assert 32 <= registers <= 255
        assert registers * variant.threads <= REGISTERS
        assert stack <= 32, f"{name} spills"
        assert fixed + variant.shared(backward=name == "differentiate") <= SHARED


@pytest.mark.parametrize("paired", [0, 1])
def test_the_diagonal_recurrence_compiles_for_cards_before_hopper_too(paired: int) -> None:
    for architecture in ("sm_80", HOPPER):
        found = resources(compiler.compiled("linear.cu", {"COMPLEX": paired}, architecture))
        assert set(found) == {"linear_forward", "linear_backward"}
        assert all(registers <= 128 and not stack for registers, stack, _ in found.values())


def test_a_launch_that_gives_too_little_shared_memory_does_not_compile() -> None:
    wrong = Variant.of("gru", 64, torch.bfloat16).definitions
    wrong["SHARED_BACKWARD"] = int(str(wrong["SHARED_BACKWARD"])) - 16
    with pytest.raises(UnavailableError, match="the launch gives the shared memory"):
        compiler.compiled("recurrence.cu", wrong, HOPPER)


def test_a_binary_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = binaries.binary("linear.cu", {"COMPLEX": 0}, HOPPER)
    (file,) = cache_path("kernels").iterdir()
    assert file.read_bytes() == made
    monkeypatch.setattr(binaries, "compiled", lambda *_: pytest.fail("compiled again"))
    assert binaries.binary("linear.cu", {"COMPLEX": 0}, HOPPER) == made
    # an empty file, as a full disk leaves it, counts as none
    file.write_bytes(b"")
    monkeypatch.setattr(binaries, "compiled", lambda *_: b"\x7fELF again")
    assert binaries.binary("linear.cu", {"COMPLEX": 0}, HOPPER) == b"\x7fELF again"
    assert file.read_bytes() == b"\x7fELF again"
    assert list(cache_path("kernels").iterdir()) == [file]

"""NVRTC, the compiler that torch's CUDA wheels bring: from the sources in this folder to a binary for one GPU."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any


class UnavailableError(Exception):
    """The kernels cannot run on this machine; the message says why."""


def source(name: str) -> str:
    """Return the text of a source of this package, for example "recurrence.cu"."""
    return files("ostinato.ops.cuda").joinpath(name).read_text(encoding="utf-8")


@cache
def library() -> ctypes.CDLL:
    """Return NVRTC: the one that torch has loaded, that of the wheel nvidia-cuda-nvrtc, or that of a toolkit.

    Raises:
        UnavailableError: There is none.
    """
    tried = []
    for name in _candidates():
        try:
            path = Path(name)
            if path.is_absolute():
                # NVRTC opens this file by its name alone, and finds it if it is loaded already
                for builtins in sorted(path.parent.glob("libnvrtc-builtins.so*")):
                    ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(name)
        except OSError as error:
            tried.append(f"{name}: {error}")
    raise UnavailableError("NVRTC, the compiler of CUDA, was not found: install the wheel nvidia-cuda-nvrtc")


def _candidates() -> Iterator[str]:
    """Yield the names and paths under which NVRTC may be found, those of torch's major version first."""
    import torch

    major = (torch.version.cuda or "13").split(".", maxsplit=1)[0]
    folders = [Path(folder) / "nvidia" for folder in sys.path if folder]
    for version in dict.fromkeys((major, "13", "12")):
        for folder in folders:
            for pattern in (f"cu{version}/lib/libnvrtc.so.{version}", f"cuda_nvrtc/lib/libnvrtc.so.{version}"):
                if (folder / pattern).is_file():
                    yield str(folder / pattern)
        yield f"libnvrtc.so.{version}"
    yield "libnvrtc.so"


@cache
def version() -> tuple[int, int]:
    """Return the version of NVRTC."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compiled(name: str, definitions: Mapping[str, Any], architecture: str) -> bytes:
    """Compile a source for one architecture.

    Args:
        name: The source, for example "recurrence.cu".
        definitions: The macros that it is compiled with.
        architecture: The architecture of the GPU, for example "sm_90".

    Returns:
        The binary, which the driver can load.

    Raises:
        UnavailableError: There is no compiler, or it refuses the source; the message holds its first lines.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    text = source(name).encode()
    options = [f"--gpu-architecture={architecture}", "--std=c++17", *(f"-D{k}={v}" for k, v in definitions.items())]
    given = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, name.encode(), 0, None, None), "create a program")
    try:
        failed = nvrtc.nvrtcCompileProgram(program, len(options), given)
        if failed:
            log = _read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode(errors="replace")
            log = log.strip("\0 \n")[:500]
            raise UnavailableError(f"NVRTC {version()} refuses {name} for {architecture}: {log}")
        return _read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _read(size_of: Any, get: Any, program: ctypes.c_void_p) -> bytes:
    """Return what a pair of functions of NVRTC gives: the size of something, and the thing itself."""
    size = ctypes.c_size_t()
    _check(size_of(program, ctypes.byref(size)), "read a size")
    buffer = ctypes.create_string_buffer(size.value)
    _check(get(program, buffer), "read a result")
    return buffer.raw


def _check(code: int, what: str) -> None:
    """Raise UnavailableError if NVRTC returned an error."""
    if code:
        raise UnavailableError(f"NVRTC could not {what}: error {code}")

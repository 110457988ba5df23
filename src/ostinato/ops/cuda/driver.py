"""The driver of CUDA, by ctypes: it loads a binary, and launches its functions on the stream that torch uses."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from ostinato.numbers import counted
from ostinato.ops.cuda.compiler import UnavailableError

_SHARED, _NON_PORTABLE = 8, 14  # CU_FUNC_ATTRIBUTE_...: the most shared memory, and clusters of more than 8 blocks


@cache
def library() -> ctypes.CDLL:
    """Return the driver.

    Raises:
        UnavailableError: There is no driver.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise UnavailableError(f"the driver of CUDA was not found: {error}") from error
    pointer, number = ctypes.c_void_p, ctypes.c_uint
    cuda.cuLaunchKernel.argtypes = [pointer, *[number] * 7, pointer, pointer, pointer]
    cuda.cuCtxSetCurrent.argtypes = [pointer]
    return cuda


def _check(code: int, what: str) -> None:
    """Raise UnavailableError if the driver returned an error."""
    if code:
        text = ctypes.c_char_p()
        library().cuGetErrorString(code, ctypes.byref(text))
        raise UnavailableError(f"CUDA could not {what}: {(text.value or b'').decode()} (error {code})")


@cache
def context(device: int) -> int:
    """Return the context of a device, the one that torch uses."""
    handle, made = ctypes.c_int(), ctypes.c_void_p()
    _check(library().cuInit(0), "start")
    _check(library().cuDeviceGet(ctypes.byref(handle), device), f"find device {device}")
    _check(library().cuDevicePrimaryCtxRetain(ctypes.byref(made), handle), f"use device {device}")
    return made.value or 0


class Binary:
    """The functions of a binary on one device.

    Args:
        image: The binary.
        device: The number of the device.

    Raises:
        UnavailableError: The driver refuses the binary.
    """

    def __init__(self, image: bytes, device: int) -> None:
        self._context, self._module = context(device), ctypes.c_void_p()
        self._image = image  # the driver may read it later
        _check(library().cuCtxSetCurrent(self._context), f"use device {device}")
        _check(library().cuModuleLoadData(ctypes.byref(self._module), image), "load a kernel")
        self._launch, self._enter = library().cuLaunchKernel, library().cuCtxSetCurrent

    def function(self, name: str, shared: int) -> int:
        """Return the handle of a function that may use this much shared memory, in bytes.

        Raises:
            UnavailableError: The binary has no such function, or the GPU has less shared memory.
        """
        found = ctypes.c_void_p()
        _check(library().cuModuleGetFunction(ctypes.byref(found), self._module, name.encode()), f"find {name}")
        _check(
            library().cuFuncSetAttribute(found, _SHARED, shared),
            f"give {counted(shared, 'byte')} of shared memory to {name}",
        )
        _check(library().cuFuncSetAttribute(found, _NON_PORTABLE, 1), f"allow large clusters to {name}")
        return found.value or 0

    def launch(self, function: int, blocks: int, threads: int, shared: int, stream: int, arguments: bytes) -> None:
        """Launch a function on a stream. The call returns at once, and can be captured in a CUDA graph.

        Args:
            function: The handle of the function.
            blocks: The number of blocks.
            threads: The threads of a block.
            shared: The shared memory of a block, in bytes.
            stream: The handle of the stream.
            arguments: The one argument of the function, a structure, as bytes.

        Raises:
            UnavailableError: The driver refuses the launch.
        """
        parameters: Any = (ctypes.c_char_p * 1)(arguments)
        # the thread of a backward pass may not have entered the context yet
        self._enter(self._context)
        code = self._launch(function, blocks, 1, 1, threads, 1, 1, shared, stream, parameters, None)
        if code:
            _check(code, "launch a kernel")

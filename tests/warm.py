"""The command ``ostinato`` as a process that starts in a tenth of the time: forked from one that has loaded everything.

Loading PyTorch, polars and SciPy takes two seconds of a processor, and tests start dozens of commands. ``programs`` is
a folder with a small program ``ostinato``. It hands its words, folder, environment and standard streams to a server,
which forks; it ends as the fork ends, and the fork is killed if the program is. The program ``python`` does so for a
file of Python and for ``-m``. Tests of the start, of what a command loads, of Ctrl-C and of streams that refuse what is
written start a Python of their own.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
import weakref
from functools import cache
from pathlib import Path

from strict import STRICT

#: What verbs and scripts load. None of it starts a thread or computes as it is loaded: a fork is as good as a start.
MODULES = [
    *("ostinato.cli.main", "ostinato.dispatch.fit", "ostinato.dispatch.forecast", "ostinato.evaluation.backtest"),
    *("ostinato.inference.sample", "ostinato.inference.score", "ostinato.inference.stream", "ostinato.report.page"),
    *("ostinato.cli.render", "safetensors.torch"),
    "torch._dynamo",  # which torch's optimisers load, and the training by several processes
]
#: What is loaded besides, if it is there: that by which typer makes values of words, and what a server needs.
MORE = [
    *("typer._adapters", "ostinato.serve.run", "ostinato.serve.store_sqlite"),
    *("uvicorn", "uvicorn.protocols.http.auto", "msgspec"),
]
#: Variables that are read by what is loaded: with other values than the server's, a Python of its own is started.
_READ_EARLY = ("CUDA", "LANG", "LC_", "MKL_", "OMP_", "OPENBLAS_", "OSTINATO_", "POLARS_", "PYTHON", "TORCH")
#: Those of them that torchrun sets, which are read when the processes join, and that torch itself sets.
_READ_LATE = ("TORCHELASTIC_", "TORCH_NCCL_", "TORCHINDUCTOR_CACHE_DIR")
#: A number of threads, which torch reads as it is loaded, and verbs read whenever they compute.
_THREADS = "OMP_NUM_THREADS"

#: The network that a process has, and what setns is asked for: a fork enters that of its program.
NETWORK, _ENTER = "/proc/self/ns/net", 0x40000000

_CLIENT = """#!{python} -IS
import _socket, array, os, signal
import json
words = {before} + __import__("sys").argv[1:]
if words[0] != "-m" and words[0][0] == "-":
    os.execv({python!r}, {cold!r} + words)
server = _socket.socket(_socket.AF_UNIX)
server.connect({path!r})
request = json.dumps([words, os.getcwd(), dict(os.environ), os.readlink({network!r})]).encode()
head, streams = len(request).to_bytes(8, "big"), array.array("i", [0, 1, 2, os.open({network!r}, os.O_RDONLY)])
server.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
while request:
    request = request[server.send(request):]
pid = int.from_bytes(server.recv(8), "big")
if not pid:
    os.execv({python!r}, {cold!r} + words)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
for stream in (0, 1, 2):
    os.close(stream)
status = int.from_bytes(server.recv(8), "big")
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.WEXITSTATUS(status))
"""

_COLD = """#!{python} -IS
import os, sys
os.execv({python!r}, {cold!r} + {before} + sys.argv[1:])
"""


@cache
def programs() -> Path:
    """Return the folder of the programs. Their server ends with this process, whose end of a pipe it watches."""
    made = tempfile.TemporaryDirectory(prefix="warm")
    path, watched, held = str(Path(made.name) / "server"), *os.pipe()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(16)
        words = [*STRICT, __file__, str(listening.fileno()), str(watched)]
        # elsewhere the libraries of the system may not be used after a fork: each program starts a Python of its own
        if sys.platform == "linux":
            _kept.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=(listening.fileno(), watched)))
    os.close(watched)
    _kept.extend((made, held))
    for name, before in (("ostinato", ["-m", "ostinato"]), ("python", [])):
        program = Path(made.name) / name
        text = _CLIENT if sys.platform == "linux" else _COLD
        program.write_text(text.format(python=sys.executable, path=path, before=before, cold=STRICT, network=NETWORK))
        program.chmod(0o755)
    return Path(made.name)


#: What lives as long as this process.
_kept: list[object] = []


def early(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables of _READ_EARLY that a fork cannot heed: it writes UTF-8 and sets torch's threads itself."""
    found = {k: v for k, v in environment.items() if k.startswith(_READ_EARLY) and not k.startswith(_READ_LATE)}
    return {k: v for k, v in found.items() if (k, v) != ("PYTHONUTF8", "1") and not (k == _THREADS and v.isdigit())}


def restore(began: dict[str, str]) -> None:
    """Take back the changes of the variables that make a command start a Python of its own.

    Args:
        began: The variables of ``early`` before the changes.
    """
    for name in early(dict(os.environ)).keys() - began.keys():
        del os.environ[name]
    os.environ.update(began)


def _whole(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := connection.recv(size - len(parts))):
        parts += part
    return bytes(parts)


def _fork() -> int:
    with warnings.catch_warnings():  # of Python 3.12 on, about the threads of BLAS, which ends them before a fork
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _serve(listening: socket.socket, watched: int, began: dict[str, str]) -> list[str] | None:
    """Fork for each request; return its words in the fork, and None in the server when the tests have ended.

    ``began`` are the early variables with which the server began: what it loads may set more.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets the processes that attend
    while True:
        ready, _, _ = select.select([listening.fileno(), watched], [], [])
        if watched in ready:
            return None
        connection = listening.accept()[0]
        if not _fork():
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            words = _attend(connection, began)
            os.close(watched)
            return words
        connection.close()


def _entered(network: str, number: int) -> bool:
    """Enter the network of a program, of which ``number`` is open, unless this is it; return whether we are there."""
    there = network == str(Path(NETWORK).readlink()) or not ctypes.CDLL(None).setns(number, _ENTER)
    os.close(number)
    return there


def _attend(connection: socket.socket, began: dict[str, str]) -> list[str]:
    """Read a request and fork once more: one process waits and tells the status, the other returns the words."""
    head, given, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(16))
    streams = array.array("i", given[0][2])
    words, here, environment, network = json.loads(_whole(connection, int.from_bytes(head, "big")))
    if early(environment) != began or not _entered(network, streams.pop()):
        connection.sendall(bytes(8))
        os._exit(0)
    if pid := _fork():
        with contextlib.suppress(OSError):  # the program may have been killed by now
            connection.sendall(pid.to_bytes(8, "big"))
        for stream in streams:
            os.close(stream)
        child = os.pidfd_open(pid)
        if connection.fileno() in select.select([connection.fileno(), child], [], [])[0]:  # the program was killed
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        with contextlib.suppress(OSError):
            connection.sendall(status.to_bytes(8, "big"))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    if (count := environment.get(_THREADS, "")).isdigit():
        import torch

        torch.set_num_threads(int(count))
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, encoding="utf-8", closefd=False),  # noqa: SIM115 - they stay open to the end
        _writer(1, through, "strict"),
        _writer(2, through, "backslashreplace"),
    )
    return list(words)


def _writer(number: int, through: bool, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    lines = number == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors, line_buffering=lines, write_through=through)


def _run(words: list[str]) -> None:
    """Run a module or a file, and end as Python ends, but let the system free the memory.

    Python would go through all objects of the libraries once more, and copy the memory that they are in. What fails, or
    cannot be written, takes Python's own way.
    """
    code = 0
    try:
        if words[0] == "-m":
            sys.argv, sys.path[0] = words[1:], str(Path.cwd())
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = words, str(Path(words[0]).resolve().parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        code = end.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code & 255)


if __name__ == "__main__":
    variables = early(dict(os.environ))
    for name in MODULES:
        __import__(name)
    for name in MORE:
        with contextlib.suppress(ImportError):
            __import__(name)
    for left in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        left.atexit = False  # what the libraries would undo at the end, for which the end of the process is enough
    gc.collect()
    gc.freeze()  # a fork that went through all objects would copy the memory that they are in
    with socket.socket(fileno=int(sys.argv[1])) as given:
        asked = _serve(given, int(sys.argv[2]), variables)
    if asked is not None:
        _run(asked)

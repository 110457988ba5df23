"""Our kernels for GPUs on a real card: their errors against float64 and their times, compared with cuDNN.

    python benchmarks/gpu.py            # compile, check and time everything, under 150 seconds
    python benchmarks/gpu.py check rows modules    # the errors, ragged rows, and ostinato.nn against torch.nn
    python benchmarks/gpu.py time linear           # the times

Errors are relative norms of the difference from torch.nn in float64 (from our reference, for the cells that torch does
not have), of the outputs and of every gradient. Times are medians of milliseconds for forward and backward together, of
calls as they are (eager) and captured in a CUDA graph, which takes the time of the host out of both sides.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import ostinato.nn
from ostinato.errors import ConfigError
from ostinato.ops.cuda import linear as linear_kernels
from ostinato.ops.cuda.binaries import binary
from ostinato.ops.cuda.contract import CELLS, TYPES, Variant
from ostinato.ops.cuda.unroll import unroll as typed_unroll
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference
from ostinato.ops.engine.places import Places
from ostinato.ops.linear import reference as linear_reference
from ostinato.ops.linear import scan
from ostinato.ops.weights import Weights

DEVICE = "cuda"
unroll: Any = typed_unroll
BF16, FP32, FP16 = torch.bfloat16, torch.float32, torch.float16
NAMES = {BF16: "bf16", FP32: "fp32", FP16: "fp16"}
#: The rows of the table: T, B, D and H.
SHAPES = (
    (1024, 32, 64, 64),
    (1024, 32, 128, 128),
    (256, 64, 256, 256),
    (512, 16, 512, 512),
    (512, 256, 128, 128),
    (4096, 1, 64, 64),
)
CHECKED = ((48, 21, 24, 64), (400, 9, 24, 128), (32, 21, 24, 256), (32, 21, 24, 512), (40, 19, 5, 7), (40, 19, 24, 100))
HIDDEN = (7, 64, 100, 128, 256, 512)


def compile_one(cell: str, hidden: int, dtype: torch.dtype, architecture: str) -> None:
    """Compile one variant into the cache on disk."""
    binary("recurrence.cu", Variant.of(cell, hidden, dtype).definitions, architecture)


def compile_linear(paired: int, architecture: str) -> None:
    """Compile the diagonal recurrence into the cache on disk."""
    binary("linear.cu", {"COMPLEX": paired}, architecture)


def compile_all() -> None:
    """Compile every variant, as many at a time as there are processors."""
    major, minor = torch.cuda.get_device_capability()
    started, name = time.perf_counter(), f"sm_{major}{minor}"
    context = torch.multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        jobs = [pool.submit(compile_one, c, u, d, name) for u in reversed(HIDDEN) for c in CELLS for d in TYPES]
        jobs += [pool.submit(compile_linear, paired, name) for paired in (0, 1)]
        for job in jobs:
            job.result()
    print(f"{len(jobs)} kernels ready after {time.perf_counter() - started:.1f} s", flush=True)


# ------------------------------------------------------------------------------------------------------------ errors
def module(cell: str, D: int, H: int, dtype: torch.dtype) -> nn.RNNBase | None:
    """Return the network of torch.nn with this cell, or None if torch does not have it."""
    kind: Any = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}.get(cell)
    if kind is None:
        return None
    options = {"nonlinearity": cell.removeprefix("rnn_")} if cell.startswith("rnn") else {}
    made: nn.RNNBase = kind(D, H, **options).to(DEVICE, dtype)
    return made


def by_torch(cell: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return y, h_n and c_n by torch.nn, or by our reference for a cell that it does not have."""
    x, h0, *others = tensors
    c0 = others.pop(0) if cell == "lstm" else None
    made = module(cell, x.shape[-1], h0.shape[-1], x.dtype)
    if made is None:
        w_ih, w_hh, b_ih, b_hh = others
        return list(by_reference(Call(cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh)))
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    state: Any = h0[None] if c0 is None else (h0[None], c0[None])
    y, last = torch.func.functional_call(made, dict(zip(names, others, strict=True)), (x, state))
    return [y, *(s[0] for s in (last if isinstance(last, tuple) else (last,)))]


def by_kernels(cell: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return y, h_n and c_n by our kernels."""
    x, h0, *others = tensors
    state = (h0, others.pop(0)) if cell == "lstm" else (h0,)
    found = unroll(cell, x, state, Weights(*others))
    if found is None:
        raise ConfigError("the kernels did not run", fix="see the warning above")
    return [found[0], *found[1]]


def tensors_of(cell: str, shape: Sequence[int], dtype: torch.dtype, draw: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Return random x, states and weights of a call, and gradients of its results, in float64 with values of dtype."""
    (T, B, D, H), form = shape, CELLS[cell]
    g = torch.Generator(device=DEVICE).manual_seed(sum(shape) + 1000 * draw)

    def make(*size: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*size, generator=g, device=DEVICE) * scale).to(dtype).double()

    k = 0.6 / H**0.5
    states = [make(B, H) for _ in range(1 + form.cell_state)]
    weights = [make(form.gates * H, s, scale=k) for s in (D, H)] + [make(form.gates * H, scale=k) for _ in range(2)]
    return [make(T, B, D), *states, *weights], [make(T, B, H), *(make(B, H) for _ in states)]


def errors(cell: str, shape: Sequence[int], dtype: torch.dtype, draw: int = 0) -> dict[str, tuple[float, float]]:
    """Return the relative error of each result and gradient, by our kernels and by torch."""
    given, directions = tensors_of(cell, shape, dtype, draw)

    def results(run: Callable[..., list[Tensor]], kind: torch.dtype) -> list[Tensor]:
        leaves = [t.to(kind).requires_grad_() for t in given]
        found = run(cell, leaves)
        return found + list(torch.autograd.grad(found, leaves, [d.to(kind) for d in directions]))

    exact, ours, torchs = results(by_torch, torch.float64), results(by_kernels, dtype), results(by_torch, dtype)
    again = results(by_kernels, dtype)
    if not all(torch.equal(a, b) for a, b in zip(ours, again, strict=True)):
        print(f"NOT DETERMINISTIC: {cell} {shape} {NAMES[dtype]}", flush=True)
    two = ("c_n",) if cell == "lstm" else ()
    names = ["y", "h_n", *two, "dx", "dh0", *(["dc0"] if two else []), "dw_ih", "dw_hh", "db_ih", "db_hh"]

    def relative(t: Tensor, e: Tensor) -> float:
        return float((t.detach().double() - e.detach()).norm() / e.detach().norm())

    return {n: (relative(o, e), relative(t, e)) for n, e, o, t in zip(names, exact, ours, torchs, strict=True)}


def mean_errors(cell: str, shape: Sequence[int], dtype: torch.dtype) -> dict[str, tuple[float, float]]:
    """Return the mean errors of several draws for relu, and those of one draw for the other cells.

    Where relu turns a number near 0 the other way than float64 does, a gradient is wholly kept or wholly lost. Which
    numbers those are is chance: in one draw, the errors of two good kernels differ by factors of .04 to 50.
    """
    found = [errors(cell, shape, dtype, draw) for draw in range(9 if CELLS[cell].unbounded else 1)]
    return {n: (statistics.fmean(f[n][0] for f in found), statistics.fmean(f[n][1] for f in found)) for n in found[0]}


def check(cells: Sequence[str]) -> None:
    """Print the errors of all cells, types and sizes."""
    print("\nrelative errors against float64, ours/torch; worst: the largest ratio of a tensor")
    for cell in cells:
        for dtype in TYPES:
            for shape in CHECKED:
                found = mean_errors(cell, shape, dtype)
                worst = max(found, key=lambda n: found[n][0] / max(found[n][1], 1e-12))
                ratio = found[worst][0] / max(found[worst][1], 1e-12)
                text = " ".join(f"{n} {a:.1e}/{b:.1e}" for n, (a, b) in found.items())
                print(f"{cell:10} {NAMES[dtype]} {shape!s:18} worst {ratio:5.2f} ({worst}) {text}", flush=True)


def check_rows() -> None:
    """Print the largest difference between ragged rows and each row on its own, by the kernels."""
    print("\nragged rows against the same rows one by one (the largest difference of y and dx)")
    g = torch.Generator().manual_seed(4)
    lengths = torch.randint(0, 60, (27,), generator=g)
    for cell in CELLS:
        for dtype in (BF16, FP32):
            given, _ = tensors_of(cell, (60, 27, 8, 64), dtype)
            x, *others = (t.to(dtype) for t in given)
            x = x.requires_grad_()
            states = 1 + CELLS[cell].cell_state
            state, weights = tuple(others[:states]), Weights(*others[states:])
            for reverse in (False, True):
                found: Any = unroll(cell, x, state, weights, Places(lengths, reverse=reverse))
                y, last = found
                (dx,) = torch.autograd.grad(y.float().square().sum() + last[0].float().sum(), x)
                most = 0.0
                for b in (0, 5, 11, 26):
                    n = int(lengths[b])
                    if n == 0:
                        most = max(most, float((last[0][b] - state[0][b]).detach().abs().max()))
                        continue
                    one = x.detach()[:n, b : b + 1].contiguous().requires_grad_()
                    alone: Any = unroll(
                        cell,
                        one,
                        tuple(s[b : b + 1] for s in state),
                        weights,
                        Places(reverse=reverse),
                    )
                    (d_one,) = torch.autograd.grad(alone[0].float().square().sum() + alone[1][0].float().sum(), one)
                    most = max(
                        most,
                        *(float(t.detach().abs().max()) for t in (y[:n, b] - alone[0][:, 0], dx[:n, b] - d_one[:, 0])),
                    )
                    most = max(
                        most,
                        *(float(t.detach().abs().max()) for t in (y[n:, b : b + 1], dx[n:, b : b + 1]) if t.numel()),
                    )
                print(f"{cell:10} {NAMES[dtype]} {'reversed' if reverse else 'forward':8} {most:.1e}", flush=True)


# ------------------------------------------------------------------------------------------------------------- times
def median(run: Callable[[], Any], repeats: int = 5) -> float:
    """Return the median of milliseconds of a call, after two calls to warm up."""
    for _ in range(2):
        run()
    torch.cuda.synchronize()
    found = []
    for _ in range(repeats):
        a: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        b: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        a.record()
        run()
        b.record()
        b.synchronize()
        found.append(a.elapsed_time(b))
    return float(statistics.median(found))


def captured(run: Callable[[], Any]) -> Callable[[], Any]:
    """Return the replay of a call that was captured in a CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def step(run: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Callable[[], None]:
    """Return a training step: forward, and backward of the sum of the outputs."""

    def do() -> None:
        for t in leaves:
            t.grad = None
        run().sum().backward()  # type: ignore[no-untyped-call]

    return do


def pair(run: Callable[[], None]) -> tuple[float, float]:
    """Return the milliseconds of a step, eager and in a CUDA graph, NaN if it cannot be captured."""
    eager = median(run)
    try:
        return eager, median(captured(run))
    except RuntimeError as error:
        print(f"  no graph: {str(error)[:100]}", flush=True)
        torch.cuda.synchronize()
        return eager, float("nan")


def line(name: str, ours: tuple[float, float], theirs: tuple[float, float]) -> str:
    """Return a row of the table."""
    ratios = " / ".join(f"{b / a:5.1f}" for a, b in zip(ours, theirs, strict=True))
    return f"{name:42} {theirs[0]:8.2f} / {theirs[1]:6.2f}   {ours[0]:7.2f} / {ours[1]:5.2f}   {ratios}"


def kernel_run(cell: str, x: Tensor, m: Any, places: Places) -> Callable[[], Tensor]:
    """Return a call of the kernels with the weights of a module."""
    weights = Weights(m.weight_ih_l0, m.weight_hh_l0, m.bias_ih_l0, m.bias_hh_l0)
    H = m.weight_hh_l0.shape[1]
    rows = x.shape[1] if places.lengths is None else len(places.lengths)

    def run() -> Tensor:
        zero = x.new_zeros(rows, H)
        found: Any = unroll(cell, x, (zero, zero) if cell == "lstm" else (zero,), weights, places)
        return found[0]  # type: ignore[no-any-return]

    return run


def torch_run(m: Any, x: Tensor, sizes: Tensor | None = None) -> Callable[[], Tensor]:
    """Return a call of a network of torch.nn, on packed inputs if the sizes of their steps are given."""

    def run() -> Tensor:
        y: Any = m(x if sizes is None else PackedSequence(x, sizes))[0]
        found: Tensor = y if sizes is None else y.data
        return found

    return run


def reference_run(x: Tensor, zero: Tensor, weights: Any) -> Callable[[], Tensor]:
    """Return a call of the GRU with the reset before the product, in operators of torch."""

    def run() -> Tensor:
        return by_reference(Call("gru_before", x, zero, None, *weights))[0]

    return run


def times(cells: Sequence[str]) -> list[str]:
    """Return the rows of the table of padded batches."""
    table = []
    for cell in cells:
        for dtype in (BF16, FP32):
            for T, B, D, H in SHAPES:
                torch.manual_seed(0)
                m: Any = module(cell, D, H, dtype)
                x = torch.randn(T, B, D, device=DEVICE, dtype=dtype).requires_grad_()
                leaves = [x, *m.parameters()]
                theirs = pair(step(torch_run(m, x), leaves))
                ours = pair(step(kernel_run(cell, x, m, Places()), leaves))
                table.append(line(f"{NAMES[dtype]} {cell} {(T, B, D, H)}", ours, theirs))
                print(table[-1], flush=True)
    return table


def times_of_rows() -> list[str]:
    """Return the rows of the table of packed batches, and of the cells that torch does not have."""
    table = []
    lengths = torch.linspace(1, 1000, 32).long().flip(0)
    for cell in ("lstm", "gru"):
        for dtype in (BF16, FP32):
            m: Any = module(cell, 64, 64, dtype)
            padded = torch.randn(1000, 32, 64, device=DEVICE, dtype=dtype)
            packed = pack_padded_sequence(padded, lengths)
            x = packed.data.detach().requires_grad_()
            leaves = [x, *m.parameters()]
            sizes = packed.batch_sizes
            slow = median(step(torch_run(m, x, sizes), leaves))
            run = kernel_run(cell, x, m, Places.packed(sizes))
            fast, nan = median(step(run, leaves)), float("nan")
            table.append(line(f"{NAMES[dtype]} {cell} packed 1..1000, B=32, H=64", (fast, nan), (slow, nan)))
            print(table[-1], flush=True)
    for dtype in (BF16, FP32):
        T, B, D, H = 256, 64, 256, 256
        m = module("gru", D, H, dtype)
        x = torch.randn(T, B, D, device=DEVICE, dtype=dtype).requires_grad_()
        leaves = [x, *m.parameters()]
        weights = m.weight_ih_l0, m.weight_hh_l0, m.bias_ih_l0, m.bias_hh_l0
        zero = x.new_zeros(B, H)
        theirs = pair(step(reference_run(x, zero, weights), leaves))
        ours = pair(step(kernel_run("gru_before", x, m, Places()), leaves))
        table.append(line(f"{NAMES[dtype]} gru reset before {(T, B, D, H)}", ours, theirs))
        print(table[-1], flush=True)
    return table


def times_of_linear() -> list[str]:
    """Return the rows of the table of the diagonal recurrence; the bytes are those of five passes over memory."""
    table = []
    for (T, B, H), kind in (
        ((1024, 64, 512), torch.complex64),
        ((1024, 32, 128), torch.complex64),
        ((1024, 64, 512), FP32),
    ):
        g = torch.Generator(device=DEVICE).manual_seed(0)
        u = torch.randn(T, B, H, dtype=kind, device=DEVICE, generator=g).requires_grad_()
        a = (torch.randn(H, dtype=kind, device=DEVICE, generator=g) * 0.4).requires_grad_()
        h0 = torch.zeros(B, H, dtype=kind, device=DEVICE).requires_grad_()
        d = torch.randn(T, B, H, dtype=kind, device=DEVICE, generator=g)
        few = [u.detach()[:200, :4], h0.detach()[:4], a.detach()]
        wide = [t.to(torch.complex128 if kind.is_complex else torch.float64) for t in few]
        exact = linear_reference.unroll(wide[0], (wide[1],), wide[2])[0]
        found: Any = linear_kernels.unroll(few[0].contiguous(), (few[1],), few[2], None)
        error = float((found[0] - exact).abs().max() / exact.abs().max())
        theirs, ours = (pair(linear_step(f, u, h0, a, d)) for f in (scan.unroll, linear_kernels.unroll))
        passes = 5 * u.numel() * u.element_size() / ours[1] / 1e9
        table.append(line(f"{str(kind).removeprefix('torch.')} diagonal {(T, B, H)}, torch: scan", ours, theirs))
        print(f"{table[-1]}  {passes:.2f} TB/s, error {error:.0e}", flush=True)
    return table


def linear_step(run: Callable[..., Any], u: Tensor, h0: Tensor, a: Tensor, d: Tensor) -> Callable[[], None]:
    """Return a training step of the diagonal recurrence, given the gradient of its outputs."""

    def do() -> None:
        for t in (u, h0, a):
            t.grad = None
        run(u, (h0,), a, None)[0].backward(d)

    return do


# ----------------------------------------------------------------------------------------------------------- modules
def check_modules() -> None:
    """Print the largest difference of ostinato.nn from torch.nn on the card, over forms of calls."""
    print("\nostinato.nn against torch.nn, the relative difference of outputs and gradients")
    forms: dict[str, dict[str, Any]] = {
        "one layer": {},
        "two layers, both directions, batch first": {"num_layers": 2, "bidirectional": True, "batch_first": True},
        "no bias": {"bias": False},
    }
    lengths = torch.tensor([9, 4, 17, 1, 12, 17, 3, 8, 5, 20, 2])
    for kind in ("RNN", "GRU", "LSTM"):
        for name, options in forms.items():
            for dtype, packed, autocast in (
                (FP32, False, False),
                (FP32, True, False),
                (BF16, True, False),
                (FP32, False, True),
            ):
                torch.manual_seed(1)
                theirs = getattr(nn, kind)(6, 70, **options).to(DEVICE, dtype)
                ours = getattr(ostinato.nn, kind)(6, 70, **options).to(DEVICE, dtype)
                ours.load_state_dict(theirs.state_dict())
                x = torch.randn(20, 11, 6, device=DEVICE, dtype=dtype)
                first = options.get("batch_first", False)
                x = (x.transpose(0, 1) if first else x).requires_grad_()
                found = []
                for m in (theirs, ours):
                    given: Any = pack_padded_sequence(x, lengths, first, enforce_sorted=False) if packed else x
                    with torch.autocast("cuda", BF16, enabled=autocast):
                        y, last = m(given)
                    y = y.data if packed else y
                    ends = last if isinstance(last, tuple) else (last,)
                    loss = y.float().square().sum() + sum(s.float().sum() for s in ends)
                    grads = torch.autograd.grad(loss, [x, *m.parameters()])
                    found.append([y, *ends, *grads])
                worst = max(
                    float((b.float() - a.float()).norm() / a.float().norm()) for a, b in zip(*found, strict=True)
                )
                word = "packed" if packed else "autocast" if autocast else "padded"
                print(f"{kind:4} {NAMES[dtype]} {word:8} {name:42} {worst:.1e}", flush=True)


PARTS = ("compile", "check", "rows", "modules", "time", "linear")


def main(arguments: Sequence[str]) -> None:
    """Run the parts that are named, or all."""
    started = time.perf_counter()
    parts = [a for a in arguments if a in PARTS] or PARTS
    cells = [a for a in arguments if a in CELLS]
    version = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {version}")
    compile_all()
    if "check" in parts:
        check(cells or list(CELLS))
    if "rows" in parts:
        check_rows()
    if "modules" in parts:
        check_modules()
    table = []
    if "time" in parts:
        # the clocks of an idle card rise over some milliseconds
        q = torch.randn(4096, 4096, device=DEVICE, dtype=BF16)
        for _ in range(300):
            q @ q
        table += times(cells or ["lstm", "gru", "rnn_tanh"])
        table += times_of_rows()
    if "linear" in parts:
        table += times_of_linear()
    if table:
        print("\nmilliseconds, forward and backward           torch eager / graph    ours eager / graph  ratio")
        print("\n".join(table))
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    # torch.func.functional_call, which gives cuDNN other weights, makes it warn that they are in pieces
    warnings.filterwarnings("ignore", message="RNN module weights")
    main(sys.argv[1:])

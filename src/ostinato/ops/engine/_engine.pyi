"""The compiled engine (csrc/bindings.cpp).

Tensors and arrays cross the border as addresses, 0 for None. The engine checks neither shapes nor types: the caller
does. Only the functions about layers read tensors themselves. Functions that end in 32 compute in float32, those that
end in 64 in float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# The rows B, the steps T, the places (rows of x), the inputs D, the hidden units H, the width P of h, and reverse.
Sizes = tuple[int, int, int, int, int, int, bool]
# The addresses of lengths (B,), base (T,) and column (B,), all int64: see csrc/plan.h.
Places = tuple[int, int, int]
# The addresses of w_ih, w_hh, b_ih, b_hh and w_hr, or of their gradients.
Five = tuple[int, int, int, int, int]

def sets() -> list[str]:
    """Return the instruction sets that this processor can run, the best first."""

def set_in_use() -> str:
    """Return the name of the instruction set in use."""

def use_set(name: str) -> None:
    """Use an instruction set for all calls from now on.

    Raises:
        ValueError: The engine does not have this set, or the processor cannot run it.
    """

def cells() -> list[tuple[str, int, int, bool]]:
    """Return every cell as (its name, its gates, the tensors in its state, whether it takes w_hr)."""

def saved_size(cell: str, bits: int, hidden: int) -> tuple[int, int]:
    """Return (head, width): the buffer ``saved`` has head + width (places + B + 1) numbers for any number of threads.

    Args:
        cell: The name of the cell.
        bits: The size of a number in bits, 32 or 64.
        hidden: The number of hidden units, H.
    """

def use_torch(table: Any, module: Any, pooled: Any, large: int, threads: tuple[Any, Any]) -> None:
    """Look up what the functions about layers need of torch.

    Args:
        table: The capsule of DLPack's C functions for tensors, or None before torch 2.10: attributes are read instead.
        module: The module torch.
        pooled: The function that makes large tensors.
        large: The count of numbers from which a tensor is large.
        threads: The dispatch keys of a plain thread, outside and inside of inference mode.
    """

def keys_of_thread() -> tuple[int, int] | None:
    """Return the dispatch keys that torch includes and excludes in this thread: bits unlike the usual ones.

    Returns:
        None if torch's library does not have them where it is known to keep them.
    """

def read_keys(included: int, excluded: int) -> None:
    """Let ``gate`` read the keys of the thread rather than ask torch for them, which takes longer.

    Args:
        included: The first of ``keys_of_thread`` in inference mode.
        excluded: The second.
    """

def gate(tensors: tuple[Tensor | None, ...], layout: tuple[Tensor | None, ...]) -> int:
    """Return 0 unless kernels may take the addresses of these tensors, 2 if autograd must see the call, else 1."""

def listed(parameters: object, names: object, references: object) -> bool:
    """Return whether the parameters of a network are those that torch.nn has listed: the same names, the same tensors.

    Args:
        parameters: The parameters of the network by their names.
        names: The names that torch.nn has listed.
        references: The weak reference that torch.nn keeps of each of them, or None for a weight that was never there.

    Returns:
        False too if one of them is not a dict and two lists: then the network is not as torch.nn makes it.
    """

class Pass:
    """What backward needs of a forward pass of a layer: its form, y and the numbers that it saved, for one use."""

    @property
    def form(self) -> Any:
        """The form of the layer."""

    def same_tensors(self, tensors: tuple[Tensor | None, ...]) -> bool:
        """Return whether the tensors are those of the forward pass: the same memory in the same form."""

    def same_forms(self, tensors: tuple[Tensor | None, ...]) -> bool:
        """Return whether the tensors have the shapes and types of those of the forward pass."""

    def backward(
        self,
        tensors: tuple[Tensor | None, ...],
        output_gradients: tuple[Tensor | None, ...],
        needed: tuple[bool, ...],
        checks: bool,
    ) -> tuple[Tensor | None, ...] | None:
        """Return the gradient of each tensor, and None for the form; None alone if this pass cannot give them.

        Args:
            tensors: The tensors of the layer.
            output_gradients: The gradients of y, h_n and c_n, None for zero.
            needed: For each tensor whether its gradient is needed.
            checks: Whether to return None too if the thread or the gradients are not plain, or a tensor was moved.
        """

def layer_forward(
    form: tuple[Any, ...], tensors: tuple[Tensor | None, ...], threads: int, save: bool
) -> tuple[Tensor, Tensor, Tensor | None, Pass | None] | None:
    """Run a layer; None if a tensor is not as the kernels need it.

    Args:
        form: The form of the layer: see ops/engine/layer.py.
        tensors: x, h0 and c0, and w_ih, w_hh, b_ih, b_hh and w_hr of each direction; None for those it does not have.
        threads: The most threads that it may take.
        save: Whether to keep what backward needs.

    Returns:
        y, h_n, c_n, None for a cell of one state, and the pass, None without save.

    Raises:
        ValueError: A length or a place lies outside of x, or the cell is unknown.
    """

def grid_of(cell: str, bits: int, sizes: Sizes, threads: int) -> tuple[int, int, bool]:
    """Return how a call is shared by at most ``threads`` threads, by the cost model in csrc/plan.cpp.

    Returns:
        The parts that the rows are dealt out to, the threads of the team of each part, and whether a team shares the
        columns of each step too.
    """

def force_grid(parts: int, team: int) -> None:
    """Share every call in this way, as far as its threads suffice: for tests and benchmarks.

    Args:
        parts: The parts that the rows are dealt out to; 0 to go by the cost model again.
        team: The threads that share the columns of each part.
    """

def use_openmp(parallel: int, rank: int, size: int, most: int, inside: int, watched: bool) -> None:
    """Compute on the threads of an OpenMP library from now on; all 0: on those of the engine alone.

    Args:
        parallel: The address of its function GOMP_parallel, as the four others: see csrc/openmp.h.
        rank: omp_get_thread_num.
        size: omp_get_num_threads.
        most: omp_get_max_threads.
        inside: omp_in_parallel.
        watched: Whether calls take the threads only while others use them.
    """

def has_openmp(count: int) -> bool:
    """Return whether a call of this thread can have so many threads of the OpenMP library."""

def peak(loops: int) -> float:
    """Multiply and add float32 numbers in registers for a number of rounds, and return the number of operations."""

def empty32(count: int) -> NDArray[np.float32]:
    """Return an uninitialised buffer from the pool, (count,). It goes back to the pool with its last reference."""

def empty64(count: int) -> NDArray[np.float64]:
    """Return an uninitialised buffer from the pool, (count,). It goes back to the pool with its last reference."""

class Buffer:
    """An uninitialised buffer of ``count`` bytes from the pool, to which it goes back with the object."""

    def __init__(self, count: int) -> None: ...
    @property
    def address(self) -> int:
        """The address of the first byte."""

def release_memory() -> int:
    """Return all free buffers of the pool to the operating system, and return their size in bytes."""

class Step32:
    """A cell that steps some rows in float32, with weights that are packed once; for one thread at a time."""

    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int, weights: Five, rows: int) -> None: ...
    def __call__(self, x: int, h: int, c: int, h_next: int, c_next: int) -> None: ...

class Step64:
    """A cell that steps some rows in float64, with weights that are packed once; for one thread at a time."""

    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int, weights: Five, rows: int) -> None: ...
    def __call__(self, x: int, h: int, c: int, h_next: int, c_next: int) -> None: ...

def write(
    layers: list[tuple[str, int, int, bool, tuple[int, int, int, int], int, int]],
    head: tuple[int, int, int],
    table: tuple[int, int],
    choice: tuple[float, float, float, int],
    rules: tuple[int, int, int, int],
    rows: int,
    texts: list[int],
    steps: tuple[int, int, int],
    u: int,
    out: int,
    threads: int,
) -> int:
    """Draw the next symbols of texts, and return how many steps were made; see csrc/write.h.

    Args:
        layers: For each layer, the lowest first: the cell, the units H, the inputs D (0 if ``table`` holds the
            products), whether the layer above reads the sum of input and output; the addresses of the recurrent weights
            in 8 bits, of their scales (G H), of the panel in float32 and of the bias (G H), 0 for those that it has
            not; and the addresses of the panel of the inputs and of its bias (G H).
        head: The symbols V, and the addresses of the panel and the constant (V).
        table: Its width and its address, (V + 1, D) or (V + 1, G H).
        choice: The temperature, top_p, min_p, and top_k, 0 for all.
        rules: The places S, and the addresses of allowed (S, V), after (S, V) and needed (S).
        rows: The texts B.
        texts: The addresses of the last symbols (B), the places (B), the ends (B), and of h and c (B, H) of each layer;
            0 for no c.
        steps: The steps T, the symbols that a text may still have, and the symbol that ends it, or -1.
        u: The address of uniform numbers, (T, B).
        out: The address of the symbols, (T, B).
        threads: The most threads, with separate rows.
    """

def light_pack(gates: int, hidden: int, depth: int, weights: int, panel: int) -> None:
    """Pack float32 weights (G H, D) into a panel (H / V, D, G, V) of so many whole blocks; all are addresses."""

def light_inputs(rows: int, depth: int, gates: int, hidden: int, panel: int, bias: int, x: int, out: int) -> None:
    """Write W x + bias (B, G H) of x (B, D), by the panel of W; all but the sizes are addresses."""

def light_pairs(hidden: int) -> int:
    """Return the pairs of h that the weights of 8 bits are laid out for."""

def light_lanes(cell: str) -> int:
    """Return the lanes V that the weights of a cell are laid out for; 0 if no texts are drawn by it."""

# forward and backward raise ValueError if a length is not 0 to T, or if a place is not a row of x.
def forward32(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    threads: int,
    x: int,
    h0: int,
    c0: int,
    y: int,
    h_n: int,
    c_n: int,
    saved: int,
) -> None: ...
def forward64(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    threads: int,
    x: int,
    h0: int,
    c0: int,
    y: int,
    h_n: int,
    c_n: int,
    saved: int,
) -> None: ...
def backward32(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    x: int,
    h0: int,
    c0: int,
    y: int,
    saved: int,
    dy: int,
    dh_n: int,
    dc_n: int,
    dx: int,
    dh0: int,
    dc0: int,
    gradients: Five,
) -> None: ...
def backward64(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    x: int,
    h0: int,
    c0: int,
    y: int,
    saved: int,
    dy: int,
    dh_n: int,
    dc_n: int,
    dx: int,
    dh0: int,
    dc0: int,
    gradients: Five,
) -> None: ...

# The sizes of the diagonal linear recurrence: the rows B, the steps T, the numbers of a row (a complex number counts as
# two), and whether the numbers are complex.
LinearSizes = tuple[int, int, int, bool]

def linear_forward32(
    sizes: LinearSizes, lengths: int, threads: int, a: int, u: int, h0: int, y: int, h_n: int
) -> None: ...
def linear_forward64(
    sizes: LinearSizes, lengths: int, threads: int, a: int, u: int, h0: int, y: int, h_n: int
) -> None: ...
def linear_backward32(
    sizes: LinearSizes,
    lengths: int,
    threads: int,
    a: int,
    h0: int,
    y: int,
    dy: int,
    dh_n: int,
    du: int,
    dh0: int,
    da: int,
) -> None: ...
def linear_backward64(
    sizes: LinearSizes,
    lengths: int,
    threads: int,
    a: int,
    h0: int,
    y: int,
    dy: int,
    dh_n: int,
    du: int,
    dh0: int,
    da: int,
) -> None: ...
def smoothing(
    sizes: tuple[int, int, int, int, int],
    threads: int,
    y: int,
    series: int,
    lengths: int,
    floor: int,
    theta: int,
    log_likelihood: int,
    gradient: int,
    mean: int,
    last: int,
) -> None:
    """Unroll exponential smoothing: see ``Smoothing`` in csrc/engine.h.

    Args:
        sizes: The rows B, the steps T, the seasons m of a state, the error (0 additive, 1 multiplicative), and the
            season (0 none, 1 additive, 2 multiplicative).
        threads: The number of threads that may be used.
        y: The series, (S, T), float64.
        series: The series of each row, (B,), int64.
        lengths: The steps of each row, (B,), int64.
        floor: What is added to the mean squared error, (B,), float64.
        theta: The parameters, (B, 6 + m), float64.
        log_likelihood: Written, (B,).
        gradient: Written, (B, 6 + m), or 0.
        mean: Written, (B, T), or 0.
        last: Written, (B, 2 + m), or 0.
    """

def counts(
    sizes: tuple[int, int, int, int],
    tree: list[int],
    state: list[tuple[int, int]],
    lengths: int,
    x: int,
    network: int,
    out: int,
    nats: int,
) -> None:
    """Unroll adaptive counts in place; see ops/counts/reference.py.

    Args:
        sizes: The rows B, the steps T, the symbols V and the slots S.
        tree: The addresses of the arrays of the tree and of the letters.
        state: The address of each tensor of the state, and the bytes from one row to the next.
        lengths: The steps of each row, (B,), int64; 0 for T.
        x: The symbols, (T, B), int64.
        network: The log probabilities of the network, (T, B, V), float32; 0 for none.
        out: The log probabilities of the next symbols, (T, B, V), float32; 0 for none.
        nats: The log probabilities that the symbols had been predicted with, (T, B), float64; 0 for none.
    """

def filters(
    sizes: tuple[int, int, int, int, int, int, int, bool],
    counts: int,
    rates: int,
    x: int,
    lengths: int,
    rate: int,
    memory: int,
    predicted: int,
) -> None:
    """Move adaptive filters on: see ``filter_unroll`` in csrc/filter.h, and ``ops.filter.form.Form`` for the names.

    Args:
        sizes: The rows B, the steps T, the channels D, the numbers of least squares, of the cascade, of running scales
            and of lags of other channels, and whether the values lie on a lattice.
        counts: The orders and the taps, int64.
        rates: The forgetting, the rates of the cascade, the decays, share, stack_forget, prior, unit, scale, wide and
            width, float64.
        x: The values, (T, B, D), float64.
        lengths: The steps of each row, (B,), int64, or 0.
        rate: 1 for a row that learns, 0 for one that remembers, (B,), float32.
        memory: Changed in place, (B, D, N), float64.
        predicted: Written, (T + 1, B, D, W), float64.
    """

def filter_step(
    sizes: tuple[int, int, int, int, int, bool],
    counts: int,
    rates: int,
    x: int,
    rate: int,
    memory: int,
    predicted: int,
    unit: float,
    low: float,
    high: float,
    means: int,
) -> float:
    """Return -log P of the values of one step, write their means, and move one row on; see ``filter_nats``.

    Args:
        sizes: The channels D, the numbers of least squares, of the cascade, of scales and of lags of other channels,
            and whether the values lie on a lattice.
        counts: As for ``filters``.
        rates: As for ``filters``.
        x: The values, (D,), float64.
        rate: 1 to learn and 0 to remember, (1,), float32.
        memory: Changed in place, (D, N).
        predicted: What was predicted of this step; replaced by what is predicted of the next, (D, W).
        unit: The spacing of the values in model space, or 0.
        low: The least value of the lattice.
        high: The greatest value of the lattice.
        means: Written, (D,).
    """

class RangeEncoder:
    """A range coder that writes; see csrc/range.h."""

    def __init__(self) -> None: ...
    def encode(self, rows: int, n: int, p: int, symbols: int) -> None:
        """Code a symbol of each row: p (rows, n), float64, and symbols (rows,), int64.

        Raises:
            ValueError: The numbers of a row have no sum.
        """

    def number(self, size: int, number: int) -> None:
        """Code a number below size."""

    def words(self) -> list[int]:
        """Return the words that a decoder needs."""

    def place(self) -> tuple[int, int, int]:
        """Return the number of words before the last, and the start and the width of the interval."""

class RangeDecoder:
    """A range coder that reads what an encoder wrote."""

    def __init__(self, words: Sequence[int]) -> None: ...
    def decode(self, rows: int, n: int, p: int, symbols: int) -> None:
        """Write the next symbols (rows,), int64, by p (rows, n), float64.

        Raises:
            ValueError: The numbers of a row have no sum, or no encoder wrote the words.
        """

    def number(self, size: int) -> int:
        """Return the next number below size."""

class SoundCoder:
    """The coder of samples; see csrc/sound.h.

    Args:
        place: Whether it decodes, the symbols of a block and of a segment, and the digest and the symbols of the open
            block, and all symbols before.
        encoder: The encoder that it goes on with.
        decoder: The decoder that it goes on with.
        segments: The words of the segments after the open one.
    """

    def __init__(
        self,
        place: tuple[bool, int, int, int, int, int],
        encoder: RangeEncoder,
        decoder: RangeDecoder,
        segments: Sequence[Sequence[int]],
    ) -> None: ...
    def step(
        self,
        sizes: tuple[int, int, int, float, int],
        lattice: int,
        params: int,
        loc: int,
        scale: int,
        coupling: int,
        values: int,
    ) -> None:
        """Code a step of some rows.

        Args:
            sizes: The rows B, the channels D, the components M, the samples of a unit of model space, and their bits.
            lattice: The spacing of the samples of each row, (B,), int64.
            params: (B, D, 1 + 3 M), float64, as are the next three.
            loc: (B, D).
            scale: (B, D).
            coupling: (B, D, D), or 0.
            values: The samples, which a decoder writes, (B, D), int64.

        Raises:
            ValueError: A sample lies outside its lattice, or no encoder wrote the code.
        """

    def filtered(
        self,
        form: tuple[int, int, int, int, int, bool],
        counts: int,
        rates: int,
        sizes: tuple[int, int, int, float, int],
        lattice: int,
        steps: int,
        left: int,
        constant: int,
        memory: int,
        values: int,
    ) -> None:
        """Code steps of rows whose filters learn each sample after it.

        Args:
            form: As the sizes of ``filter_step``.
            counts: As for ``filters``.
            rates: As for ``filters``.
            sizes: As for ``step``.
            lattice: As for ``step``.
            steps: The steps T.
            left: The steps of each row, (B,), int64.
            constant: What is added to the parameters, (D, 1 + 3 M), float64.
            memory: Changed in place, (B, D, N), float64.
            values: The samples, which a decoder writes, (T, B, D), int64.

        Raises:
            ValueError: A sample lies outside its lattice, or no encoder wrote the code.
        """

    def ended(self) -> tuple[list[int], list[RangeEncoder]]:
        """Return the digests and the segments that ended since the last call."""

    def place(self) -> tuple[int, int, int, RangeEncoder, RangeDecoder]:
        """Return the digest and the symbols of the open block, all symbols, and both coders."""

def portable_exp(count: int, x: int, y: int) -> None:
    """Write exp(x) of float64 numbers with the same bits on every machine."""

def portable_log(count: int, x: int, y: int) -> None:
    """Write log(x) of positive float64 numbers with the same bits on every machine."""

def portable_mixture(
    rows: int, components: int, n: int, weights: int, means: int, scales: int, edges: int, cumulative: int
) -> None:
    """Write the cumulative probability of each of some mixtures of logistics at edges (rows, n), (rows, n)."""

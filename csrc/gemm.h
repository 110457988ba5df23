// The matrix product of the engine, in register tiles of MR rows by NV vectors.
//
// Each tile is a separate function that is not inlined, with its number of rows as a template argument. In a larger
// function the compiler spills the accumulators and the product takes twice as long.
#pragma once

#include "blocked.h"

namespace ostinato::OSTINATO_SET {

// The left side: a blocked matrix that is read along its columns. The first `full` blocks have V columns, the others
// `tail`.
template <class T>
struct Left {
    Blocked<T> data;
    Index full, blocks, tail;
};

template <class T>
inline Left<T> left_of(const Blocked<T>& data, Index columns, int gates = 1) {
    const Index full = columns / lanes<T> * gates, tail = columns % lanes<T>;
    return {data, full, tail ? full + gates : full, tail};
}

template <int NV>
inline constexpr int max_rows = OSTINATO_ACCUMULATORS / NV < 8 ? OSTINATO_ACCUMULATORS / NV : 8;

// With few accumulators each addition waits for the one before. Small tiles therefore process several steps of K at
// once, with separate accumulators.
constexpr int steps_at_once(int sums) { return sums <= 2 ? 4 : sums <= 4 ? 2 : 1; }

template <class T, int MR, int NV>
OSTINATO_INLINE void one_step(Vec<T> (&sum)[MR][NV], const T* left, const T* right) {
    Vec<T> b[NV];
    OSTINATO_UNROLL
    for (int j = 0; j < NV; ++j) b[j] = load(right + j * lanes<T>);
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i) {
        const T a = left[i * lanes<T>];
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) sum[i][j] += a * b[j];
    }
}

// What a tile brings into the cache for the tiles after it: `count` lines with each few steps of the product. If the panels
// are larger than the cache of a core, the tiles of one group of columns fetch the panel of the next group. A core can wait
// for few lines at once, so they are spread over the steps.
struct Ahead {
    const char* at = nullptr;
    Index count = 0;
};
template <class T>
inline constexpr Index few_steps = lanes<T> < 4 ? lanes<T> : 4;

OSTINATO_INLINE void fetch(const void* at) { __builtin_prefetch(at, 0, 2); }
OSTINATO_INLINE void fetch_to_write(const void* at) { __builtin_prefetch(at, 1, 3); }
inline constexpr Index line = 64, cached = Index{1} << 19;  // bytes

// What a whole batch saves and returns is larger than the cache of a core. A tile prefetches its part of it before its
// product and finds it there after it: the next N vectors, which are contiguous, to be read or to be written.
inline constexpr int vectors_of_line = OSTINATO_BYTES < line ? line / OSTINATO_BYTES : 1;

template <int N, class T>
OSTINATO_INLINE void fetch_vectors(const T* at) {
    OSTINATO_UNROLL
    for (int i = 0; i < N; i += vectors_of_line) fetch(at + i * lanes<T>);
}

template <int N, class T>
OSTINATO_INLINE void fetch_vectors_to_write(const T* at) {
    OSTINATO_UNROLL
    for (int i = 0; i < N; i += vectors_of_line) fetch_to_write(at + i * lanes<T>);
}

// Adds the product of the tile's rows of a, over all columns, and the panel to sum.
template <class T, int MR, int NV>
OSTINATO_INLINE void multiply(Vec<T> (&sum)[MR][NV], const Left<T>& a, Index row, const T* panel, Ahead ahead) {
    constexpr int V = lanes<T>, U = steps_at_once(MR * NV) < V ? steps_at_once(MR * NV) : V;
    const T* block = a.data.at(0, row);
    if constexpr (U == 1) {
        for (Index b = 0; b < a.full; ++b, block += a.data.stride)
            for (const T *left = block, *end = block + V; left < end;) {
                for (Index i = 0; i < ahead.count; ++i, ahead.at += line) fetch(ahead.at);
                for (const T* stop = left + few_steps<T>; left < stop; ++left, panel += NV * V)
                    one_step<T, MR, NV>(sum, left, panel);
            }
    } else {
        Vec<T> more[U][MR][NV] = {};
        for (Index b = 0; b < a.full; ++b, block += a.data.stride)
            for (const T *left = block, *end = block + V; left < end; left += U, panel += U * NV * V) {
                OSTINATO_UNROLL
                for (int u = 0; u < U; ++u) one_step<T, MR, NV>(more[u], left + u, panel + u * NV * V);
            }
        OSTINATO_UNROLL
        for (int u = 0; u < U; ++u)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                OSTINATO_UNROLL
                for (int j = 0; j < NV; ++j) sum[i][j] += more[u][i][j];
    }
    for (Index b = a.full; b < a.blocks; ++b, block += a.data.stride)
        for (const T *left = block, *end = block + a.tail; left < end; ++left, panel += NV * V)
            one_step<T, MR, NV>(sum, left, panel);
}

// An Epilogue defines the initial values of a product and the use of its result:
//   scalar, gates            The number type, and the number of vectors in a column block.
//   start(sum, row, block)   Sets the initial values of the tile's sums.
//   finish(sum, row, block)  Uses the sums.
// start_from is the most common start: the values of a blocked matrix, or zero if there is none.
template <class T, int MR, int NV>
OSTINATO_INLINE void start_from(Vec<T> (&sum)[MR][NV], const Blocked<T>& held, bool there, Index row, Index block) {
    OSTINATO_UNROLL
    for (int j = 0; j < NV; ++j)
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) sum[i][j] = there ? load(held.at(block + j, row + i)) : Vec<T>{};
}

// For the functions of cells, which need the registers that the sums are in: the sums in memory, column by column. The
// loop over them is not unrolled, so that its constants and addresses stay in registers too.
template <class T, int MR, int NV>
OSTINATO_INLINE void put_down(Vec<T> (&held)[NV][MR], const Vec<T> (&sum)[MR][NV]) {
    OSTINATO_UNROLL
    for (int j = 0; j < NV; ++j)
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) held[j][i] = sum[i][j];
}

// A panel of many steps does not fit into the first cache beside the rest: with AVX2, whose tiles have few rows, each tile
// would wait for the second one. So the tiles of some rows go through the panel in parts of at most so many bytes, and put
// their sums down in between. 0: in one piece.
inline constexpr Index part_bytes = OSTINATO_BYTES == 32 ? Index{1} << 14 : 0, rows_of_part = 96;

template <class T>
struct Pause {
    Vec<T>* sums;  // from row `first` on
    Index first;
    bool before, after;
};

namespace {

template <class Epilogue, int MR, int NV>
__attribute__((noinline)) void tile(const Epilogue& given, const Left<typename Epilogue::scalar>& a,
                                    const typename Epilogue::scalar* panel, Index row, Index block, Ahead ahead,
                                    const Pause<typename Epilogue::scalar>* pause) {
    using T = typename Epilogue::scalar;
    const Epilogue e = given;  // a copy that no store can change, so that nothing of it is read again
    Vec<T> sum[MR][NV];
    if (part_bytes && __builtin_expect(pause && pause->before, 0)) {
        const Vec<T>* held = pause->sums + (row - pause->first) * NV;
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i)
            OSTINATO_UNROLL
            for (int j = 0; j < NV; ++j) sum[i][j] = held[i * NV + j];
    } else {
        e.template start<MR, NV>(sum, row, block);
    }
    multiply<T, MR, NV>(sum, a, row, panel, ahead);
    if (part_bytes && __builtin_expect(pause && pause->after, 0)) {
        Vec<T>* held = pause->sums + (row - pause->first) * NV;
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i)
            OSTINATO_UNROLL
            for (int j = 0; j < NV; ++j) held[i * NV + j] = sum[i][j];
    } else {
        e.template finish<MR, NV>(sum, row, block);
    }
}

template <class Epilogue, int NV, int MR>
OSTINATO_INLINE void tile_of(Index rows, const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                             const typename Epilogue::scalar* panel, Index row, Index block, Ahead ahead,
                             const Pause<typename Epilogue::scalar>* pause) {
    if constexpr (MR > 1)
        if (rows < MR) return tile_of<Epilogue, NV, MR - 1>(rows, e, a, panel, row, block, ahead, pause);
    tile<Epilogue, MR, NV>(e, a, panel, row, block, ahead, pause);
}

// Splits the rows [begin, end) into tiles of nearly equal height. `next` is the panel that is fetched meanwhile, of the
// same size; or null.
template <class Epilogue, int NV>
OSTINATO_INLINE void rows_of_tiles(const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                                   const typename Epilogue::scalar* panel, Index begin, Index end, Index block,
                                   const typename Epilogue::scalar* next,
                                   const Pause<typename Epilogue::scalar>* pause = nullptr) {
    constexpr int most = max_rows<NV>;
    const Index tiles = (end - begin + most - 1) / most;
    using T = typename Epilogue::scalar;
    constexpr Index lines = (NV * OSTINATO_BYTES * few_steps<T> + line - 1) / line;  // of a few steps
    Ahead ahead{reinterpret_cast<const char*>(next), next ? (lines + tiles - 1) / tiles : 0};
    for (Index row = begin, left = tiles, rows; row < end; row += rows, --left) {
        rows = (end - row + left - 1) / left;
        tile_of<Epilogue, NV, most>(rows, e, a, panel, row, block, ahead, pause);
        ahead.at += ahead.count * (lanes<T> / few_steps<T>) * a.full * line;
    }
}

// The most steps of a part of a panel of NV vectors, in blocks of V as the left side has them.
template <class T, int NV>
inline constexpr Index most_blocks = part_bytes / (lanes<T> * NV * OSTINATO_BYTES);

// The same in parts of at most most_blocks blocks.
template <class Epilogue, int NV>
__attribute__((noinline)) void parts_of_tiles(const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                                              const typename Epilogue::scalar* panel, Index begin, Index end, Index block,
                                              const typename Epilogue::scalar* next) {
    using T = typename Epilogue::scalar;
    constexpr Index size = lanes<T> * NV * lanes<T>, most = most_blocks<T, NV>;
    const Index parts = (a.full + most - 1) / most, each = (a.full + parts - 1) / parts;
    Vec<T> sums[rows_of_part * NV];
    for (Index row = begin, stop; row < end; row = stop) {
        stop = smaller(end, row + rows_of_part);
        for (Index done = 0; done < a.full; done += each) {
            const Index count = smaller(each, a.full - done);
            const bool last = done + count == a.full;
            const Left<T> part{a.data.from(done), count, last ? a.blocks - done : count, a.tail};
            const Pause<T> pause{sums, row, done > 0, !last};
            rows_of_tiles<Epilogue, NV>(e, part, panel + done * size, row, stop, block, next ? next + done * size : next,
                                        &pause);
        }
    }
}

template <class Epilogue, int NV>
OSTINATO_INLINE void group_of_tiles(const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                                    const typename Epilogue::scalar* panel, Index begin, Index end, Index block,
                                    const typename Epilogue::scalar* next) {
    if constexpr (part_bytes > 0)  // if the panel is large and several tiles read it
        if (a.full > most_blocks<typename Epilogue::scalar, NV> && end - begin > max_rows<NV>)
            return parts_of_tiles<Epilogue, NV>(e, a, panel, begin, end, block, next);
    rows_of_tiles<Epilogue, NV>(e, a, panel, begin, end, block, next);
}

// The order in which a product goes through its groups of columns. Steps go there and back in turn: if the panels are
// larger than the cache of a core, a step begins with those that the step before has left in it.
enum class Order { ascending, descending };

constexpr Order order_of(Index step) { return step % 2 ? Order::descending : Order::ascending; }

// Multiplies the rows [begin, end) of a by the panels of the column blocks `mine`. depth is the number of steps of the
// panels.
template <class Epilogue>
void product(const Epilogue& e, const Left<typename Epilogue::scalar>& a, const typename Epilogue::scalar* panel,
             Index depth, Index begin, Index end, const Groups& groups, Range mine, Order order = Order::ascending) {
    constexpr int G = Epilogue::gates;
    using T = typename Epilogue::scalar;
    const Index size = G * lanes<T> * depth, many = mine.end - mine.begin;
    const bool large = many * size * Index(sizeof(T)) > cached && end - begin > 1, back = order == Order::descending;
    for (Index done = 0, count; done < many; done += count) {
        const Index block = back ? mine.end - done : mine.begin + done;
        count = back ? groups.before(block) : groups.at(block);
        const Index first = back ? block - count : block, last = done + count == many;
        const T* const now = panel + first * size;
        const T* const next = !large || last ? nullptr : back ? now - count * size : now + count * size;
        if constexpr (group_limit(G) >= 4)
            if (count == 4) group_of_tiles<Epilogue, 4 * G>(e, a, now, begin, end, first, next);
        if constexpr (group_limit(G) >= 2)
            if (count == 2) group_of_tiles<Epilogue, 2 * G>(e, a, now, begin, end, first, next);
        if (count == 1) group_of_tiles<Epilogue, G>(e, a, now, begin, end, first, next);
    }
}

// Adds x' d over all rows to sums, for MR columns of x and NV blocks of d.
template <class T, int MR, int NV>
__attribute__((noinline)) void outer_tile(T* sums, Index sums_stride, const T* x, const T* d, Index d_stride,
                                          Index rows) {
    constexpr int V = lanes<T>, U = steps_at_once(MR * NV);
    Vec<T> sum[U][MR][NV] = {};
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i)
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            sum[0][i][j] = load(sums + j * sums_stride + i * V);
            fetch(sums + j * sums_stride + (MR + i) * V);  // the sums of the next tile
        }
    Index row = 0;
    for (; row + U <= rows; row += U, x += U * V, d += U * V)
        OSTINATO_UNROLL
        for (int u = 0; u < U; ++u) {
            Vec<T> b[NV];
            OSTINATO_UNROLL
            for (int j = 0; j < NV; ++j) b[j] = load(d + j * d_stride + u * V);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                OSTINATO_UNROLL
                for (int j = 0; j < NV; ++j) sum[u][i][j] += x[u * V + i] * b[j];
        }
    for (; row < rows; ++row, x += V, d += V)
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) sum[0][i][j] += x[i] * load(d + j * d_stride);
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i)
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            Vec<T> total = sum[0][i][j];
            OSTINATO_UNROLL
            for (int u = 1; u < U; ++u) total += sum[u][i][j];
            store(sums + j * sums_stride + i * V, total);
        }
}

// Multiplies the columns of one block of x, in tiles of 8, 4, 2 and 1 columns, by NV blocks of d.
template <class T, int NV, int MR>
OSTINATO_INLINE void outer_column(T* sums, Index sums_stride, const T* x, const T* d, Index d_stride, Index rows,
                                  Index columns) {
    for (; columns >= MR; columns -= MR, x += MR, sums += MR * lanes<T>)
        outer_tile<T, MR, NV>(sums, sums_stride, x, d, d_stride, rows);
    if constexpr (MR > 1) outer_column<T, NV, MR / 2>(sums, sums_stride, x, d, d_stride, rows, columns);
}

inline constexpr int outer_group = 3;  // the most blocks that outer (products.h) takes at once

// Adds the sum of `rows` rows of d to sums, for the given blocks: N at once, because each addition waits for the one before.
template <class T, int N = 4>
OSTINATO_INLINE void column_sums(T* sums, const Blocked<T>& d, Range blocks, Index rows) {
    for (; blocks.end - blocks.begin >= N; blocks.begin += N) {
        Vec<T> total[N];
        OSTINATO_UNROLL
        for (int i = 0; i < N; ++i) total[i] = load(sums + (blocks.begin + i) * lanes<T>);
        const T* from = d.at(blocks.begin, 0);
        for (Index row = 0; row < rows; ++row, from += lanes<T>)
            OSTINATO_UNROLL
            for (int i = 0; i < N; ++i) total[i] += load(from + i * d.stride);
        OSTINATO_UNROLL
        for (int i = 0; i < N; ++i) store(sums + (blocks.begin + i) * lanes<T>, total[i]);
    }
    if constexpr (N > 1) column_sums<T, 1>(sums, d, blocks, rows);
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET

// The one matrix product: register tiles of MR rows x NV vectors, written once for all uses.
//
// Each tile is a function of its own that is not inlined, templated on its row count. Within a larger body the compiler
// spills accumulators and the speed halves.
#pragma once

#include "blocked.h"
#include "share.h"

namespace ostinato::OSTINATO_SET {
namespace {

// The left side: a blocked matrix, read along its columns. `full` blocks have all lanes, the others `tail`.
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

// Few sums at once wait for each other: small tiles work on several steps of K in sums of their own.
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

// sum += left(rows of the tile, all columns) * panel.
template <class T, int MR, int NV>
OSTINATO_INLINE void multiply(Vec<T> (&sum)[MR][NV], const Left<T>& a, Index row, const T* panel) {
    constexpr int V = lanes<T>, U = steps_at_once(MR * NV) < V ? steps_at_once(MR * NV) : V;
    const T* block = a.data.at(0, row);
    if constexpr (U == 1) {
        for (Index b = 0; b < a.full; ++b, block += a.data.stride)
            for (const T *left = block, *end = block + V; left < end; ++left, panel += NV * V)
                one_step<T, MR, NV>(sum, left, panel);
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

// An Epilogue says what a product starts from and what becomes of it:
//   scalar, gates          the number type, and the vectors of a column block
//   start(sum, row, block) fills the tile's sums;  finish(sum, row, block) uses them.
// start_from is the commonest start: what a blocked matrix holds, or zero where there is nothing.
template <class T, int MR, int NV>
OSTINATO_INLINE void start_from(Vec<T> (&sum)[MR][NV], const Blocked<T>& held, bool there, Index row, Index block) {
    OSTINATO_UNROLL
    for (int j = 0; j < NV; ++j)
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) sum[i][j] = there ? load(held.at(block + j, row + i)) : Vec<T>{};
}

template <class Epilogue, int MR, int NV>
__attribute__((noinline)) void tile(const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                                    const typename Epilogue::scalar* panel, Index row, Index block) {
    Vec<typename Epilogue::scalar> sum[MR][NV];
    e.template start<MR, NV>(sum, row, block);
    multiply<typename Epilogue::scalar, MR, NV>(sum, a, row, panel);
    e.template finish<MR, NV>(sum, row, block);
}

template <class Epilogue, int NV, int MR>
OSTINATO_INLINE void tile_of(Index rows, const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                             const typename Epilogue::scalar* panel, Index row, Index block) {
    if constexpr (MR > 1)
        if (rows < MR) return tile_of<Epilogue, NV, MR - 1>(rows, e, a, panel, row, block);
    tile<Epilogue, MR, NV>(e, a, panel, row, block);
}

// Rows [begin, end) in tiles of nearly equal height.
template <class Epilogue, int NV>
OSTINATO_INLINE void rows_of_tiles(const Epilogue& e, const Left<typename Epilogue::scalar>& a,
                                   const typename Epilogue::scalar* panel, Index begin, Index end, Index block) {
    constexpr int most = max_rows<NV>;
    for (Index row = begin, left = (end - begin + most - 1) / most, rows; row < end; row += rows, --left) {
        rows = (end - row + left - 1) / left;
        tile_of<Epilogue, NV, most>(rows, e, a, panel, row, block);
    }
}

// Rows [begin, end) of a, times the panels of `blocks` column blocks; depth is the panels' number of steps.
template <class Epilogue>
void product(const Epilogue& e, const Left<typename Epilogue::scalar>& a, const typename Epilogue::scalar* panel,
             Index depth, Index begin, Index end, Index blocks) {
    constexpr int G = Epilogue::gates;
    for (Index block = 0, count; block < blocks; block += count) {
        count = group_of(blocks - block, G);
        if constexpr (group_limit(G) >= 4)
            if (count == 4) rows_of_tiles<Epilogue, 4 * G>(e, a, panel, begin, end, block);
        if constexpr (group_limit(G) >= 2)
            if (count == 2) rows_of_tiles<Epilogue, 2 * G>(e, a, panel, begin, end, block);
        if (count == 1) rows_of_tiles<Epilogue, G>(e, a, panel, begin, end, block);
        panel += count * G * lanes<typename Epilogue::scalar> * depth;
    }
}

// sums(rows unit..unit + MR, NV blocks) += x(all rows, those columns)' * d(all rows, those blocks).
template <class T, int MR, int NV>
__attribute__((noinline)) void outer_tile(T* sums, Index sums_stride, const T* x, const T* d, Index d_stride,
                                          Index rows) {
    constexpr int V = lanes<T>, U = steps_at_once(MR * NV);
    Vec<T> sum[U][MR][NV] = {};
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i)
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) sum[0][i][j] = load(sums + j * sums_stride + i * V);
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

// The columns of one block of x, in tiles of 8, 4, 2 and 1 of them, against NV blocks of d.
template <class T, int NV, int MR>
OSTINATO_INLINE void outer_column(T* sums, Index sums_stride, const T* x, const T* d, Index d_stride, Index rows,
                                  Index columns) {
    for (; columns >= MR; columns -= MR, x += MR, sums += MR * lanes<T>)
        outer_tile<T, MR, NV>(sums, sums_stride, x, d, d_stride, rows);
    if constexpr (MR > 1) outer_column<T, NV, MR / 2>(sums, sums_stride, x, d, d_stride, rows, columns);
}

// sums (those blocks of d, columns of x as rows) += x' d over `rows` rows: a weight's gradient, in blocked form.
inline constexpr int outer_group = 3;
template <class T>
void outer(const Blocked<T>& sums, const Blocked<T>& x, Index columns, const Blocked<T>& d, Range blocks, Index rows) {
    constexpr int most = OSTINATO_ACCUMULATORS >= 24 && lanes<T> >= 8 ? 8 : lanes<T> >= 4 ? 4 : 2;
    for (Index block = blocks.begin; block < blocks.end; block += outer_group)
        for (Index c = 0; c < columns; c += lanes<T>) {
            T* to = sums.at(block, c);
            const T *left = x.at(c / lanes<T>, 0), *right = d.at(block, 0);
            const Index count = smaller(lanes<T>, columns - c);
            if (blocks.end - block >= outer_group)
                outer_column<T, outer_group, most>(to, sums.stride, left, right, d.stride, rows, count);
            else if (blocks.end - block == 2)
                outer_column<T, 2, most>(to, sums.stride, left, right, d.stride, rows, count);
            else
                outer_column<T, 1, most>(to, sums.stride, left, right, d.stride, rows, count);
        }
}

// sums (those blocks of V) += the columns of d over `rows` rows.
template <class T>
inline void column_sums(T* sums, const Blocked<T>& d, Range blocks, Index rows) {
    for (Index block = blocks.begin; block < blocks.end; ++block) {
        Vec<T> total = load(sums + block * lanes<T>);
        for (Index row = 0; row < rows; ++row) total += load(d.at(block, row));
        store(sums + block * lanes<T>, total);
    }
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET

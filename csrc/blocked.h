// The one layout of everything the kernels hold: a blocked matrix keeps V consecutive columns (V the lanes of a vector)
// of all its rows together,
//
//     element (row r, column c)  at  first[(c / V) * stride + r * V + c % V],
//
// so that a tile reads rows and writes vectors at constant distances, whatever the sizes. stride is an odd number of
// vectors: with a power of two all blocks would fall on the same cache sets.
//
// A panel is what a product's right side is packed into: for a group of columns, K steps of (vectors of the group), each
// step contiguous. Groups of `gates` interleaved vectors a column block keep the gates of a unit in one register tile.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T>
struct Blocked {
    T* first = nullptr;
    Index stride = 0;

    T* at(Index block, Index row) const { return first + block * stride + row * lanes<T>; }
    Blocked from(Index block, Index row = 0) const { return {at(block, row), stride}; }
    static Index stride_of(Index rows) { return (rows | 1) * lanes<T>; }
};

// Lays buffers out in one piece of memory; with no memory it only counts what they need.
struct Arena {
    char* base;
    std::size_t used = 0;

    template <class T>
    T* take(Index count) {
        const std::size_t start = used;
        used += (count * sizeof(T) + 127) & ~std::size_t{127};
        return base ? reinterpret_cast<T*>(base + start) : nullptr;
    }
    template <class T>
    Blocked<T> blocked(Index blocks, Index rows) {
        const Index stride = Blocked<T>::stride_of(rows);
        return {take<T>(blocks * stride), stride};
    }
};

// Column blocks in the next group of a panel: 4, 2 or 1, as many as `gates` leaves room for in four vectors.
constexpr Index group_limit(int gates) { return gates == 1 ? 4 : gates == 2 ? 2 : 1; }
OSTINATO_INLINE Index group_of(Index left, int gates) {
    const Index limit = group_limit(gates);
    return left >= 4 && limit >= 4 ? 4 : left >= 2 && limit >= 2 ? 2 : 1;
}

// One row of a matrix, columns (0..columns), into row `row` of a blocked one; the tail of the last block is zero.
template <class T>
OSTINATO_INLINE void pack_row(const Blocked<T>& to, Index row, const T* from, Index columns) {
    Index block = 0;
    for (; (block + 1) * lanes<T> <= columns; ++block) store(to.at(block, row), load(from + block * lanes<T>));
    if (block * lanes<T> < columns)
        store(to.at(block, row), load_part(from + block * lanes<T>, columns - block * lanes<T>));
}

template <class T>
OSTINATO_INLINE void unpack_row(T* to, const Blocked<T>& from, Index row, Index columns) {
    for (Index c = 0, block = 0; c < columns; c += lanes<T>, ++block)
        store_part(to + c, load(from.at(block, row)), columns - c);
}

template <class T>
inline void clear(T* at, Index count) {
    std::memset(at, 0, count * sizeof(T));
}

// w (gates * hidden, depth), gate after gate, row-major -> panels of its transpose: depth steps, `gates` vectors a block.
template <class T>
inline void pack_gates(T* panel, const T* w, int gates, Index hidden, Index depth) {
    constexpr Index V = lanes<T>;
    const Index blocks = blocks_of<T>(hidden);
    for (Index first = 0, count; first < blocks; first += count) {
        count = group_of(blocks - first, gates);
        const Index width = count * gates * V;
        for (Index j = 0; j < count; ++j)
            for (int g = 0; g < gates; ++g) {
                const Index unit = (first + j) * V, valid = smaller(V, hidden - unit);
                T* to = panel + (j * gates + g) * V;
                const T* from = w + (g * hidden + unit) * depth;
                if (valid == V)
                    for (Index k = 0; k < depth; ++k)
                        for (Index v = 0; v < V; ++v) to[k * width + v] = from[v * depth + k];
                else
                    for (Index k = 0; k < depth; ++k)
                        for (Index v = 0; v < V; ++v) to[k * width + v] = v < valid ? from[v * depth + k] : T(0);
            }
        panel += width * depth;
    }
}

// w (gates * hidden, columns) -> panels of itself, columns in vectors; the steps run over units block by block, in a
// block gate by gate: the order in which a blocked matrix of gate gradients is read.
template <class T>
inline void pack_units(T* panel, const T* w, int gates, Index hidden, Index columns) {
    constexpr Index V = lanes<T>;
    const Index blocks = blocks_of<T>(columns);
    for (Index first = 0, count; first < blocks; first += count) {
        count = group_of(blocks - first, 1);
        for (Index unit = 0; unit < hidden; unit += V)
            for (int g = 0; g < gates; ++g)
                for (Index u = unit; u < smaller(unit + V, hidden); ++u)
                    for (Index j = 0; j < count; ++j, panel += V) {
                        const Index c = (first + j) * V;
                        store(panel, load_part(w + (g * hidden + u) * columns + c, columns - c));
                    }
    }
}

// The inverse of pack_gates' order for sums: sums blocked (blocks * gates, depth rows) -> w (gates * hidden, depth).
template <class T>
inline void unpack_gates(T* w, const Blocked<T>& sums, int gates, Index hidden, Index depth) {
    constexpr Index V = lanes<T>;
    for (Index unit = 0; unit < hidden; unit += V)
        for (int g = 0; g < gates; ++g) {
            const T* from = sums.at(unit / V * gates + g, 0);
            T* to = w + (g * hidden + unit) * depth;
            for (Index v = 0; v < smaller(V, hidden - unit); ++v)
                for (Index k = 0; k < depth; ++k) to[v * depth + k] = from[k * V + v];
        }
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
